//! `cargo xtask mutants`: mutants of the core, each built into the simulator, which must find it.
//!
//! A mutant is a patch in `sim/mutants`, as `cargo mutants` prints them. Before the patch it says what it means and where it
//! is found: `What: a promise is forgotten`, `World: log`, `Seed: 7`, `Hours: 2`. Each is built in a copy of the tree, so that nothing
//! of the tree itself changes, and simulated with that seed; and the same seed must be clean without it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use crate::tidy::Finding;
use crate::tree::{self, File};

/// Where the patches are.
const FOLDER: &str = "sim/mutants/";

/// A trial without a mutant takes less than a minute.
const LIMIT_SECONDS: &str = "900";
/// What `timeout` ends with when it had to end what it ran.
const TIMED_OUT: i32 = 124;

/// One patch.
struct Mutant {
    name: String,
    file: PathBuf,
    what: String,
    trial: Trial,
}

/// Arguments of the simulator.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Trial {
    world: String,
    seed: String,
    hours: String,
}

/// How a trial ended.
enum Verdict {
    Clean,
    /// What the judges, or a panic, said first.
    Found(String),
}

/// Tries those whose name contains one of `names`; all, if there are none. Answers whether each was found.
pub fn run(root: &Path, names: &[String]) -> Result<bool> {
    let files = tree::files(root)?;
    let all = mutants(root, &files)?;
    let is_meant = |mutant: &&Mutant| names.is_empty() || names.iter().any(|name| mutant.name.contains(name));
    let chosen: Vec<&Mutant> = all.iter().filter(is_meant).collect();
    ensure!(!chosen.is_empty(), "no mutant in {FOLDER} has such a name");
    let place = Place::prepare(root, &files)?;
    place.build()?;
    let mut clean = BTreeMap::new();
    for mutant in &chosen {
        if !clean.contains_key(&mutant.trial) {
            clean.insert(mutant.trial.clone(), matches!(place.simulate(&mutant.trial)?, Verdict::Clean));
        }
    }
    let mut found = 0;
    for mutant in &chosen {
        let is_clean = clean.get(&mutant.trial).copied().unwrap_or_default();
        match place.judge(mutant, is_clean) {
            Ok(is_found) => found += usize::from(is_found),
            Err(error) => println!("BROKEN {}: {error:#}", mutant.name),
        }
    }
    println!("mutants: {found} of {} found", chosen.len());
    Ok(found == chosen.len())
}

fn mutants(root: &Path, files: &[File]) -> Result<Vec<Mutant>> {
    let patches = files.iter().filter(|file| file.path.starts_with(FOLDER) && file.is("patch"));
    patches.map(|file| parse(root, file).with_context(|| file.path.clone())).collect()
}

fn parse(root: &Path, file: &File) -> Result<Mutant> {
    let text = file.text.as_deref().context("it is not text")?;
    let field = |name: &str| {
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        value.map(str::to_owned).with_context(|| format!("it has no line '{name}: ...' before its patch"))
    };
    let trial = Trial { world: field("World")?, seed: field("Seed")?, hours: field("Hours")? };
    let path = root.join(&file.path);
    let name = path.file_stem().context("it has no name")?.to_string_lossy().into_owned();
    Ok(Mutant { name, file: path, what: field("What")?, trial })
}

/// Patches that cannot be tried any more.
pub fn check(root: &Path, files: &[File]) -> Vec<Finding> {
    let patches = files.iter().filter(|file| file.path.starts_with(FOLDER));
    let broken = patches.filter_map(|file| {
        let tried = parse(root, file).and_then(|mutant| apply(root, &mutant, &["--check"]));
        tried.err().map(|error| Finding::new(&file.path, 0, format!("{error:#}; make it anew, or remove it")))
    });
    broken.collect()
}

fn apply(tree: &Path, mutant: &Mutant, how: &[&str]) -> Result<()> {
    // A copy of the tree is not a repository of its own; git must not look for the one around it.
    let around = tree.parent().unwrap_or(tree);
    let mut command = Command::new("git");
    command.current_dir(tree).env("GIT_CEILING_DIRECTORIES", around).args(["apply", "--whitespace=nowarn"]);
    let ended = command.args(how).arg(&mutant.file).output().context("git")?;
    ensure!(ended.status.success(), "it does not fit the tree: {}", String::from_utf8_lossy(&ended.stderr).trim());
    Ok(())
}

/// Removes the files below `folder` whose path from `top` is not among these. The copy's lock file is cargo's, and tracked.
fn remove_others(top: &Path, folder: &Path, paths: &BTreeSet<&str>) -> Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_others(top, &entry.path(), paths)?;
        } else if !paths.contains(&*entry.path().strip_prefix(top)?.to_string_lossy()) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// A copy of the tree, with build output of its own beside it.
struct Place {
    tree: PathBuf,
    target: PathBuf,
}

