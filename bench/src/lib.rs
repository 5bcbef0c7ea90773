//! Benchmarks of Tepui and of any other master, and the emulated agents and frameworks they are made with.

pub mod allocator;
pub mod cluster;
pub mod durations;
pub mod emulator;
pub mod failover;
pub mod fdatasync;
pub mod idle;
pub mod log;
pub mod output;
pub mod process;
pub mod resources;
pub mod tasks;
pub mod views;
