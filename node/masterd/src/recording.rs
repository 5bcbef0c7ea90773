//! Recordings of a master: every input it took, in a file, to be run again.
//!
//! With `TEPUI_RECORD=DIR` a master writes `DIR/master-<pid of the process>.inputs`. Secrets in headers are left out.

use crate::settings::{self, Settings};
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tepui_base::machine::Entry;
use tepui_base::record::{Bytes, Record, read_list, write_list};
use tepui_driver::{Recorder, ReplayError, open, replay};
use tepui_flags::Values;
use tepui_hooks::NoHooks;
use tepui_master::{Effect, Input, Master};
use tepui_wire::Upid;

/// Why a recording was not made or not run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be made or read.
    #[error("{path}: {source}", path = .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Not a recording of a master, or one of another version.
    #[error("{path}: not a recording of a master of this version", path = .path.display())]
    Foreign {
        /// Which file.
        path: PathBuf,
    },
    /// Its flags are not understood.
    #[error(transparent)]
    Flags(#[from] tepui_flags::Error),
    /// Its flags make no master.
    #[error(transparent)]
    Settings(#[from] settings::Error),
    /// It ends early, or holds something else.
    #[error(transparent)]
    Replay(#[from] ReplayError),
}

/// What a master must be made of to do the same again.
fn header(values: &Values, pid: &Upid, seed: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_list(&values.all().into_iter().collect::<Vec<_>>(), &mut bytes);
    pid.write(&mut bytes);
    seed.write(&mut bytes);
    bytes
}

pub(crate) fn start(dir: &Path, values: &Values, pid: &Upid, seed: u64) -> Result<Recorder<Input>, Error> {
    let path = dir.join(format!("master-{}.inputs", std::process::id()));
    let file = std::fs::create_dir_all(dir).and_then(|()| File::create(&path));
    let file = file.map_err(|source| Error::File { path: path.clone(), source })?;
    tracing::info!(path = %path.display(), "recording every input");
    Ok(Recorder::new(Box::new(BufWriter::new(file)), &header(values, pid, seed)))
}

/// Makes the master of a recording anew, runs every input through it, and shows each effect with the number of the input it
/// came from. Returns how many inputs and ticks there were.
pub fn run(path: &Path, mut see: impl FnMut(usize, &Effect)) -> Result<usize, Error> {
    let recording = std::fs::read(path).map_err(|source| Error::File { path: path.to_owned(), source })?;
    let (header, frames) = open(&recording)?;
    let mut bytes = Bytes(&header);
    let parts = read_list::<(String, String)>(&mut bytes)
        .and_then(|flags| Some((flags, Upid::read(&mut bytes)?, u64::read(&mut bytes)?)));
    let (flags, pid, seed) = parts.ok_or_else(|| Error::Foreign { path: path.to_owned() })?;
    let args: Vec<String> = flags.into_iter().map(|(name, value)| format!("--{name}={value}")).collect();
    let tables = [tepui_flags::master::FLAGS, tepui_flags::logging::FLAGS];
    let values = tepui_flags::parse(&tables, &args, &[], "MESOS_", &|file| std::fs::read_to_string(file))?;
    let config = Settings::new(values, |_| None)?.config(pid);
    let mut master = Master::new(config, seed, Arc::new(NoHooks));
    let see = |number, _, entry: Entry<Effect>| match entry {
        Entry::Free(effect) | Entry::Write(_, effect) | Entry::Lazy(effect) | Entry::After(_, effect) => {
            see(number, &effect)
        }
    };
    Ok(replay(frames, &mut master, see)?)
}
