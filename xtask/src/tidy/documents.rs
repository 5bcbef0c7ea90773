//! Documents: the map names every crate, and every link leads somewhere.

use std::collections::BTreeSet;

use super::Finding;
use crate::tree::{Crate, File};

const MAP: &str = "ARCHITECTURE.md";

/// Checks the code map and all links between Markdown files.
pub fn check(files: &[File], crates: &[Crate]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let map = files.iter().find(|f| f.path == MAP).and_then(|f| f.text.as_deref());
    match map {
        None => findings.push(Finding::new(MAP, 0, "there is no code map; write it")),
        Some(map) => {
            let missing = crates.iter().filter(|c| !map.contains(&c.folder));
            findings.extend(missing.map(|c| {
                Finding::new(MAP, 0, format!("{} is not on the map; add a line that says what it is for", c.folder))
            }));
        }
    }
    let places = places(files);
    for file in files.iter().filter(|f| f.is("md")) {
        let text = file.text.as_deref().unwrap_or_default();
        for (line, target) in links(text) {
            let path = target.split('#').next().unwrap_or_default();
            if !path.is_empty() && !places.contains(&resolve(&file.path, path)) {
                findings.push(Finding::new(
                    &file.path,
                    line,
                    format!("the link to {target} leads nowhere; correct or remove it"),
                ));
            }
        }
    }
    findings
}

/// Every file and every folder that holds one.
fn places(files: &[File]) -> BTreeSet<String> {
    let mut places = BTreeSet::new();
    for file in files {
        let mut path = file.path.as_str();
        places.insert(path.to_owned());
        while let Some((folder, _)) = path.rsplit_once('/') {
            places.insert(folder.to_owned());
            path = folder;
        }
    }
    places
}

/// Targets of `[text](target)` outside code blocks that point into the repository, with their lines.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut code = false;
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            code = !code;
        }
        let spans = line.split('`').step_by(2);
        for target in
            spans.filter(|_| !code).flat_map(|span| span.split("](").skip(1)).filter_map(|rest| rest.split(')').next())
        {
            let target = target.split_whitespace().next().unwrap_or_default();
            if !target.contains("://") && !target.starts_with("mailto:") {
                found.push((number + 1, target));
            }
        }
    }
    found
}

/// A link's path from the top, given the file it stands in.
fn resolve(from: &str, link: &str) -> String {
    let mut parts: Vec<&str> = if link.starts_with('/') { Vec::new() } else { from.split('/').collect() };
    parts.pop();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn markdown(path: &str, text: &str) -> File {
        File { path: path.into(), text: Some(text.into()) }
    }

    #[test]
    fn links_lead_somewhere() {
        let map = markdown(
            MAP,
            "see [adr](docs/adr/1.md#why), [folder](docs/adr), [web](https://example.org)\n```\n[x](nowhere)\n```\n",
        );
        let adr = markdown("docs/adr/1.md", "[up](../../ARCHITECTURE.md) `[x](no)`");
        assert_eq!(check(&[map, adr], &[]), []);
        assert_eq!(check(&[markdown(MAP, "[a](b.md)")], &[]).len(), 1);
    }

    #[test]
    fn every_crate_is_on_the_map() {
        let crates = [Crate { folder: "core/base".into(), dependencies: Vec::new() }];
        assert_eq!(check(&[markdown(MAP, "nothing")], &crates).len(), 1);
        assert_eq!(check(&[markdown(MAP, "- `core/base`: ids")], &crates), []);
    }
}
