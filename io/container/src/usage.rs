//! What a container's processes use, from `/proc`. Source: `isolators/posix.hpp` (`mesos::internal::usage`).

use crate::tree;
use nix::unistd::{SysconfVar, sysconf};
use std::io;
use tepui_proto::mesos::ResourceStatistics;

/// Processor time and memory of `root` and all that belongs to it. Processes that have ended no longer count, as with
/// Mesos' posix isolators, and neither they nor threads are counted: only cgroups do that. `timestamp` is left at 0.
pub fn of_tree(root: i32) -> io::Result<ResourceStatistics> {
    let table = tree::processes()?;
    let members = tree::members(root, &table);
    let alive = members.iter().filter_map(|pid| table.get(pid));
    let (ticks, page) = (system_value(SysconfVar::CLK_TCK, 100), system_value(SysconfVar::PAGE_SIZE, 4096));
    let (mut user, mut system, mut pages) = (0, 0, 0);
    for process in alive {
        user += process.user_ticks;
        system += process.system_ticks;
        pages += process.resident_pages;
    }
    Ok(ResourceStatistics {
        cpus_user_time_secs: Some(user as f64 / ticks as f64),
        cpus_system_time_secs: Some(system as f64 / ticks as f64),
        mem_rss_bytes: Some(pages * page),
        ..Default::default()
    })
}

fn system_value(name: SysconfVar, usual: u64) -> u64 {
    sysconf(name).ok().flatten().and_then(|value| u64::try_from(value).ok()).filter(|v| *v > 0).unwrap_or(usual)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_memory() {
        let usage = of_tree(i32::try_from(std::process::id()).unwrap()).unwrap();
        assert!(usage.mem_rss_bytes.unwrap() > 100_000);
    }
}
