//! Failover with real processes: several masters or one, agents with real tasks, and a real ZooKeeper, each on a host of its own.
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
mod kills;
mod lab;
mod operator;
mod zookeeper;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use house::{Election, House, Twist};
use interop::process::install_packages;

const USAGE: &str = "\
usage: failover --tepui BINARY [--folder FOLDER] [--only CASE[,CASE]] [--seconds N] [--seed N] [--kills N]

  --tepui BINARY    the binary under test
  --folder FOLDER   where logs and work directories are kept (target/failover)
  --only CASE       these cases only
  --seconds N       how long the chaos lasts in each of its cases (20)
  --seed N          the dice of the chaos (1)
  --kills N         how often the leader is killed in the cases of kills (5)
  --list            name the cases";

/// What is done for a time that is chosen.
#[derive(Clone, Copy)]
enum Spell {
    /// Random faults.
    Chaos,
    /// The leader is killed between a write and its acknowledgement.
    Kills,
}

impl Spell {
    fn about(self) -> &'static str {
        match self {
            Spell::Chaos => "random faults",
            Spell::Kills => "the leader killed between a write and its acknowledgement, again and again",
        }
    }
}

/// The cases of random faults and of kills.
const SPELLS: [(&str, Election, Spell); 4] = [
    ("kills", Election::ZooKeeper, Spell::Kills),
    ("kills-list", Election::List, Spell::Kills),
    ("chaos", Election::ZooKeeper, Spell::Chaos),
    ("chaos-list", Election::List, Spell::Chaos),
];

struct Options {
    tepui: PathBuf,
    folder: PathBuf,
    only: Vec<String>,
    chaos: chaos::Settings,
    kills: u32,
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
        kills: 5,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "--list" {
            drills::DRILLS.iter().for_each(|drill| println!("{:<20} {}", drill.name, drill.about));
            for (name, election, spell) in SPELLS {
                println!("{name:<20} {}, {election:?}", spell.about());
            }
            return Ok(None);
        }
        if matches!(argument.as_str(), "--help" | "-h") {
            println!("{USAGE}");
            return Ok(None);
        }
        let value = arguments.next().with_context(|| format!("{argument}?\n{USAGE}"))?;
        match argument.as_str() {
            "--tepui" => options.tepui = std::path::absolute(value)?,
            "--folder" => options.folder = value.into(),
            "--only" => options.only = value.split(',').map(str::to_owned).collect(),
            "--seconds" => options.chaos.seconds = value.parse().context("--seconds wants a number")?,
            "--kills" => options.kills = value.parse().context("--kills wants a number")?,
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
    let names = drills::DRILLS.iter().map(|drill| drill.name).chain(SPELLS.iter().map(|(name, ..)| *name));
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

/// What must be there before there is a network of our own, from which nothing can be fetched.
fn install(options: &Options) -> Result<()> {
    let programs = [("zookeeper", zookeeper::JAR), ("zookeeper", zookeeper::CLIENT), ("iproute2", lab::IP)];
    let missing: Vec<&str> =
        programs.iter().filter(|(_, path)| !Path::new(path).exists()).map(|(package, _)| *package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    std::fs::create_dir_all(&options.folder)?;
    install_packages(&missing, &options.folder.join("apt.log"))
}

fn one(options: &Options, name: &str) -> Result<bool> {
    install(options)?;
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
    let start = |election, twist| House::start(&options.tepui, folder, election, twist);
    let house = if let Some(drill) = drills::DRILLS.iter().find(|drill| drill.name == name) {
        let mut house = start(drill.election, drill.twist)?;
        (drill.run)(&mut house)?;
        house
    } else {
        let (_, election, spell) = SPELLS.iter().find(|(spell, ..)| *spell == name).context("no such case")?;
        let mut house = start(*election, Twist::None)?;
        match spell {
            Spell::Chaos => chaos::run(&mut house, &options.chaos)?,
            Spell::Kills => kills::run(&mut house, options.kills)?,
        }
        house
    };
    house.stop()
}
