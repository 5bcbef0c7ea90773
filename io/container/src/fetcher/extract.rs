//! Unpacking what was fetched, with the tools of the machine.

use std::fs::File;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use tepui_base::WaitStatus;

const TAR: [&str; 7] = [".tar", ".tgz", ".tar.gz", ".tbz2", ".tar.bz2", ".txz", ".tar.xz"];

/// Why an archive was not unpacked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The tool is not there, or a file cannot be opened.
    #[error("Failed to extract '{path}': '{command}' failed: {source}")]
    Start {
        /// The archive.
        path: String,
        /// The tool with its arguments.
        command: String,
        /// What the system said.
        source: io::Error,
    },
    /// The tool failed; its words are in the sandbox's `stderr`.
    #[error("Failed to extract '{path}': '{command}' failed: {status}")]
    Failed {
        /// The archive.
        path: String,
        /// The tool with its arguments.
        command: String,
        /// How it ended.
        status: WaitStatus,
    },
}

/// Unpacks `path` into `directory` if its name is that of an archive; `false` if it is not.
pub fn extract(path: &Path, directory: &Path) -> Result<bool, Error> {
    let name = path.to_string_lossy();
    let ends = |suffixes: &[&str]| suffixes.iter().any(|suffix| name.ends_with(suffix));
    let target = directory.to_string_lossy();
    if ends(&TAR) {
        run(&name, &["tar", "-C", &target, "-xf", &name], None)?;
    } else if ends(&[".zip"]) {
        run(&name, &["unzip", "-o", "-q", "-d", &target, &name], None)?;
    } else if let Some(inner) = name.strip_suffix(".gz") {
        let output = directory.join(Path::new(inner).file_name().unwrap_or_default());
        run(&name, &["gunzip", "-d", "-c"], Some(&output))?;
    } else {
        return Ok(false);
    }
    Ok(true)
}

/// Runs a tool; with `output`, from the archive into that file.
fn run(path: &str, command: &[&str], output: Option<&Path>) -> Result<(), Error> {
    let failed = |source| Error::Start { path: path.to_owned(), command: command.join(" "), source };
    let mut tool = Command::new(command[0]);
    tool.args(&command[1..]).stdin(Stdio::null());
    if let Some(output) = output {
        tool.stdin(File::open(path).map_err(failed)?).stdout(File::create(output).map_err(failed)?);
    }
    let status = WaitStatus(tool.status().map_err(failed)?.into_raw());
    if status.is_success() {
        return Ok(());
    }
    Err(Error::Failed { path: path.to_owned(), command: command.join(" "), status })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn archives_are_known_by_name() {
        let root = tempfile::tempdir().unwrap();
        let (box_, from) = (root.path().join("box"), root.path().join("from"));
        fs::create_dir_all(&box_).unwrap();
        fs::create_dir_all(&from).unwrap();
        fs::write(from.join("a"), "in tar").unwrap();
        let archive = root.path().join("x.tar.gz");
        let made = Command::new("tar").arg("-C").arg(&from).arg("-czf").arg(&archive).arg("a").status();
        assert!(made.unwrap().success());
        assert!(extract(&archive, &box_).unwrap());
        assert_eq!(fs::read(box_.join("a")).unwrap(), b"in tar");
        let plain = root.path().join("plain.txt");
        fs::write(&plain, "text").unwrap();
        assert!(!extract(&plain, &box_).unwrap());
    }

    /// The issue: the fetcher died of a file name in an archive.
    #[test]
    fn mesos_9393_names_in_an_archive_need_not_be_ascii() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt;
        let root = tempfile::tempdir().unwrap();
        let (box_, from) = (root.path().join("box"), root.path().join("from"));
        fs::create_dir_all(&box_).unwrap();
        fs::create_dir_all(&from).unwrap();
        // The second is no UTF-8 at all.
        let names = [OsStr::new("naïve-日本"), OsStr::from_bytes(b"latin-\xe9")];
        names.iter().for_each(|name| fs::write(from.join(name), "inside").unwrap());
        let archive = root.path().join("архив.tar.gz");
        let made = Command::new("tar").arg("-C").arg(&from).arg("-czf").arg(&archive).args(names).status();
        assert!(made.unwrap().success());
        assert!(extract(&archive, &box_).unwrap());
        for name in names {
            assert_eq!(fs::read(box_.join(name)).unwrap(), b"inside");
        }
    }

    #[test]
    fn a_single_file_is_unpacked_under_its_own_name() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("b"), "zipped").unwrap();
        assert!(Command::new("gzip").arg(root.path().join("b")).status().unwrap().success());
        assert!(extract(&root.path().join("b.gz"), root.path()).unwrap());
        assert_eq!(fs::read(root.path().join("b")).unwrap(), b"zipped");
    }

    #[test]
    fn a_broken_archive_says_so() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("broken.gz");
        fs::write(&path, "not zipped").unwrap();
        let error = extract(&path, root.path()).unwrap_err().to_string();
        assert!(error.ends_with("'gunzip -d -c' failed: exited with status 1"), "{error}");
    }
}
