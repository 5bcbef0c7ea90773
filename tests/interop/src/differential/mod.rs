//! The differential suite: the same requests to a real Mesos 1.11.0 and to Tepui, and every difference between the
//! answers.
//!
//! Both clusters start with the same flags, live through the same script ([`script`], `differential/*.script`), and
//! every status, header, key, number and text they answer is compared ([`compare`]) once ids, places and times have
//! become words ([`normal`]). A difference fails the run unless `differential/allowed.txt` has it, with the line of
//! COMPATIBILITY.md that tells people ([`allowed`]).

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};

use crate::cluster::{Cluster, Flags};
use crate::tools::Tools;

mod actor;
mod allowed;
mod compare;
mod exchange;
mod json;
mod metrics;
mod normal;
pub mod oracle;
mod protobuf;
mod script;
mod target;

pub use oracle::{CONTAINERIZER, containerizer};

use actor::{Record, perform};
use allowed::Allowed;
use compare::Difference;
use normal::Normal;
use target::Target;

const USAGE: &str = "\
usage: interop differential --tepui BINARY [--tools FOLDER] [--show]
       interop differential --first MASTER,AGENT --second MASTER,AGENT [--show]

  --tepui BINARY   start a cluster of this binary and a real Mesos 1.11.0, and compare them
  --first, --second
                   compare two clusters that run already, each with one agent that nobody uses; an address is
                   HOST:PORT, or HOST:PORT/master and HOST:PORT/slave(1) where the daemon is not the delegate
  --tools FOLDER   where the eggs are kept (target/interop)
  --show           show allowed differences too";

/// How both clusters are made, so that every kind of resource, attribute and reservation shows.
fn situation() -> Flags {
    let flag = |name, value: &str| (name, value.to_owned());
    Flags {
        master: vec![flag("allocation_interval", "100ms"), flag("cluster", "differential")],
        agent: vec![
            flag("resources", "cpus:4;mem:4096;disk:4096;ports:[31000-31009, 31020-31029];cpus(ops):1;mem(ops):256"),
            flag("attributes", "rack:r1;level:2.5;slots:[1-3]"),
            flag("registration_backoff_factor", "10ms"),
        ],
    }
}

#[derive(Default)]
struct Options {
    tepui: Option<PathBuf>,
    clusters: Vec<Target>,
    tools: Option<PathBuf>,
    show: bool,
}

/// Runs the suite with the words after `differential`.
pub fn main(words: impl Iterator<Item = String>) -> ExitCode {
    match options(words).and_then(|options| run(&options)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("FAIL differential: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn options(mut words: impl Iterator<Item = String>) -> Result<Options> {
    let mut options = Options::default();
    while let Some(word) = words.next() {
        if word == "--show" {
            options.show = true;
            continue;
        }
        let value = words.next().with_context(|| format!("{word}?\n{USAGE}"))?;
        match word.as_str() {
            "--tepui" => options.tepui = Some(PathBuf::from(value).canonicalize().context("the binary")?),
            "--tools" => options.tools = Some(value.into()),
            "--first" => options.clusters.insert(0, running("first", &value)?),
            "--second" => options.clusters.push(running("second", &value)?),
            _ => bail!("{word}?\n{USAGE}"),
        }
    }
    ensure!(options.tepui.is_some() != (options.clusters.len() == 2), "--tepui, or --first and --second\n{USAGE}");
    Ok(options)
}

/// A cluster given by its addresses.
fn running(name: &'static str, addresses: &str) -> Result<Target> {
    let (master, agent) = addresses.split_once(',').context("MASTER,AGENT")?;
    let prefixed = |address: &str, prefix: &'static str| match address.strip_suffix(prefix) {
        Some(address) => (address.to_owned(), prefix),
        None => (address.to_owned(), ""),
    };
    Ok(Target { name, master: prefixed(master, "/master"), agent: prefixed(agent, "/slave(1)"), folders: Vec::new() })
}

fn run(options: &Options) -> Result<bool> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("differential");
    let entries = script::load(&folder)?;
    let compatibility = std::fs::read_to_string(folder.join("../../../COMPATIBILITY.md"))?;
    let allowed = allowed::read(&std::fs::read_to_string(folder.join("allowed.txt"))?, &compatibility)?;
    if let [first, second] = options.clusters.as_slice() {
        return judge(&entries, [first, second], allowed, options.show);
    }
    let tools = options.tools.clone().unwrap_or_else(|| "target/interop".into());
    std::fs::create_dir_all(&tools)?;
    let tools = tools.canonicalize()?;
    let tepui = options.tepui.as_deref().context(USAGE)?;
    let flags = situation();
    let cluster = Cluster::start(tepui, &tools, &flags)?;
    let home = cluster.folder.join("oracle");
    let oracle = match oracle::start(&mut Tools::new(&tools), tepui, &home, &flags, 1)? {
        Ok(oracle) => oracle,
        Err(why) => {
            println!("SKIP differential: {why}");
            return Ok(true);
        }
    };
    let ours = Target {
        name: "tepui",
        master: (cluster.master.clone(), ""),
        agent: (cluster.agent.clone(), ""),
        folders: vec![cluster.folder.join("agent").display().to_string(), cluster.folder.display().to_string()],
    };
    let well = judge(&entries, [&oracle.target, &ours], allowed, options.show)?;
    drop(oracle);
    cluster.stop(well).map(|()| well)
}

