//! The differential suite: the same requests to a real Mesos 1.11.0 and to Tepui, and every difference between the
//! answers.
//!
//! Both clusters start with the same flags, live through the same script ([`script`], `differential/*.script`), and
//! every status, header, key, number and text they answer is compared ([`compare`]) once ids, places and times have
//! become words ([`normal`]). A difference fails the run unless `differential/allowed.txt` has it, with the line of
//! COMPATIBILITY.md that tells people ([`allowed`]).

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::cluster::{Cluster, Flags};
use crate::tools::Tools;

mod actor;
mod allowed;
mod compare;
mod driver;
pub mod exchange;
mod json;
mod metrics;
mod normal;
pub mod oracle;
mod protobuf;
mod script;
mod target;
mod texts;

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
  --show           show allowed differences too
  --print NAME     show both answers to this request, as they are compared; `*` stands for any text";

/// Names of the metrics of a real Mesos.
const GOLDEN_METRICS: &str = "tests/golden/metrics/mesos-1.11.0.txt";

/// A suite that asks less, or asks little that is refused, compares less than it seems to.
const LEAST_REQUESTS: usize = 200;
/// How many at least must be refused by the real Mesos: half of that.
const LEAST_REFUSED: usize = LEAST_REQUESTS / 2;

/// How both clusters are made, so that every kind of resource, attribute and reservation shows.
fn situation() -> Flags {
    let flag = |name, value: &str| (name, value.to_owned());
    Flags {
        master: vec![
            flag("allocation_interval", "100ms"),
            flag("cluster", "differential"),
            // An agent of a script is lost after twelve seconds; a real one on a busy machine is not.
            flag("agent_ping_timeout", "1secs"),
            flag("max_agent_ping_timeouts", "12"),
        ],
        agent: vec![
            flag("resources", "cpus:4;mem:4096;disk:4096;ports:[31000-31009, 31020-31029];cpus(ops):1;mem(ops):256"),
            flag("attributes", "rack:r1;level:2.5;slots:[1-3]"),
            flag("registration_backoff_factor", "10ms"),
        ],
    }
}

/// `own` has the patterns of what to print.
type Options = crate::options::Options<Target>;

/// Runs the suite with the words after `differential`.
pub fn main(words: impl Iterator<Item = String>) -> ExitCode {
    match Options::read(words, USAGE, "--print", running).and_then(|options| run(&options)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("FAIL differential: {error:#}");
            ExitCode::FAILURE
        }
    }
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

/// The scripts and the lists beside them.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("differential")
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn run(options: &Options) -> Result<bool> {
    let entries = script::load(&folder())?;
    let compatibility = std::fs::read_to_string(repository().join("COMPATIBILITY.md"))?;
    let allowed = allowed::read(&std::fs::read_to_string(folder().join("allowed.txt"))?, &compatibility)?;
    if let Some([first, second]) = &options.clusters {
        return judge(&entries, [first, second], allowed, options);
    }
    let tools = options.tools()?;
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
        folders: vec![
            (cluster.folder.join("bin").display().to_string(), "<programs>"),
            (cluster.folder.join("runtime/launcher").display().to_string(), "<programs>"),
            (cluster.folder.join("runtime").display().to_string(), "<runtime>"),
            ("/tmp/mesos/fetch".to_owned(), "<fetched>"),
            (cluster.folder.join("agent").display().to_string(), "<work>"),
            (cluster.folder.display().to_string(), "<folder>"),
        ],
    };
    let well = judge(&entries, [&oracle.target, &ours], allowed, options)?;
    drop(oracle);
    cluster.stop(well).map(|()| well)
}

/// What came of the script at one cluster.
struct Side<'a> {
    target: &'a Target,
    normal: Normal,
    records: Vec<Record>,
}

impl Side<'_> {
    fn find(&self, name: &str) -> Option<&Record> {
        self.records.iter().find(|record| record.name == name)
    }

    /// The body of an answer, as it is compared.
    fn shown(&self, name: &str) -> Option<String> {
        self.find(name).map(|record| compare::shown(record, &self.normal))
    }
}

