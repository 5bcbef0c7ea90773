//! Process ids that are counted: `scheduler(1)`, `log-replica(1)` (libprocess `ID::generate`).

use std::collections::BTreeMap;

/// One counter per prefix, each from 1.
#[derive(Clone, Debug, Default)]
pub struct IdCounters(BTreeMap<String, u64>);

impl IdCounters {
    /// `prefix(N)` with the next number of that prefix.
    pub fn next(&mut self, prefix: &str) -> String {
        let count = self.0.entry(prefix.to_owned()).or_default();
        *count += 1;
        format!("{prefix}({count})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_count_apart() {
        let mut ids = IdCounters::default();
        let made = ["slave", "scheduler", "slave"].map(|prefix| ids.next(prefix));
        assert_eq!(made, ["slave(1)", "scheduler(1)", "slave(2)"]);
    }
}