/// Runs the script at both, compares, and prints what is to be said. Answers whether nothing failed.
fn judge(entries: &[script::Entry], targets: [&Target; 2], mut allowed: Vec<Allowed>, show: bool) -> Result<bool> {
    let [first, second] = std::thread::scope(|scope| {
        let runs = targets.map(|target| scope.spawn(move || perform(entries, target)));
        runs.map(|run| run.join().unwrap_or_else(|_| Err(anyhow::anyhow!("the script's thread panicked"))))
    });
    let ((first, first_words), (second, second_words)) = (first?, second?);
    let normals = [&Normal::new(targets[0], &first_words), &Normal::new(targets[1], &second_words)];
    let mut well = true;
    for name in names(&first, &second) {
        let of = |records: &[Record]| records.iter().find(|record| record.name == name).cloned();
        let differences = match (of(&first), of(&second)) {
            (Some(a), Some(b)) => compare::compare(&a, &b, normals),
            (a, _) => vec![only(&name, a.is_some())],
        };
        let (expected, news): (Vec<_>, Vec<_>) =
            differences.into_iter().partition(|difference| is_allowed(&mut allowed, difference));
        if show {
            expected.iter().for_each(|difference| show_difference("ALLOWED", difference, targets));
        }
        news.iter().for_each(|difference| show_difference("DIFFERENT", difference, targets));
        match news.len() {
            0 => println!("PASS {name}"),
            count => println!("FAIL {name}: {count} differences"),
        }
        well &= news.is_empty();
    }
    for entry in allowed.iter().filter(|entry| entry.met == 0) {
        println!("NOTE allowed.txt has an entry that nothing needed: {entry}");
    }
    Ok(well)
}

/// All names, in the first side's order.
fn names(first: &[Record], second: &[Record]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for record in first.iter().chain(second) {
        if !names.contains(&record.name) {
            names.push(record.name.clone());
        }
    }
    names
}

fn only(name: &str, first: bool) -> Difference {
    let (a, b) = if first { ("(something)", "(nothing)") } else { ("(nothing)", "(something)") };
    Difference { request: name.to_owned(), place: "answer".to_owned(), first: a.to_owned(), second: b.to_owned() }
}

fn is_allowed(allowed: &mut [Allowed], difference: &Difference) -> bool {
    let entry = allowed.iter_mut().find(|entry| entry.allows(difference));
    entry.map(|entry| entry.met += 1).is_some()
}

fn show_difference(word: &str, difference: &Difference, targets: [&Target; 2]) {
    println!("  {word} {} {}", difference.request, difference.place);
    println!("    {:<6} {}", targets[0].name, difference.first);
    println!("    {:<6} {}", targets[1].name, difference.second);
}
