//! Whole worlds.
