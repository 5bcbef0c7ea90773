//! The log files of glog: one per severity, `PROGRAM.HOST.USER.log.SEVERITY.DATE-TIME.PID`, and a link
//! `PROGRAM.SEVERITY` to the newest, which `/files/read?path=/master/log` and the operators' habits look for.
//!
//! The file of a severity takes its lines and all graver ones; it is made when the first such line comes, INFO at once.
//! Lines are written when they are made and never buffered.

use super::glog::{civil, now};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// From least to gravest, as glog names them.
const SEVERITIES: [&str; 3] = ["INFO", "WARNING", "ERROR"];

/// Where the files are and what they are called.
struct Names {
    dir: PathBuf,
    program: String,
    /// `HOST.USER.log`
    middle: String,
    /// `DATE-TIME.PID`
    end: String,
}

/// The open files, by severity.
#[derive(Clone)]
pub struct Files(Arc<(Names, Mutex<[Option<File>; SEVERITIES.len()]>)>);

impl Files {
    /// Makes the directory if it is missing, and the INFO file.
    pub fn open(dir: &Path, program: &str) -> io::Result<Files> {
        std::fs::create_dir_all(dir)?;
        let host = nix::unistd::gethostname().map(|name| name.to_string_lossy().into_owned());
        let host = host.unwrap_or_else(|_| "unknown".to_owned());
        let user = nix::unistd::User::from_uid(nix::unistd::getuid()).ok().flatten();
        let user = user.map_or_else(|| "unknown".to_owned(), |user| user.name);
        let (year, month, day, [hour, minute, second]) = civil(now().as_secs());
        let names = Names {
            dir: dir.to_owned(),
            program: program.to_owned(),
            middle: format!("{host}.{user}.log"),
            end: format!("{year}{month:02}{day:02}-{hour:02}{minute:02}{second:02}.{}", std::process::id()),
        };
        let info = names.open(SEVERITIES[0])?;
        Ok(Files(Arc::new((names, Mutex::new([Some(info), None, None])))))
    }

    fn write(&self, severity: usize, line: &[u8]) -> io::Result<()> {
        let (names, files) = &*self.0;
        let mut files = files.lock().unwrap_or_else(PoisonError::into_inner);
        for (file, name) in files.iter_mut().zip(SEVERITIES).take(severity + 1) {
            if file.is_none() {
                *file = Some(names.open(name)?);
            }
            if let Some(file) = file {
                file.write_all(line)?;
            }
        }
        Ok(())
    }
}

impl Names {
    /// A new file of a severity; the link is moved to it.
    fn open(&self, severity: &str) -> io::Result<File> {
        let name = format!("{}.{}.{severity}.{}", self.program, self.middle, self.end);
        let mut file = OpenOptions::new().create(true).append(true).open(self.dir.join(&name))?;
        writeln!(file, "Log line format: [IWE]mmdd hh:mm:ss.uuuuuu threadid file:line] msg")?;
        let link = self.dir.join(format!("{}.{severity}", self.program));
        match std::fs::remove_file(&link) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => symlink(name, link)?,
        }
        Ok(file)
    }
}

/// One line on its way to the files.
pub struct Line<'a>(&'a Files, usize);

impl Write for Line<'_> {
    /// The whole line comes in one call: the formatting layer makes it in a buffer of its own.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.write(self.1, line)?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Files {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(self, 0)
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Line<'a> {
        Line(
            self,
            match *metadata.level() {
                Level::ERROR => 2,
                Level::WARN => 1,
                _ => 0,
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stands_in_the_file_of_its_severity_and_of_all_lesser_ones() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::open(&dir.path().join("logs"), "mesos-master").unwrap();
        let read = |severity| std::fs::read_to_string(dir.path().join("logs").join(format!("mesos-master.{severity}")));
        files.write(0, b"I one\n").unwrap();
        assert!(read("WARNING").is_err(), "made when it is needed");
        files.write(1, b"W two\n").unwrap();
        files.write(2, b"E three\n").unwrap();
        let lines = |severity| read(severity).unwrap().lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(lines("INFO"), ["I one", "W two", "E three"]);
        assert_eq!(lines("WARNING"), ["W two", "E three"]);
        assert_eq!(lines("ERROR"), ["E three"]);
    }

    #[test]
    fn the_link_names_the_newest_file() {
        let dir = tempfile::tempdir().unwrap();
        let first = Files::open(dir.path(), "p").unwrap();
        first.write(0, b"old\n").unwrap();
        let second = Files::open(dir.path(), "p").unwrap();
        second.0.0.open("INFO").unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2, "one process has one file, and a link to it");
        let names =
            Names { dir: dir.path().to_owned(), program: "p".into(), middle: "h.u.log".into(), end: "1.2".into() };
        names.open("INFO").unwrap();
        let text = std::fs::read_to_string(dir.path().join("p.INFO")).unwrap();
        assert!(!text.contains("old"), "{text}");
    }
}
