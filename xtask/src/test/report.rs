//! Reading what test programs print, and adding it up.
//!
//! Our own runners print one line per case: `PASS name`, `FAIL name: why`, `SKIP name: why`. Cargo's test harness and
//! nextest have their own summaries. A unit test that finds at run time that it cannot run prints `SKIPPED name: why`.

/// What came of a part.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many cases passed.
    pub passed: usize,
    /// Each case that failed, with what is known about why.
    pub failures: Vec<String>,
    /// Each case that did not run, with its reason.
    pub skips: Vec<String>,
}

impl Tally {
    /// One failure.
    pub fn failure(name: &str, why: &str) -> Tally {
        Tally { failures: vec![format!("{name}: {why}")], ..Tally::default() }
    }

    /// One case that passed.
    pub fn pass() -> Tally {
        Tally { passed: 1, ..Tally::default() }
    }

    /// Takes in another tally.
    pub fn add(&mut self, other: Tally) {
        self.passed += other.passed;
        self.failures.extend(other.failures);
        self.skips.extend(other.skips);
    }

    /// A program that failed without naming a case (it did not compile, or it crashed) still counts.
    pub fn and_status(mut self, program: &str, success: bool) -> Tally {
        if !success && self.failures.is_empty() {
            self.failures.push(format!("{program} failed; its log says why"));
        }
        self
    }

    /// Names proof that did not happen: a run that found nothing to do has not passed.
    pub fn or_nothing_ran(mut self, what: &str) -> Tally {
        if self == Tally::default() {
            self.failures.push(format!("{what}: nothing ran"));
        }
        self
    }
}

/// Reads the lines of our own runners.
pub fn of_cases(text: &str) -> Tally {
    let mut tally = Tally::default();
    for line in text.lines() {
        if line.starts_with("PASS ") {
            tally.passed += 1;
        } else if let Some(rest) = line.strip_prefix("FAIL ") {
            tally.failures.push(rest.to_owned());
        } else if let Some(rest) = line.strip_prefix("SKIP ") {
            tally.skips.push(rest.to_owned());
        }
    }
    tally
}

/// Reads cargo's own harness: `test a::b ... FAILED` and `test result: ok. 3 passed; 0 failed; 1 ignored; ...`.
pub fn of_libtest(text: &str) -> Tally {
    let mut tally = Tally { skips: skips_at_run_time(text), ..Tally::default() };
    for line in text.lines().map(str::trim) {
        if let Some(rest) = line.strip_prefix("test result: ") {
            tally.passed += number_before(rest, " passed");
        } else if let Some(name) = line.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... FAILED")) {
            tally.failures.push(name.to_owned());
        } else if let Some(test) = line.strip_prefix("test ").filter(|rest| rest.contains(" ... ignored")) {
            tally
                .skips
                .push(test.replacen(" ... ignored", ":", 1).replacen(":,", ":", 1).trim_end_matches(':').to_owned());
        }
    }
    tally.passed = tally.passed.saturating_sub(skips_at_run_time(text).len());
    tally
}

/// Reads nextest: `FAIL [ 0.1s] crate test::name` and `Summary [ 0.5s] 57 tests run: 55 passed, 2 failed, 1 skipped`.
/// What it calls skipped was filtered out or ignored, and ignored tests are found in the source instead.
pub fn of_nextest(text: &str) -> Tally {
    let mut tally = Tally { skips: skips_at_run_time(text), ..Tally::default() };
    for line in text.lines().map(str::trim_start) {
        if line.starts_with("Summary [") {
            tally.passed += number_before(line, " passed");
        } else if ["FAIL [", "TIMEOUT [", "ABORT [", "SIGABRT [", "SIGSEGV [", "LEAK-FAIL ["]
            .iter()
            .any(|p| line.starts_with(p))
        {
            let name = line.split_once(']').map_or(line, |(_, name)| name.trim()).to_owned();
            if !tally.failures.contains(&name) {
                tally.failures.push(name);
            }
        }
    }
    tally.passed = tally.passed.saturating_sub(tally.skips.len());
    tally
}

fn skips_at_run_time(text: &str) -> Vec<String> {
    text.lines().filter_map(|line| line.trim_start().strip_prefix("SKIPPED ")).map(str::to_owned).collect()
}

/// The number that stands right before `words`.
fn number_before(line: &str, words: &str) -> usize {
    let before = line.split(words).next().unwrap_or_default();
    let digits = before.len() - before.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    before[before.len() - digits..].parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_runners_are_read_line_by_line() {
        let tally = of_cases("PASS a\nnoise\nFAIL b: no answer\nSKIP c: no Python 2.7\n");
        assert_eq!((tally.passed, tally.failures.len(), tally.skips), (1, 1, vec!["c: no Python 2.7".to_owned()]));
    }

    #[test]
    fn nextest_is_read() {
        let text = "        FAIL [   0.003s] (1/3) xtask tidy::a\n  SKIPPED b: no root\n     Summary [   0.012s] 3 tests run: 2 passed (1 slow), 1 failed, 4 skipped\n        FAIL [   0.003s] (1/3) xtask tidy::a\n";
        let tally = of_nextest(text);
        assert_eq!((tally.passed, tally.failures.len(), tally.skips.len()), (1, 1, 1));
    }

    #[test]
    fn the_standard_harness_is_read() {
        let text = "test a ... ok\ntest b ... FAILED\ntest c ... ignored, needs root\ntest result: FAILED. 12 passed; 1 failed; 1 ignored; 0 measured\n";
        let tally = of_libtest(text);
        assert_eq!(
            (tally.passed, tally.failures, tally.skips),
            (12, vec!["b".to_owned()], vec!["c: needs root".to_owned()])
        );
    }

    #[test]
    fn silence_is_not_success() {
        assert_eq!(Tally::default().or_nothing_ran("fuzz").failures.len(), 1);
        assert_eq!(Tally::default().and_status("cargo", false).failures.len(), 1);
    }
}
