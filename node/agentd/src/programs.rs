//! Where the programs are that an agent starts: the command executor and the fetcher.
//!
//! They are this very program under another `argv[0]`. Without `--launcher_dir`, links with their names are made below
//! the runtime directory, so that executors and containerizer find them where Mesos would have them.

use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use tepui_agent::command_executor::PROGRAM;

/// Programs an agent starts.
const NAMES: [&str; 2] = [PROGRAM, "mesos-fetcher"];

/// Makes sure `dir` has links to `program` for all programs an agent starts, and gives the directory.
pub fn link(program: &Path, dir: PathBuf) -> io::Result<PathBuf> {
    std::fs::create_dir_all(&dir)?;
    for name in NAMES {
        let link = dir.join(name);
        if std::fs::read_link(&link).is_ok_and(|target| target == program) {
            continue;
        }
        // Made aside and moved, because another agent may be starting from the same link.
        let aside = dir.join(format!(".{name}.{}", std::process::id()));
        let _ = std::fs::remove_file(&aside);
        symlink(program, &aside)?;
        std::fs::rename(&aside, &link)?;
    }
    Ok(dir)
}

/// The command executor of a directory, without links, or why there is none.
pub fn command_executor(dir: &Path) -> Result<String, String> {
    let path = dir.join(PROGRAM).canonicalize().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => "No such file or directory".to_owned(),
        _ => error.to_string(),
    })?;
    Ok(path.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_the_program() {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("tepui");
        std::fs::write(&program, "").unwrap();
        for _ in 0..2 {
            link(&program, dir.path().join("launcher")).unwrap();
        }
        let found = command_executor(&dir.path().join("launcher")).unwrap();
        assert_eq!(Path::new(&found), program.canonicalize().unwrap());
        assert_eq!(command_executor(dir.path()), Err("No such file or directory".into()));
    }
}
