//! Scripted scenarios of allocation, played at a real Mesos 1.11.0 and at Tepui: who is offered what must be the same.
//!
//! A scenario (`scenarios/*.txt`) says which emulated agents and frameworks come and what they do. After each action
//! everything that all frameworks see until it is silent is written down; both sides' notes are compared. On a busy
//! machine an offer may come after the silence was taken for the end, so a scenario that differs is played again with
//! more patience: what differs then as well differs.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};

mod cast;
mod script;
mod stage;

use crate::cluster::{Flags, Master};
use crate::differential::oracle;
use crate::tools::Tools;
use script::Scenario;
use stage::{Seen, play};

const USAGE: &str = "\
usage: interop scenarios (--tepui BINARY | --first MASTER --second MASTER) [--tools FOLDER] [--only NAME[,NAME]] [--show]

  --tepui BINARY  play at masters of this binary and at real masters of Mesos 1.11.0
  --first, --second
                  play at two masters that run already without agents (HOST:PORT), whatever their flags
  --tools FOLDER  where the eggs are kept (target/interop)
  --only NAME     these scenarios only
  --show          print what each scenario saw";

/// Flags of every master: allocation often enough that nobody waits for it.
const FLAGS: [(&str, &str); 1] = [("allocation_interval", "20ms")];

/// How long it must be silent before the next action, from the first attempt to the last.
const SILENCES: [Duration; 3] = [Duration::from_millis(150), Duration::from_millis(500), Duration::from_millis(1500)];

/// `own` has the names of the scenarios to play, several with commas between them.
type Options = crate::options::Options<SocketAddrV4>;

/// Runs the scenarios with the words after `scenarios`.
pub fn main(words: impl Iterator<Item = String>) -> ExitCode {
    let running = |_, text: &str| Ok(text.parse()?);
    match Options::read(words, USAGE, "--only", running).and_then(|options| run(&options)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("FAIL scenarios: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<bool> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let only: Vec<&str> = options.own.iter().flat_map(|names| names.split(',')).collect();
    let wanted = |scenario: &Scenario| only.is_empty() || only.contains(&scenario.name.as_str());
    let scenarios: Vec<Scenario> = script::load(&folder)?.into_iter().filter(wanted).collect();
    if let Some(masters) = options.clusters {
        return Ok(judge_all(&scenarios.iter().collect::<Vec<_>>(), masters, options.show));
    }
    let tools = options.tools()?;
    let tepui = options.tepui.as_deref().context(USAGE)?;
    let mut groups: BTreeMap<Vec<String>, Vec<&Scenario>> = BTreeMap::new();
    for scenario in &scenarios {
        groups.entry(scenario.flags.clone()).or_default().push(scenario);
    }
    let mut well = true;
    for (number, (flags, scenarios)) in groups.into_iter().enumerate() {
        let folder = tools.join(format!("scenarios-{}-{number}", std::process::id()));
        let flags = flags_of(&flags)?;
        let ours = Master::start(tepui, &folder.join("tepui"), &flags)?;
        let theirs = match oracle::start(&mut Tools::new(&tools), tepui, &folder.join("oracle"), &flags, 0)? {
            Ok(oracle) => oracle,
            Err(why) => {
                println!("SKIP scenarios: {why}");
                return Ok(true);
            }
        };
        let masters = [theirs.target.master.0.parse()?, ours.address];
        well &= judge_all(&scenarios, masters, options.show);
        drop(theirs);
        ours.stop()?;
        if well {
            std::fs::remove_dir_all(&folder)?;
        }
    }
    Ok(well)
}

fn flags_of(words: &[String]) -> Result<Flags> {
    let mut master: Vec<(&'static str, String)> = FLAGS.map(|(name, value)| (name, value.to_owned())).into();
    for word in words {
        let (name, value) = word.split_once('=').with_context(|| format!("flags {word}"))?;
        // The names live as long as the run; there are a handful.
        master.push((Box::leak(name.to_owned().into_boxed_str()), value.to_owned()));
    }
    Ok(Flags { master, agent: Vec::new() })
}

/// Plays all of them, also after one that failed.
fn judge_all(scenarios: &[&Scenario], masters: [SocketAddrV4; 2], show: bool) -> bool {
    let failed = scenarios.iter().filter(|scenario| !judge(scenario, masters, show)).count();
    failed == 0
}

/// Plays a scenario at both until they agree or patience is at its end. Prints its line.
fn judge(scenario: &Scenario, masters: [SocketAddrV4; 2], show: bool) -> bool {
    let mut last = String::new();
    for silence in SILENCES {
        match both(scenario, masters, silence) {
            Ok([theirs, ours]) if theirs == ours => {
                if show {
                    theirs.iter().for_each(|seen| println!("  {}\n    {}", seen.action, seen.lines.join("\n    ")));
                }
                println!("PASS {}", scenario.name);
                return true;
            }
            Ok([theirs, ours]) => last = difference(&theirs, &ours),
            Err(error) => last = format!("  {error:#}"),
        }
    }
    println!("{last}\nFAIL {}: not the same", scenario.name);
    false
}

fn both(scenario: &Scenario, masters: [SocketAddrV4; 2], silence: Duration) -> Result<[Vec<Seen>; 2]> {
    let at = |master| -> Result<Vec<Seen>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(play(scenario, master, silence)).with_context(|| format!("at {master}"))
    };
    let [theirs, ours] = std::thread::scope(|scope| {
        let runs = masters.map(|master| scope.spawn(move || at(master)));
        runs.map(|run| run.join().unwrap_or_else(|_| bail!("the scenario panicked")))
    });
    Ok([theirs?, ours?])
}

fn difference(theirs: &[Seen], ours: &[Seen]) -> String {
    let mut text = String::new();
    for (theirs, ours) in theirs.iter().zip(ours) {
        text += &format!("  {}\n", theirs.action);
        for line in theirs.lines.iter().filter(|line| ours.lines.contains(line)) {
            text += &format!("           {line}\n");
        }
        for (who, lines, others) in [("mesos", &theirs.lines, &ours.lines), ("tepui", &ours.lines, &theirs.lines)] {
            for line in lines.iter().filter(|line| !others.contains(line)) {
                text += &format!("    {who}: {line}\n");
            }
        }
    }
    text
}