/// Runs the script at both, compares, and prints what is to be said. Answers whether nothing failed.
fn judge(
    entries: &[script::Entry],
    targets: [&Target; 2],
    mut allowed: Vec<Allowed>,
    options: &Options,
) -> Result<bool> {
    let [first, second] = &mut both(entries, targets)?;
    let golden = metrics::golden(&repository().join(GOLDEN_METRICS), second.target)?;
    for (side, record) in [&mut *first, &mut *second].into_iter().zip(golden) {
        side.records.push(record);
    }
    let mut well = true;
    for name in names(first, second) {
        if options.own.iter().any(|pattern| allowed::matches(pattern, &name)) {
            for side in [&*first, &*second] {
                println!("{name} {} {}", side.target.name, side.shown(&name).unwrap_or_default());
            }
        }
        well &= report(&name, differences(&name, first, second), &mut allowed, targets, options.show);
        well &= nothing_missed(&name, [first, second]);
    }
    well &= enough(first);
    let texts = texts::check(&folder().join("texts.txt"), &repository(), |name| first.shown(name))?;
    texts.iter().for_each(|complaint| println!("  {complaint}"));
    println!("{}", if texts.is_empty() { "PASS texts" } else { "FAIL texts: see above" });
    for entry in allowed.iter().filter(|entry| entry.met == 0) {
        println!("NOTE allowed.txt has an entry that nothing needed: {entry}");
    }
    Ok(well && texts.is_empty())
}

/// Runs the script at both clusters at once.
fn both<'a>(entries: &[script::Entry], targets: [&'a Target; 2]) -> Result<[Side<'a>; 2]> {
    let [first, second] = std::thread::scope(|scope| {
        let runs = targets.map(|target| scope.spawn(move || perform(entries, target)));
        runs.map(|run| run.join().unwrap_or_else(|_| Err(anyhow::anyhow!("the script's thread panicked"))))
    });
    let side = |target, (records, words)| Side { target, normal: Normal::new(target, &words), records };
    Ok([side(targets[0], first?), side(targets[1], second?)])
}

/// Whether all came that the script awaits here; what comes from neither would be no difference.
fn nothing_missed(name: &str, sides: [&Side; 2]) -> bool {
    let missed = sides.map(|side| side.find(name).and_then(actor::missed));
    for (side, missed) in sides.iter().zip(&missed).filter_map(|(side, missed)| Some((side, missed.as_ref()?))) {
        println!("FAIL {name} at {}: {missed}", side.target.name);
    }
    missed.iter().all(Option::is_none)
}

/// Whether the reference was asked enough, good and bad.
fn enough(reference: &Side) -> bool {
    let statuses = || reference.records.iter().filter_map(|record| record.answer.status.get(..3)?.parse::<u16>().ok());
    let (asked, refused) = (statuses().count(), statuses().filter(|status| *status >= 400).count());
    let enough = asked >= LEAST_REQUESTS && refused >= LEAST_REFUSED;
    let word = if enough { "PASS" } else { "FAIL" };
    println!("{word} requests: {asked} answers of {}, {refused} of them refusals", reference.target.name);
    enough
}

fn differences(name: &str, first: &Side, second: &Side) -> Vec<Difference> {
    match (first.find(name), second.find(name)) {
        (Some(a), Some(b)) => compare::compare(a, b, [&first.normal, &second.normal]),
        (a, _) => vec![only(name, a.is_some())],
    }
}

/// Prints what is to be said of one request; answers whether nothing failed.
fn report(
    name: &str,
    differences: Vec<Difference>,
    allowed: &mut [Allowed],
    targets: [&Target; 2],
    show: bool,
) -> bool {
    let (expected, news): (Vec<_>, Vec<_>) = differences.into_iter().partition(|d| is_allowed(allowed, d));
    if show {
        expected.iter().for_each(|difference| show_difference("ALLOWED", difference, targets));
    }
    news.iter().for_each(|difference| show_difference("DIFFERENT", difference, targets));
    match news.len() {
        0 => println!("PASS {name}"),
        count => println!("FAIL {name}: {count} differences"),
    }
    news.is_empty()
}

/// All names, in the first side's order.
fn names(first: &Side, second: &Side) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for record in first.records.iter().chain(&second.records) {
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
