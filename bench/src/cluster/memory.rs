//! What an idle agent costs the master.

use crate::output::say;
use crate::process::{self, Memory};
use anyhow::Result;

/// The master's memory at one moment.
#[derive(Clone, Copy)]
pub(super) struct Reading {
    memory: Memory,
    files: usize,
}

impl Reading {
    pub fn of(pid: u32) -> Result<Reading> {
        Ok(Reading { memory: process::memory(pid)?, files: process::open_files(pid)? })
    }

    /// Prints what has come since `before`, for each agent. Sockets are counted because their buffers in the master are
    /// part of it; those in the kernel are nobody's memory.
    pub fn report(self, before: Reading, agents: usize) {
        let each = |after: u64, before: u64| (after as f64 - before as f64) * 1024.0 / agents as f64;
        say!(
            "memory with {agents} idle agents: RSS {} KiB, USS {} KiB, {} open files; for each agent RSS {:.0} bytes, USS \
             {:.0} bytes, {:.2} files",
            self.memory.rss_kib,
            self.memory.uss_kib,
            self.files,
            each(self.memory.rss_kib, before.memory.rss_kib),
            each(self.memory.uss_kib, before.memory.uss_kib),
            (self.files as f64 - before.files as f64) / agents as f64,
        );
    }
}
