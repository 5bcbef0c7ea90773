//! Dependencies: each stands once, in the root manifest, under a comment that says what it is worth.

use super::Finding;
use crate::tree::File;

/// Checks the root manifest's reasons, and that members take their dependencies from it.
pub fn check(files: &[File]) -> Vec<Finding> {
    let manifests = files.iter().filter(|f| f.path == "Cargo.toml" || f.path.ends_with("/Cargo.toml"));
    let mut findings = Vec::new();
    for file in manifests {
        let text = file.text.as_deref().unwrap_or_default();
        if file.path == "Cargo.toml" {
            findings.extend(reasons(&file.path, text));
        } else {
            findings.extend(inherited(&file.path, text));
        }
    }
    findings
}

/// Lines of `[section]` tables whose header satisfies `wanted`, numbered from one.
fn section<'t>(text: &'t str, wanted: impl Fn(&str) -> bool + 't) -> impl Iterator<Item = (usize, &'t str)> {
    let mut inside = false;
    text.lines().enumerate().filter_map(move |(number, line)| {
        if line.starts_with('[') {
            inside = wanted(line.trim());
            return None;
        }
        inside.then_some((number + 1, line.trim()))
    })
}

/// A group of dependencies may share one reason; a blank line ends the group.
fn reasons(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut explained = false;
    for (number, line) in section(text, |header| header == "[workspace.dependencies]") {
        if line.is_empty() {
            explained = false;
        } else if line.starts_with('#') {
            explained = true;
        } else if !explained {
            let name = line.split(['=', ' ']).next().unwrap_or_default();
            findings.push(Finding::new(
                path,
                number,
                format!("`{name}` has no reason; say in a comment above what it is worth"),
            ));
        }
    }
    findings
}

fn inherited(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, line) in section(text, |header| header.trim_end_matches(']').ends_with("dependencies")) {
        if !line.is_empty() && !line.starts_with('#') && !line.contains("workspace = true") {
            findings.push(Finding::new(
                path,
                number,
                format!("`{line}`; name it in [workspace.dependencies] and write `.workspace = true` here"),
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_dependency_has_a_reason_and_one_place() {
        let root = |text: &str| check(&[File { path: "Cargo.toml".into(), text: Some(text.into()) }]).len();
        assert_eq!(root("[workspace.dependencies]\n# Why.\na = \"1\"\nb = \"1\"\n"), 0);
        assert_eq!(root("[workspace.dependencies]\n# Why.\na = \"1\"\n\nb = \"1\"\n"), 1);
        let member = |text: &str| check(&[File { path: "x/Cargo.toml".into(), text: Some(text.into()) }]).len();
        assert_eq!(
            member("[dependencies]\na.workspace = true\nb = { workspace = true, features = [] }\n[lints]\nx = 1\n"),
            0
        );
        assert_eq!(member("[dev-dependencies]\na = \"1\"\n"), 1);
    }
}
