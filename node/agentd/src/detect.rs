//! What this machine has to offer, where `--resources` does not say.
//!
//! Source: `Containerizer::resources`. GPUs are not looked for.

use std::path::Path;
use tepui_proto::mesos;
use tepui_resources::parse;

const MB: u64 = 1 << 20;
const GB: u64 = 1 << 30;
/// Where tasks may listen.
const DEFAULT_PORTS: &str = "[31000-32000]";

/// What the machine has, as far as it can be found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Processors that are online. As in Mesos neither affinity nor a quota of the cgroup counts.
    pub cpus: u64,
    /// Main memory in bytes.
    pub mem_bytes: u64,
    /// Size of the file system of the work directory in bytes.
    pub disk_bytes: u64,
}

impl Machine {
    /// Looks. What can not be found out gets the value Mesos falls back to.
    pub fn look(work_dir: &Path) -> Machine {
        Machine {
            cpus: tepui_processes::system::online_processors().unwrap_or(1),
            mem_bytes: mem_total().unwrap_or(GB),
            disk_bytes: disk_total(work_dir).unwrap_or(10 * GB),
        }
    }
}

fn mem_total() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

fn disk_total(path: &Path) -> Option<u64> {
    let stat = nix::sys::statvfs::statvfs(path).ok()?;
    Some(stat.blocks() * stat.fragment_size())
}

/// All resources of an agent: those of `--resources` as given, and what it does not name from the machine, less what
/// is left to the rest of the machine (1 GB of memory and 5 GB of disk, or half if there is little).
pub fn resources(flag: &str, default_role: &str, machine: Machine) -> Result<Vec<mesos::Resource>, parse::Error> {
    let given = parse::entries(flag, default_role)?;
    let is_given = |name: &str| given.iter().any(|resource| resource.name().as_str() == name);
    let mut missing = Vec::new();
    let mut offer = |name: &str, value: String| {
        if !is_given(name) {
            missing.push(format!("{name}:{value}"));
        }
    };
    offer("cpus", machine.cpus.to_string());
    offer("mem", (less(machine.mem_bytes, GB, 2 * GB) / MB).to_string());
    offer("disk", (less(machine.disk_bytes, 5 * GB, 10 * GB) / MB).to_string());
    offer("ports", DEFAULT_PORTS.to_owned());
    let mut all = tepui_resources::Resources::parse(flag, default_role)?;
    for resource in parse::entries(&missing.join(";"), default_role)? {
        all.add_one(&resource);
    }
    Ok(all.to_proto())
}

fn less(total: u64, kept: u64, enough: u64) -> u64 {
    if total >= enough { total - kept } else { total / 2 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MACHINE: Machine = Machine { cpus: 2, mem_bytes: 8 * GB, disk_bytes: 4 * GB };

    fn amounts(flag: &str) -> Vec<(String, f64)> {
        let resources = resources(flag, "*", MACHINE).unwrap();
        resources.iter().map(|resource| (resource.name.clone(), resource.scalar.value)).collect()
    }

    #[test]
    fn what_is_not_given_comes_from_the_machine() {
        let found: std::collections::BTreeMap<String, f64> = amounts("").into_iter().collect();
        assert_eq!(found["cpus"], 2.0);
        assert_eq!(found["mem"], 7.0 * 1024.0);
        assert_eq!(found["disk"], 2.0 * 1024.0, "half of a small disk");
        assert!(found.contains_key("ports"));
    }

    #[test]
    fn what_is_given_stays() {
        let found: std::collections::BTreeMap<String, f64> = amounts("cpus:100;mem:20000").into_iter().collect();
        assert_eq!((found["cpus"], found["mem"]), (100.0, 20000.0));
        assert_eq!(found.len(), 4);
    }

    #[test]
    fn a_resource_given_as_nothing_is_not_looked_for() {
        assert!(!amounts("cpus:0").iter().any(|(name, _)| name == "cpus"));
    }

    #[test]
    fn this_machine_has_something() {
        let machine = Machine::look(Path::new("/"));
        assert!(machine.cpus > 0 && machine.mem_bytes > MB && machine.disk_bytes > MB);
    }
}
