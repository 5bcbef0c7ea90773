//! `/system/stats.json`, and the same figures among the metrics.
//!
//! Source: Mesos `3rdparty/libprocess/include/process/system.hpp`.

use tepui_api::metrics::Values;
use tepui_proto::json::Writer;

/// What the kernel says of the whole machine. A figure that cannot be had is left out.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stats {
    /// Processes that run or wait to run, over 1, 5 and 15 minutes.
    pub loads: Option<[f64; 3]>,
    /// Processors.
    pub cpus: Option<u64>,
    /// Memory in bytes.
    pub mem_total: Option<u64>,
    /// Memory that nothing uses, in bytes.
    pub mem_free: Option<u64>,
}

/// Processors that are online. As in Mesos neither affinity nor a quota of the cgroup counts.
pub fn online_processors() -> Option<u64> {
    nix::unistd::sysconf(nix::unistd::SysconfVar::_NPROCESSORS_ONLN).ok()??.try_into().ok()
}

impl Stats {
    /// Asks the kernel.
    pub fn read() -> Stats {
        let text = |path| std::fs::read_to_string(path).unwrap_or_default();
        let meminfo = text("/proc/meminfo");
        Stats {
            loads: loads(&text("/proc/loadavg")),
            cpus: online_processors(),
            mem_total: bytes(&meminfo, "MemTotal:"),
            mem_free: bytes(&meminfo, "MemFree:"),
        }
    }

    /// The answer, keys sorted.
    pub fn json(&self) -> String {
        let mut out = Writer::new();
        out.object(|out| {
            if let Some([one, five, fifteen]) = self.loads {
                out.field_double("avg_load_15min", fifteen);
                out.field_double("avg_load_1min", one);
                out.field_double("avg_load_5min", five);
            }
            let numbers =
                [("cpus_total", self.cpus), ("mem_free_bytes", self.mem_free), ("mem_total_bytes", self.mem_total)];
            for (key, number) in numbers.into_iter().filter_map(|(key, number)| Some((key, number?))) {
                out.key(key);
                out.u64(number);
            }
        });
        out.finish()
    }

    /// The gauges `system/...`.
    pub fn metrics(&self) -> Values {
        let loads = self.loads.map_or([None; 3], |loads| loads.map(Some));
        let number = |number: Option<u64>| number.map(|number| number as f64);
        let gauges = [
            ("system/load_1min", loads[0]),
            ("system/load_5min", loads[1]),
            ("system/load_15min", loads[2]),
            ("system/cpus_total", number(self.cpus)),
            ("system/mem_total_bytes", number(self.mem_total)),
            ("system/mem_free_bytes", number(self.mem_free)),
        ];
        gauges.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }
}

fn loads(text: &str) -> Option<[f64; 3]> {
    let mut words = text.split_whitespace().map(|word| word.parse::<f64>().ok());
    Some([words.next()??, words.next()??, words.next()??])
}

/// A line of `/proc/meminfo`, which is in kB.
fn bytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_off_the_kernels_texts() {
        assert_eq!(loads("0.50 1.25 2.00 1/200 4711\n"), Some([0.5, 1.25, 2.0]));
        assert_eq!(loads("?"), None);
        assert_eq!(bytes("MemTotal:  16 kB\nMemFree:   4 kB\n", "MemFree:"), Some(4096));
        assert_eq!(bytes("MemFree: many\n", "MemFree:"), None);
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let stats = Stats { cpus: Some(2), mem_total: Some(1024), ..Stats::default() };
        assert_eq!(stats.json(), r#"{"cpus_total":2,"mem_total_bytes":1024}"#);
        assert_eq!(stats.metrics().keys().collect::<Vec<_>>(), ["system/cpus_total", "system/mem_total_bytes"]);
    }

    /// Ranges of numbers, as in `0-3,8`.
    #[test]
    fn processors_are_those_the_kernel_says_are_online() {
        let online = std::fs::read_to_string("/sys/devices/system/cpu/online").unwrap();
        let number = |text: &str| text.parse::<u64>().unwrap();
        let count = |range: &str| match range.split_once('-') {
            Some((first, last)) => number(last) - number(first) + 1,
            None => 1,
        };
        assert_eq!(online_processors(), Some(online.trim().split(',').map(count).sum()));
    }

    #[test]
    fn this_machine_has_all_of_them() {
        assert_eq!(Stats::read().metrics().len(), 6);
    }
}
