//! `mesos-log export` and `import`: a directory as lines of JSON that people can read and change, and back.
//!
//! What a line says is in [`super::lines`].

use super::lines::Lines;
use super::{Directory, Result, open};
use crate::output::unless_left;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::PathBuf;
use tepui_log::Restored;
use tepui_store::{Change, Durability, Options};

/// The flags of `export`.
#[derive(Clone, Debug, clap::Args)]
pub struct ExportArgs {
    #[command(flatten)]
    directory: Directory,
}

/// The flags of `import`.
#[derive(Clone, Debug, clap::Args)]
pub struct ImportArgs {
    #[command(flatten)]
    directory: Directory,
    /// File with what export printed [default: stdin]
    #[arg(long)]
    input: Option<PathBuf>,
}

pub fn export(args: &ExportArgs) -> Result<()> {
    let (store, _) = args.directory.look()?;
    let (mut out, mut lines) = (BufWriter::new(std::io::stdout().lock()), Lines::default());
    for pair in store.iterate() {
        let (key, value) = pair.map_err(|error| error.to_string())?;
        let printed = writeln!(out, "{}", lines.write(&key, &value)?);
        if printed.is_err() {
            return unless_left(printed).map_err(|error| error.to_string());
        }
    }
    unless_left(out.flush()).map_err(|error| error.to_string())
}

pub fn import(args: &ImportArgs) -> Result<()> {
    let path = &args.directory.path;
    let input: Box<dyn Read> = match &args.input {
        Some(file) => {
            Box::new(std::fs::File::open(file).map_err(|error| format!("cannot open {}: {error}", file.display()))?)
        }
        None => Box::new(std::io::stdin().lock()),
    };
    let mut lines = Lines::default();
    let pairs = BufReader::new(input).lines().enumerate().map(|(number, line)| {
        let line = line.map_err(|error| error.to_string())?;
        lines.read(&line).map_err(|why| format!("line {}: {why}", number + 1))
    });
    let pairs = pairs.collect::<Result<Vec<_>>>()?;
    // What would not be read again is not written.
    Restored::from_pairs(pairs.iter().map(|(key, value)| (key, value))).map_err(|error| error.to_string())?;
    let (mut store, _) = open(path, Options::default())?;
    if store.iterate().next().is_some() {
        return Err(format!("{} is not empty; import makes a new directory", path.display()));
    }
    let count = pairs.len();
    let changes: Vec<Change> = pairs.into_iter().map(|(key, value)| Change::Put(key, value)).collect();
    store.apply(&changes, Durability::Sync).map_err(|error| error.to_string())?;
    super::initialize::forget_reached(path)?;
    eprintln!("{count} records imported into {}", path.display());
    Ok(())
}
