//! `cargo xtask tidy`: the rules of the house that a machine can read.
//!
//! Each rule is a pure function from the repository's files to findings; each finding names a place and a remedy.
//! Function length and arguments are left to clippy (`clippy.toml`), layout to rustfmt.

use std::path::Path;
use std::time::Instant;

use anyhow::Result;

use crate::tree::{self, File};

mod apis;
mod documents;
mod layers;
mod manifests;
mod names;
mod sizes;

/// One broken rule.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The file, from the repository's top.
    pub path: String,
    /// The line, from one; zero when the whole file is meant.
    pub line: usize,
    /// What is wrong, and after a semicolon what to do instead.
    pub text: String,
}

impl Finding {
    /// A finding at a line of a file.
    pub fn new(path: &str, line: usize, text: impl Into<String>) -> Finding {
        Finding { path: path.to_owned(), line, text: text.into() }
    }
}

/// Checks the repository and prints what is wrong. Answers whether nothing is.
pub fn run(root: &Path) -> Result<bool> {
    let start = Instant::now();
    let files = tree::files(root)?;
    let workspace = tree::workspace(root)?;
    let mut findings = layers::check(&workspace.crates);
    findings.extend(manifests::check(&files));
    findings.extend(sizes::check(&files));
    findings.extend(names::check(&files));
    findings.extend(apis::check(&files));
    findings.extend(documents::check(&files, &workspace.crates));
    findings.extend(crate::mutants::check(root, &files));
    findings.sort();
    for finding in &findings {
        println!("{}:{}: {}", finding.path, finding.line, finding.text);
    }
    for notice in sizes::notices(&files) {
        println!("note: {notice}");
    }
    let took = start.elapsed().as_millis();
    println!("tidy: {} files, {} crates, {} findings, {took} ms", files.len(), workspace.crates.len(), findings.len());
    Ok(findings.is_empty())
}

/// The Rust files, read as code: `(file, source)`.
fn rust(files: &[File]) -> impl Iterator<Item = (&File, crate::source::Source)> {
    files.iter().filter(|f| f.is("rs")).filter_map(|file| {
        let text = file.text.as_deref()?;
        let test_file = file.path.split('/').any(|part| part == "tests.rs" || part == "tests")
            && !file.path.starts_with("tests/interop/src")
            && !file.path.starts_with("tests/zookeeper/src")
            && !file.path.starts_with("tests/failover/src")
            && !file.path.starts_with("tests/fuzz/src");
        Some((file, crate::source::Source::new(text, test_file)))
    })
}
