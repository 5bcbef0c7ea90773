//! What the repository holds: its files, and its crates with the edges between them.
//!
//! Git and cargo are asked instead of walking folders, so that build output and ignored files never count.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// A file that is tracked, or would be if it were added now.
pub struct File {
    /// The path from the repository's top, with `/` between its parts.
    pub path: String,
    /// The content; a file that is not UTF-8 (golden bytes) has none.
    pub text: Option<String>,
}

impl File {
    /// Whether the name ends in this extension (without its dot).
    pub fn is(&self, extension: &str) -> bool {
        Path::new(&self.path).extension().is_some_and(|e| e == extension)
    }
}

/// Reads every file of the repository.
pub fn files(root: &Path) -> Result<Vec<File>> {
    let listing = Command::new("git")
        .current_dir(root)
        .args(["ls-files", "-z", "-co", "--exclude-standard"])
        .output()
        .context("git")?;
    ensure!(listing.status.success(), "git ls-files: {}", String::from_utf8_lossy(&listing.stderr).trim());
    let mut files = Vec::new();
    for path in String::from_utf8(listing.stdout)?.split('\0').filter(|p| !p.is_empty()) {
        // A file deleted but not yet committed is still listed.
        let Ok(bytes) = std::fs::read(root.join(path)) else { continue };
        files.push(File { path: path.to_owned(), text: String::from_utf8(bytes).ok() });
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files.dedup_by(|a, b| a.path == b.path);
    Ok(files)
}

/// Cargo, in a folder.
///
/// `cargo xtask` gives us the variables that describe the xtask package. Handed on, they would look to the inner cargo
/// like a change of every crate that reads one of them, and each run would build half the workspace anew.
pub fn cargo(folder: &Path) -> Command {
    const OF_THE_OUTER_PACKAGE: [&str; 5] =
        ["CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_BIN_", "CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE"];
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(folder).env("CARGO_TERM_COLOR", "never");
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if OF_THE_OUTER_PACKAGE.iter().any(|start| text.starts_with(start)) {
            command.env_remove(&name);
        }
    }
    command
}

/// One crate of the workspace.
pub struct Crate {
    /// Its folder from the repository's top, as in `core/base`.
    pub folder: String,
    /// What it depends on, of any kind (normal, development, build).
    pub dependencies: Vec<Dependency>,
}

/// One line of a crate's dependency tables.
pub struct Dependency {
    /// The package's name.
    pub name: String,
    /// The folder from the repository's top, if the package is ours.
    pub folder: Option<String>,
    /// Whether the shipped code needs it; tests and build scripts run elsewhere.
    pub normal: bool,
}

/// The workspace as cargo reads it.
pub struct Workspace {
    /// Every member, by folder.
    pub crates: Vec<Crate>,
    /// Where build output goes.
    pub target: std::path::PathBuf,
}

/// Asks cargo for the members and their declared dependencies; nothing is resolved or fetched.
pub fn workspace(root: &Path) -> Result<Workspace> {
    let answer = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .current_dir(root)
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .output()
        .context("cargo metadata")?;
    ensure!(answer.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&answer.stderr).trim());
    let metadata: Value = serde_json::from_slice(&answer.stdout)?;
    let inside = |path: &Value| Some(Path::new(path.as_str()?).strip_prefix(root).ok()?.to_str()?.to_owned());
    let mut crates = Vec::new();
    for package in metadata["packages"].as_array().context("no packages")? {
        let manifest = inside(&package["manifest_path"]).context("a member outside the repository")?;
        let dependencies = package["dependencies"].as_array().into_iter().flatten().map(|d| Dependency {
            name: d["name"].as_str().unwrap_or_default().to_owned(),
            folder: inside(&d["path"]),
            normal: d["kind"].is_null(),
        });
        crates.push(Crate {
            folder: manifest.trim_end_matches("/Cargo.toml").to_owned(),
            dependencies: dependencies.collect(),
        });
    }
    crates.sort_by(|a, b| a.folder.cmp(&b.folder));
    let target = metadata["target_directory"].as_str().context("no target directory")?.into();
    Ok(Workspace { crates, target })
}
