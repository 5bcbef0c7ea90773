//! File sizes: one idea each. 600 lines is a note, 1,000 is the end; a list of exceptions may only shrink.

use super::Finding;
use crate::tree::File;

/// Above this a file is mentioned, so that its author thinks of a cut.
const SOFT_LINES: usize = 600;
/// Above this a file is refused.
const HARD_LINES: usize = 1000;
/// Files that were longer when the rule came, with the length each may not exceed: `path lines`.
const EXCEPTIONS: &str = "xtask/long-files.txt";

/// Refuses files beyond the hard limit and exceptions that are stale.
pub fn check(files: &[File]) -> Vec<Finding> {
    let exceptions = files.iter().find(|f| f.path == EXCEPTIONS).and_then(|f| f.text.as_deref()).unwrap_or_default();
    let mut findings = Vec::new();
    for (path, lines) in lengths(files).filter(|(_, lines)| *lines > HARD_LINES) {
        match allowed(exceptions, path) {
            Some(limit) if lines <= limit => {}
            Some(limit) => findings.push(Finding::new(
                path,
                limit,
                format!("{lines} lines, excused up to {limit}; the list may only shrink, so cut the file"),
            )),
            None => findings.push(Finding::new(
                path,
                HARD_LINES,
                format!("{lines} lines, the limit is {HARD_LINES}; cut it into files of one idea each"),
            )),
        }
    }
    for (number, line) in exceptions.lines().enumerate().filter(|(_, l)| !l.starts_with('#') && !l.trim().is_empty()) {
        let path = line.split_whitespace().next().unwrap_or_default();
        let now = lengths(files).find(|(p, _)| *p == path).map_or(0, |(_, lines)| lines);
        if now <= HARD_LINES || allowed(exceptions, path).is_some_and(|limit| limit > now) {
            findings.push(Finding::new(
                EXCEPTIONS,
                number + 1,
                format!("{path} has {now} lines now; lower its number, or remove the line below {HARD_LINES}"),
            ));
        }
    }
    findings
}

/// Files above the soft limit.
pub fn notices(files: &[File]) -> Vec<String> {
    let long = lengths(files).filter(|(_, lines)| *lines > SOFT_LINES);
    long.map(|(path, lines)| format!("{path} has {lines} lines (soft limit {SOFT_LINES})")).collect()
}

fn lengths(files: &[File]) -> impl Iterator<Item = (&str, usize)> {
    let ours = files.iter().filter(|f| f.is("rs") || f.is("py"));
    ours.filter_map(|f| Some((f.path.as_str(), f.text.as_ref()?.lines().count())))
}

fn allowed(exceptions: &str, path: &str) -> Option<usize> {
    let line = exceptions.lines().find(|l| l.split_whitespace().next() == Some(path))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, lines: usize) -> File {
        File { path: path.to_owned(), text: Some("x\n".repeat(lines)) }
    }

    #[test]
    fn long_files_are_refused_and_exceptions_only_shrink() {
        let list = |text: &str| File { path: EXCEPTIONS.to_owned(), text: Some(text.to_owned()) };
        assert_eq!(check(&[file("a.rs", 1000)]), []);
        assert_eq!(check(&[file("a.rs", 1001)]).len(), 1);
        assert_eq!(check(&[file("a.rs", 1200), list("a.rs 1200\n")]), []);
        assert_eq!(check(&[file("a.rs", 1201), list("a.rs 1200\n")]).len(), 1, "grew");
        assert_eq!(check(&[file("a.rs", 1100), list("a.rs 1200\n")]).len(), 1, "shrank without the list");
        assert_eq!(check(&[file("a.rs", 900), list("a.rs 1200\n")]).len(), 1, "needs no excuse any more");
        assert_eq!(notices(&[file("a.rs", 601), file("b.rs", 600)]).len(), 1);
    }
}
