//! A replicated log as part of a node: the machine of `core/log` over a directory and the network.
