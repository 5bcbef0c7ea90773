//! Drives Tepui with programs that nobody here wrote: clients made for Mesos 1.11, against real processes.
//!
//! A case is one client program doing one thing a framework author would do; it passes if the client saw what Mesos
//! 1.11.0 shows it. The same cases run against any master given by address, above all a real Mesos: that is how the
//! cases themselves are tested. The examples of our own SDK run beside them ([`examples`]).
//!
//! `interop differential` goes further: it asks a real Mesos and Tepui the same questions and shows where the answers
//! differ ([`differential`]). `interop scenarios` plays scripted allocations at both ([`scenarios`]), `interop log` lets
//! both share a replicated log and its directories ([`log`]), and `interop election` has masters found in ZooKeeper ([`election`]).
//!
//! Each case prints one line: `PASS name`, `FAIL name: why` or `SKIP name: why`. The peers know nothing of Tepui's crates.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

mod case;
mod cluster;
mod differential;
mod election;
mod examples;
mod log;
mod options;
mod scenarios;
mod shim;
mod tools;

use cluster::Cluster;
use interop::{http, process};

const USAGE: &str = "\
usage: interop differential [...]   (see interop differential --help)
       interop scenarios [...]      (see interop scenarios --help)
       interop election --tepui BINARY [--tools FOLDER]
       interop log --tepui BINARY [--tools FOLDER]
       interop (--tepui BINARY | --master HOST:PORT [--driver HOST:PORT]) [--tools FOLDER] [--only CASE[,CASE]]

  --tepui BINARY       start a master and an agent of this binary for the run
  --master HOST:PORT   use a cluster that runs already, such as a real Mesos
  --driver HOST:PORT   where V0 drivers find that master, if an HTTP proxy stands before it
  --tools FOLDER       where Python environments and eggs are kept (target/interop)
  --only CASE          run these cases only
  --list               name the cases";

struct Options {
    tepui: Option<PathBuf>,
    master: Option<String>,
    driver: Option<String>,
    tools: PathBuf,
    only: Vec<String>,
}

fn main() -> ExitCode {
    let mut words = std::env::args();
    let called = words.next().unwrap_or_default();
    if called.ends_with(differential::CONTAINERIZER) {
        return differential::containerizer();
    }
    match words.next().as_deref() {
        Some("differential") => return differential::main(words),
        Some("scenarios") => return scenarios::main(words),
        Some("election") => return election::main(words),
        Some("log") => return log::main(words),
        _ => {}
    }
    match options().and_then(|options| options.map_or(Ok(true), |options| run(&options))) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("FAIL interop: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Reads the command line; nothing is left to run when the cases were only listed.
fn options() -> Result<Option<Options>> {
    let mut options =
        Options { tepui: None, master: None, driver: None, tools: "target/interop".into(), only: Vec::new() };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "--list" {
            case::CASES.iter().for_each(|case| println!("{:<24} {}", case.name, case.about));
            examples::EXAMPLES.iter().for_each(|example| println!("{:<24} {}", example.name, example.about));
            return Ok(None);
        }
        let value = arguments.next().with_context(|| format!("{argument}?\n{USAGE}"))?;
        match argument.as_str() {
            "--tepui" => options.tepui = Some(PathBuf::from(value).canonicalize().context("the binary")?),
            "--master" => options.master = Some(value),
            "--driver" => options.driver = Some(value),
            "--tools" => options.tools = value.into(),
            "--only" => options.only.extend(value.split(',').map(str::to_owned)),
            _ => bail!("{argument}?\n{USAGE}"),
        }
    }
    if options.tepui.is_some() == options.master.is_some() {
        bail!("either --tepui or --master\n{USAGE}");
    }
    let known: Vec<&str> =
        case::CASES.iter().map(|case| case.name).chain(examples::EXAMPLES.iter().map(|example| example.name)).collect();
    if let Some(name) = options.only.iter().find(|name| !known.contains(&name.as_str())) {
        bail!("there is no case {name}; --list names them");
    }
    std::fs::create_dir_all(&options.tools)?;
    options.tools = options.tools.canonicalize()?;
    Ok(Some(options))
}

/// Runs the cases, prints their lines, and answers whether none failed.
fn run(options: &Options) -> Result<bool> {
    let mut tools = tools::Tools::new(&options.tools);
    let cluster = match (&options.tepui, &options.master) {
        (Some(tepui), _) => Some(Cluster::start(tepui, &options.tools, &cluster::Flags::default())?),
        _ => None,
    };
    let master = cluster.as_ref().map(|c| c.master.clone()).or(options.master.clone()).unwrap_or_default();
    http::get(&master, "/health").context("no healthy master")?;
    let addresses = case::Addresses { driver: options.driver.clone().unwrap_or(master.clone()), master };
    let mut well = true;
    let wanted = |name: &str| options.only.is_empty() || options.only.iter().any(|only| only == name);
    for case in case::CASES.iter().filter(|case| wanted(case.name)) {
        well &= case::run(case, &mut tools, &addresses).report(case.name);
    }
    for example in examples::EXAMPLES.iter().filter(|example| wanted(example.name)) {
        well &= examples::attempt(example, &options.tools, &addresses.master).report(example.name);
    }
    well &= verdict(cluster::nothing_is_held(&addresses.master)).report("cluster holds nothing");
    if let Some(cluster) = cluster {
        well &= verdict(cluster.stop(well)).report("daemons leave cleanly");
    }
    Ok(well)
}

/// What came of a case.
enum Verdict {
    Pass,
    Fail(String),
    Skip(String),
}

fn verdict(outcome: Result<()>) -> Verdict {
    match outcome {
        Ok(()) => Verdict::Pass,
        Err(error) => Verdict::Fail(format!("{error:#}")),
    }
}

impl Verdict {
    /// Prints the case's line; answers whether it did not fail. Details go on lines of their own, before it.
    fn report(self, name: &str) -> bool {
        match self {
            Verdict::Pass => println!("PASS {name}"),
            Verdict::Skip(why) => println!("SKIP {name}: {why}"),
            Verdict::Fail(why) => {
                let (first, rest) = why.split_once('\n').unwrap_or((&why, ""));
                println!("{rest}\nFAIL {name}: {first}");
                return false;
            }
        }
        true
    }
}
