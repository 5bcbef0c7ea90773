//! Who leads: the logic of contending and detecting over a group of members, without a connection to it.