impl Place {
    /// What has not changed since the last time keeps its date, so that it is not built again; what is gone is removed.
    fn prepare(root: &Path, files: &[File]) -> Result<Place> {
        let folder = root.join("target/xtask-mutants");
        let place = Place { tree: folder.join("tree"), target: folder.join("target") };
        remove_others(&place.tree, &place.tree, &files.iter().map(|file| file.path.as_str()).collect())?;
        for file in files {
            let (from, to) = (root.join(&file.path), place.tree.join(&file.path));
            let bytes = std::fs::read(from)?;
            if std::fs::read(&to).is_ok_and(|old| old == bytes) {
                continue;
            }
            std::fs::create_dir_all(to.parent().context("a file has a folder")?)?;
            std::fs::write(to, bytes)?;
        }
        Ok(place)
    }

    fn build(&self) -> Result<()> {
        let mut command = tree::cargo(&self.tree);
        command.env("CARGO_TARGET_DIR", &self.target);
        // A mutant leaves much unused, of which nobody wants to hear.
        let ended =
            command.args(["build", "--quiet", "--profile", "mutants", "-p", "sim"]).output().context("cargo")?;
        ensure!(ended.status.success(), "the simulator does not build:\n{}", String::from_utf8_lossy(&ended.stderr));
        Ok(())
    }

    fn simulate(&self, trial: &Trial) -> Result<Verdict> {
        let Trial { world, seed, hours } = trial;
        let mut command = Command::new("timeout");
        command.arg(LIMIT_SECONDS).arg(self.target.join("mutants/sim"));
        command.args(["--world", world, "--seed", seed, "--hours", hours]).stdin(Stdio::null());
        let ended = command.output().context("the simulator")?;
        let text = format!("{}{}", String::from_utf8_lossy(&ended.stderr), String::from_utf8_lossy(&ended.stdout));
        let said = text.lines().find(|line| line.starts_with("seed ") || line.contains("panicked at"));
        match said {
            _ if ended.status.code() == Some(TIMED_OUT) => Ok(Verdict::Found("it does not end".to_owned())),
            None if ended.status.success() => Ok(Verdict::Clean),
            Some(said) if !ended.status.success() => Ok(Verdict::Found(said.to_owned())),
            _ => bail!("the simulator ended with {} and said\n{text}", ended.status),
        }
    }

    /// Whether the simulator finds a mutant; says so.
    fn judge(&self, mutant: &Mutant, is_clean: bool) -> Result<bool> {
        let (Mutant { name, what, .. }, Trial { world, seed, .. }) = (mutant, &mutant.trial);
        if !is_clean {
            println!("UNKNOWN {name}: seed {seed} of the {world} world is not clean without it");
            return Ok(false);
        }
        let start = Instant::now();
        apply(&self.tree, mutant, &[])?;
        let verdict = self.build().and_then(|()| self.simulate(&mutant.trial));
        apply(&self.tree, mutant, &["--reverse"])?;
        let took = start.elapsed().as_secs();
        let (word, said) = match verdict? {
            Verdict::Found(said) => ("found", said),
            Verdict::Clean => ("MISSED", "no judge objects".to_owned()),
        };
        println!("{word} {name} ({what}) in the {world} world with seed {seed}, {took} s: {said}");
        Ok(word == "found")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patch(text: &str) -> File {
        File { path: "sim/mutants/log-promise.patch".to_owned(), text: Some(text.to_owned()) }
    }

    #[test]
    fn a_patch_says_what_it_means_and_where_it_is_found() {
        let text = "What: a promise is forgotten\nWorld: log\nSeed: 7\nHours: 2\n\n--- a/x\n+++ b/x\n";
        let mutant = parse(Path::new("/tree"), &patch(text)).unwrap();
        assert_eq!((mutant.name.as_str(), mutant.what.as_str()), ("log-promise", "a promise is forgotten"));
        let Trial { world, seed, hours } = mutant.trial;
        assert_eq!([world, seed, hours], ["log", "7", "2"]);
        let error = parse(Path::new("/tree"), &patch(&text.replace("Seed: 7\n", ""))).map(|_| ()).unwrap_err();
        assert_eq!(error.to_string(), "it has no line 'Seed: ...' before its patch");
    }

    #[test]
    fn the_copy_has_what_the_tree_has_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let file = |path: &str| File { path: path.to_owned(), text: None };
        write("a/kept.rs", "1");
        write("a/gone.rs", "2");
        let place = Place::prepare(root.path(), &[file("a/kept.rs"), file("a/gone.rs")]).unwrap();
        let kept = place.tree.join("a/kept.rs");
        let before = std::fs::metadata(&kept).unwrap().modified().unwrap();
        write("b/new.rs", "3");
        Place::prepare(root.path(), &[file("a/kept.rs"), file("b/new.rs")]).unwrap();
        assert!(!place.tree.join("a/gone.rs").exists());
        assert_eq!(std::fs::read_to_string(place.tree.join("b/new.rs")).unwrap(), "3");
        assert_eq!(std::fs::metadata(&kept).unwrap().modified().unwrap(), before, "what is as it was is not written");
    }
}
