//! Failover with real processes: three masters, agents with real tasks, and a real ZooKeeper, each on a host of its own.
//!
//! `failover` runs the drills ([`drills`]) and a short spell of chaos ([`chaos`]), `failover chaos` a longer one. Hosts are
//! network namespaces inside one of our own, so nothing outside is reached. Each case prints one line: `PASS name` or
//! `FAIL name: why`.

mod chaos;
mod daemon;
mod drills;
mod framework;
mod history;
mod house;
mod lab;
mod operator;
mod zookeeper;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use house::{Election, House};

const USAGE: &str = "\
usage: failover --tepui BINARY [--folder FOLDER] [--only CASE[,CASE]] [--seconds N] [--seed N]

  --tepui BINARY    the binary under test
  --folder FOLDER   where logs and work directories are kept (target/failover)
  --only CASE       these cases only
  --seconds N       how long the chaos lasts in each of its cases (20)
  --seed N          the dice of the chaos (1)
  --list            name the cases";

/// The two cases of chaos.
const CHAOS: [(&str, Election); 2] = [("chaos", Election::ZooKeeper), ("chaos-list", Election::List)];

struct Options {
    tepui: PathBuf,
    folder: PathBuf,
    only: Vec<String>,
    chaos: chaos::Settings,
}

fn main() -> ExitCode {
    match options().and_then(|options| options.map_or(Ok(true), |options| run(&options))) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("FAIL failover: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn options() -> Result<Option<Options>> {
    let mut options = Options {
        tepui: PathBuf::new(),
        folder: "target/failover".into(),
        only: Vec::new(),
        chaos: chaos::Settings { seconds: 20, seed: 1 },
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "--list" {
            drills::DRILLS.iter().for_each(|drill| println!("{:<20} {}", drill.name, drill.about));
            CHAOS.iter().for_each(|(name, election)| println!("{name:<20} random faults, {election:?}"));
            return Ok(None);
        }
        let value = arguments.next().with_context(|| format!("{argument}?\n{USAGE}"))?;
        match argument.as_str() {
            "--tepui" => options.tepui = std::path::absolute(value)?,
            "--folder" => options.folder = value.into(),
            "--only" => options.only = value.split(',').map(str::to_owned).collect(),
            "--seconds" => options.chaos.seconds = value.parse().context("--seconds wants a number")?,
            "--seed" => options.chaos.seed = value.parse().context("--seed wants a number")?,
            other => bail!("unknown argument {other}\n{USAGE}"),
        }
    }
    if options.tepui.as_os_str().is_empty() {
        bail!("--tepui is needed\n{USAGE}");
    }
    options.folder = std::path::absolute(&options.folder)?;
    Ok(Some(options))
}

/// Runs the cases. With more than one each gets a process of its own, and so a network of its own.
fn run(options: &Options) -> Result<bool> {
    let names = drills::DRILLS.iter().map(|drill| drill.name).chain(CHAOS.iter().map(|(name, _)| *name));
    let wanted: Vec<&str> =
        names.filter(|name| options.only.is_empty() || options.only.iter().any(|only| only == name)).collect();
    match wanted[..] {
        [] => bail!("no such case; --list names them"),
        [name] => one(options, name),
        _ => {
            let mut is_well = true;
            for name in wanted {
                let mut command = Command::new(std::env::current_exe()?);
                command.args(std::env::args_os().skip(1)).args(["--only", name]);
                is_well &= command.status()?.success();
            }
            Ok(is_well)
        }
    }
}

fn one(options: &Options, name: &str) -> Result<bool> {
    lab::enter()?;
    let folder = options.folder.join(format!("{name}-{}", std::process::id()));
    let start = Instant::now();
    let outcome = case(options, name, &folder);
    let took = start.elapsed().as_secs_f64();
    match &outcome {
        Ok(()) => println!("PASS {name} ({took:.1} s)"),
        Err(error) => println!("FAIL {name}: {error:#} ({took:.1} s, see {})", folder.display()),
    }
    if outcome.is_ok() {
        std::fs::remove_dir_all(&folder)?;
    }
    Ok(outcome.is_ok())
}

fn case(options: &Options, name: &str, folder: &Path) -> Result<()> {
    let drill = drills::DRILLS.iter().find(|drill| drill.name == name);
    let election = drill
        .map(|drill| drill.election)
        .or_else(|| CHAOS.iter().find(|(chaos, _)| *chaos == name).map(|(_, election)| *election));
    let mut house = House::start(&options.tepui, folder, election.context("no such case")?)?;
    match drill {
        Some(drill) => (drill.run)(&mut house)?,
        None => chaos::run(&mut house, &options.chaos)?,
    }
    house.stop()
}
