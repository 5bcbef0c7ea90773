//! Words: names that say nothing, and the name Mesos gave agents before 1.0.

use super::{Finding, rust};
use crate::tree::File;

/// Names under which anything can be put, and therefore nothing found.
const EMPTY_NAMES: [&str; 9] = ["util", "utils", "common", "helper", "helpers", "misc", "manager", "managers", "stuff"];

/// Checks file names, module names and identifiers.
pub fn check(files: &[File]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let ours = files.iter().filter(|f| !f.path.starts_with("proto/") && !f.path.starts_with("tests/golden/"));
    for file in ours {
        let words = file.path.split(['/', '.', '_', '-']);
        if let Some(word) = words.into_iter().find(|word| EMPTY_NAMES.contains(word)) {
            findings.push(Finding::new(
                &file.path,
                0,
                format!("`{word}` names nothing; call the file after the idea it holds"),
            ));
        }
    }
    for (file, source) in rust(files) {
        for (number, line, _) in source.numbered() {
            findings.extend(identifiers(line).filter_map(|name| complaint(&file.path, number, name)));
        }
    }
    findings
}

fn complaint(path: &str, line: usize, name: &str) -> Option<Finding> {
    if name.to_lowercase().contains("slave") {
        let text = format!("`{name}`: agents are agents in code; the old word belongs in strings and V0 tables only");
        return Some(Finding::new(path, line, text));
    }
    let empty = name.ends_with("Manager") || name.ends_with("Helper") || name.ends_with("Utils");
    empty.then(|| Finding::new(path, line, format!("`{name}` says what it is not; name what it does")))
}

fn identifiers(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rust_file(path: &str, text: &str) -> File {
        File { path: path.to_owned(), text: Some(text.to_owned()) }
    }

    #[test]
    fn the_old_word_lives_in_strings_and_comments_only() {
        assert_eq!(check(&[rust_file("a.rs", "// slave\nconst A: &str = \"slave_id\";")]), []);
        assert_eq!(check(&[rust_file("a.rs", "let slave_id = 1;")]).len(), 1);
    }

    #[test]
    fn names_that_say_nothing_are_refused() {
        assert_eq!(check(&[rust_file("core/utils.rs", ""), rust_file("core/x/string_helpers.rs", "")]).len(), 2);
        assert_eq!(check(&[rust_file("core/a.rs", "struct TaskManager;")]).len(), 1);
        assert_eq!(check(&[rust_file("core/commonmark.rs", "")]), []);
    }
}
