//! The replicated log beside Mesos' own: one quorum of both, and directories that each opens of the other.
//!
//! The real Mesos 1.11.0 is a master whose registry is a replicated log of one replica ([`oracle`]); LevelDB itself, a later
//! release than the 1.19 in there, is judged through plyvel.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use serde_json::Value;
use tepui_store::{Change, Durability, Options, Store};

use crate::cluster::{Flags, free_port};
use crate::differential::oracle::{self, Oracle};
use crate::tools::{Available, Interpreter, Peer, Tools};
use crate::{Verdict, verdict};
use interop::http;
use interop::process::{Daemon, wait_for, without_mesos_variables};
use tepui_bench::emulator::{AgentSpec, Emulator};

const USAGE: &str = "usage: interop log --tepui BINARY [--tools FOLDER]";

/// A command on a small directory.
const LIMIT: Duration = Duration::from_secs(60);

/// A registry in a replicated log.
const REPLICATED: [(&str, &str); 2] = [("registry", "replicated_log"), ("log_auto_initialize", "true")];

struct Suite {
    tepui: PathBuf,
    tools: Tools,
    folder: PathBuf,
}

/// Runs the cases with the words after `log`.
pub fn main(words: impl Iterator<Item = String>) -> ExitCode {
    match suite(words).and_then(|mut suite| suite.run()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("FAIL log: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn suite(mut words: impl Iterator<Item = String>) -> Result<Suite> {
    let (mut tepui, mut tools) = (None, PathBuf::from("target/interop"));
    while let Some(word) = words.next() {
        let value = words.next().with_context(|| format!("{word}?\n{USAGE}"))?;
        match word.as_str() {
            "--tepui" => tepui = Some(PathBuf::from(value).canonicalize().context("the binary")?),
            "--tools" => tools = value.into(),
            _ => bail!("{word}?\n{USAGE}"),
        }
    }
    std::fs::create_dir_all(&tools)?;
    let tools = tools.canonicalize()?;
    let folder = tools.join(format!("log-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    Ok(Suite { tepui: tepui.context(USAGE)?, tools: Tools::new(&tools), folder })
}

impl Suite {
    fn run(&mut self) -> Result<bool> {
        let mut well = verdict_of(self.leveldb()).report("leveldb reads what is written here, and the other way round");
        well &= verdict_of(self.mesos()).report("a directory of Mesos opens here, a quorum of both, and back again");
        well &= verdict_of(self.differences()).report("Mesos starts with a registry that is kept as differences");
        well &= verdict_of(self.refused()).report("a replica of Mesos is refused by a list of masters, by name");
        if well {
            std::fs::remove_dir_all(&self.folder)?;
        }
        Ok(well)
    }

    /// Writes at random by turns, and compares everything after each.
    fn leveldb(&mut self) -> Result<Available<()>> {
        let python = match self.tools.interpreter(Peer::Leveldb)? {
            Ok(python) => python,
            Err(why) => return Ok(Err(why)),
        };
        let folder = self.folder.join("leveldb");
        for turn in 0..4u32 {
            leveldb(&python, &["fill", &text(&folder), "3000", &turn.to_string()])?;
            let theirs = dump(&python, &folder)?;
            let options =
                Options { memory_bytes: 1 << 15, wal_bytes: 1 << 16, table_bytes: 1 << 14, ..Options::default() };
            let mut store = Store::open(&folder, options)?;
            ensure!(content(&store)? == theirs, "turn {turn}: what LevelDB wrote reads differently here");
            let held = leveldb(&python, &["dump", &text(&folder)])?;
            ensure!(
                held.starts_with("refused: ") && held.contains("lock"),
                "LevelDB opened a directory in use: {held}"
            );
            fill(&mut store, turn)?;
            let ours = content(&store)?;
            store.close()?;
            ensure!(dump(&python, &folder)? == ours, "turn {turn}: what was written here reads differently in LevelDB");
        }
        let mut holder =
            command(&python, &["hold", &text(&folder)]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(holder.stdout.take().context("no output")?).read_line(&mut line)?;
        let opened = Store::open(&folder, Options::default());
        drop(holder.stdin.take());
        holder.wait()?;
        ensure!(line == "open\n", "LevelDB: {line}");
        ensure!(
            matches!(opened, Err(tepui_store::Error::Locked { .. })),
            "a directory that LevelDB has open was opened"
        );
        Ok(Ok(()))
    }

    fn mesos(&mut self) -> Result<Available<()>> {
        let first = self.folder.join("first");
        let master = match self.oracle(&first, 1)? {
            Ok(master) => master,
            Err(why) => return Ok(Err(why)),
        };
        let registry = registry(&master)?;
        let agent = registry["slaves"]["slaves"][0]["info"]["id"]["value"].as_str().context("no agent")?.to_owned();
        // Our replica has promised and holds nothing; theirs has the registry. Both are needed for anything.
        let ours = self.folder.join("ours");
        let address = master.target.master.0.clone();
        let trace = self.folder.join("trace");
        std::fs::write(&trace, "100B\n2KB\n70KB\n".repeat(5))?;
        let output = self.folder.join("output");
        let benchmark = ["--quorum=2", &format!("--members={address}"), &format!("--path={}", text(&ours))];
        let files = [format!("--input={}", text(&trace)), format!("--output={}", text(&output))];
        let words: Vec<&str> = benchmark.into_iter().chain(files.iter().map(String::as_str)).collect();
        let said = self.log("benchmark", &words)?;
        ensure!(said.contains("Total number of appends: 15"), "benchmark: {said}");
        drop(master);
        let theirs = first.join("master/replicated_log");
        self.same_log(&theirs, &ours, &agent)?;
        self.back_to_mesos(&theirs, &agent)
    }

    /// Both directories hold the same decided positions, the registry among them.
    fn same_log(&self, theirs: &Path, ours: &Path, agent: &str) -> Result<()> {
        let verified = self.log("verify", &[&format!("--path={}", text(theirs))])?;
        ensure!(verified.contains("status VOTING") && verified.contains("No damage found"), "verify: {verified}");
        let read = self.log("read", &[&format!("--path={}", text(theirs))])?;
        ensure!(read.contains("type: APPEND") && read.contains(agent), "read: {read}");
        let [theirs, ours] = [self.positions(theirs)?, self.positions(ours)?];
        let appended = |positions: &BTreeMap<u64, Value>| {
            positions.values().filter(|action| action["append"]["bytes"] != "" && action["type"] == "APPEND").count()
        };
        ensure!(appended(&theirs) >= 15, "Mesos holds {} entries of the trace", appended(&theirs));
        let last = ours.keys().last().context("nothing is decided here")?;
        // The last position may not have been learned by both when they ended.
        // What was truncated there is a tombstone here.
        for (position, action) in ours.range(..last).filter(|(_, action)| action["nop"]["tombstone"] != true) {
            let other = theirs.get(position).with_context(|| format!("Mesos lacks position {position}"))?;
            for part in ["type", "append", "nop", "truncate"] {
                ensure!(action[part] == other[part], "position {position}: {action} and {other}");
            }
        }
        Ok(())
    }

    /// What was decided before the trace is written anew by us, and Mesos starts with it.
    fn back_to_mesos(&mut self, theirs: &Path, agent: &str) -> Result<Available<()>> {
        let export = self.log("export", &[&format!("--path={}", text(theirs))])?;
        ensure!(
            export.lines().any(|line| line.contains("\"registry\":{") && line.contains(agent)),
            "no registry: {export}"
        );
        // The entries of the trace are no operations of State, which a master could not read.
        let lines: Vec<&str> = export.lines().filter(|line| !is_trace(line)).collect();
        let second = self.folder.join("second");
        let copy = second.join("master/replicated_log");
        let input = self.folder.join("export");
        std::fs::write(&input, lines.join("\n"))?;
        self.log("import", &[&format!("--path={}", text(&copy)), &format!("--input={}", text(&input))])?;
        // Opening it once more makes a table of the log that import wrote.
        let refused = self.log("initialize", &[&format!("--path={}", text(&copy))]);
        ensure!(refused.is_err_and(|error| error.to_string().contains("The log is not empty")), "it was empty");
        let verified = self.log("verify", &[&format!("--path={}", text(&copy))])?;
        ensure!(verified.contains(".ldb: "), "no table: {verified}");
        let master = match self.oracle(&second, 0)? {
            Ok(master) => master,
            Err(why) => return Ok(Err(why)),
        };
        let registry = registry(&master)?;
        ensure!(registry["slaves"]["slaves"][0]["info"]["id"]["value"] == agent, "another registry: {registry:#}");
        Ok(Ok(()))
    }

    /// Our master admits agents one after the other, each as a difference to the registry before; Mesos reads them all.
    fn differences(&mut self) -> Result<Available<()>> {
        const AGENTS: usize = 40;
        let folder = self.folder.join("differences");
        let directory = folder.join("master/replicated_log");
        let ids = self.admit(&folder.join("master"), AGENTS)?;
        let export = self.log("export", &[&format!("--path={}", text(&directory))])?;
        let differences = export.lines().filter(|line| line.contains("\"type\":\"DIFF\"")).count();
        // What is before the last whole version is truncated.
        ensure!(differences > 0, "no differences: {export}");
        self.readable(&directory, &export)?;
        let master = match self.oracle(&folder, 0)? {
            Ok(master) => master,
            Err(why) => return Ok(Err(why)),
        };
        let registry = registry(&master)?.to_string();
        for id in ids {
            ensure!(registry.contains(&id), "{id} is lost: {registry}");
        }
        Ok(Ok(()))
    }

    /// Each operation is shown with its registry, and the export makes the same directory again.
    fn readable(&self, directory: &Path, export: &str) -> Result<()> {
        for line in export.lines().filter(|line| line.contains("\"operation\":")) {
            ensure!(line.contains("\"registry\":{"), "no registry: {line}");
        }
        let (copy, input) = (directory.with_file_name("copy"), directory.with_file_name("export"));
        std::fs::write(&input, export)?;
        self.log("import", &[&format!("--path={}", text(&copy)), &format!("--input={}", text(&input))])?;
        let options = Options { create: false, read_only: true, ..Options::default() };
        let [theirs, ours] = [Store::open(directory, options)?, Store::open(&copy, options)?];
        ensure!(content(&theirs)? == content(&ours)?, "the import holds something else");
        Ok(())
    }

    /// A real replica in the list of `--masters` gets no vote, and the operator is told which one it is and why.
    fn refused(&mut self) -> Result<Available<()>> {
        let folder = self.folder.join("refused");
        let oracle = match self.oracle(&folder, 0)? {
            Ok(oracle) => oracle,
            Err(why) => return Ok(Err(why)),
        };
        let (theirs, own) = (oracle.target.master.0.clone(), format!("127.0.0.1:{}", free_port()?));
        let mut command = self.master(&own, &folder.join("ours"))?;
        command.arg(format!("--masters={own},{theirs}"));
        let log = self.folder.join("refused.log");
        let mut master = Daemon::start("master", &mut command, log.clone())?;
        let said = wait_for("a word about the replica of Mesos", LIMIT, || {
            if let Err(error) = master.is_alive() {
                return Some(Err(error));
            }
            let text = std::fs::read_to_string(&log).unwrap_or_default();
            text.lines().find(|line| line.contains("knows no leases")).map(|line| Ok(line.to_owned()))
        })
        .and_then(|said| said)?;
        ensure!(said.contains(&theirs) && said.contains("it is one of Mesos"), "{said}");
        ensure!(http::get(&own, "/maintenance/status").is_err(), "it leads with the vote of a replica of Mesos");
        let status = master.stop(LIMIT)?;
        ensure!(status.success(), "after SIGTERM: {status}");
        Ok(Ok(()))
    }

    /// A master of ours at an address; how it finds others is up to the caller.
    fn master(&self, address: &str, work_dir: &Path) -> Result<Command> {
        std::fs::create_dir_all(work_dir)?;
        let mut command = Command::new(&self.tepui);
        command.args(["master", "--ip=127.0.0.1", "--registry=replicated_log"]);
        command.arg(format!("--port={}", address.rsplit(':').next().unwrap_or_default()));
        command.arg(format!("--work_dir={}", text(work_dir)));
        without_mesos_variables(&mut command);
        Ok(command)
    }

    /// The ids of agents that a master of ours has admitted, in the registry below its work directory.
    fn admit(&self, work_dir: &Path, count: usize) -> Result<Vec<String>> {
        let address = format!("127.0.0.1:{}", free_port()?);
        let mut command = self.master(&address, work_dir)?;
        let mut master = Daemon::start("master", &mut command, self.folder.join("differences.log"))?;
        wait_for("a healthy master", LIMIT, || match master.is_alive() {
            Err(error) => Some(Err(error)),
            Ok(()) => http::get(&address, "/health").ok().map(|_| Ok(())),
        })
        .and_then(|ready| ready)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let ids = runtime.block_on(async {
            let (emulator, mut ids) = (Emulator::new(address.parse()?), Vec::new());
            for number in 0..count {
                let spec =
                    AgentSpec::new(&format!("agent-{number}"), "cpus:4;mem:4096")?.attributes("rack:a;os:linux")?;
                ids.push(emulator.agent(spec).await?.register().await?.value);
            }
            anyhow::Ok(ids)
        })?;
        let status = master.stop(LIMIT)?;
        ensure!(status.success(), "after SIGTERM: {status}");
        Ok(ids)
    }

    fn oracle(&mut self, folder: &Path, agents: usize) -> Result<Available<Oracle>> {
        let master = REPLICATED.map(|(name, value)| (name, value.to_owned())).into();
        let flags = Flags { master, agent: Vec::new() };
        oracle::start(&mut self.tools, &self.tepui, folder, &flags, agents)
    }

    /// Runs `mesos-log`; what it printed. An error is what it said.
    fn log(&self, verb: &str, words: &[&str]) -> Result<String> {
        let mut command = Command::new(&self.tepui);
        command.args(["log", verb]).args(words).env("LIBPROCESS_IP", "127.0.0.1");
        let output = finished(&mut command)?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "mesos-log {verb}: {}: {said}", output.status);
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// What is decided, by position.
    fn positions(&self, directory: &Path) -> Result<BTreeMap<u64, Value>> {
        let export = self.log("export", &[&format!("--path={}", text(directory))])?;
        let mut positions = BTreeMap::new();
        for line in export.lines() {
            let action = serde_json::from_str::<Value>(line)?["record"]["action"].take();
            if action["learned"] == true {
                positions.insert(action["position"].as_u64().context("no position")?, action);
            }
        }
        Ok(positions)
    }
}

/// Whether a line of an export is an entry that is no operation of State, or one that was appended after such.
fn is_trace(line: &str) -> bool {
    line.contains("\"type\":\"APPEND\"") && !line.contains("\"operation\":")
}

fn verdict_of(outcome: Result<Available<()>>) -> Verdict {
    match outcome {
        Ok(Err(why)) => Verdict::Skip(why),
        other => verdict(other.map(|_| ())),
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn registry(master: &Oracle) -> Result<Value> {
    // It is empty until it has been read from the log.
    wait_for("the registry of Mesos", LIMIT, || {
        let registry = http::get_json(&master.target.master.0, "/registrar(1)/registry").ok()?;
        registry["master"].is_object().then_some(registry)
    })
}

fn command(python: &Interpreter, words: &[&str]) -> Command {
    let mut command = Command::new(&python.program);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/leveldb.py")).args(words);
    command
}

fn leveldb(python: &Interpreter, words: &[&str]) -> Result<String> {
    let output = finished(&mut command(python, words))?;
    ensure!(output.status.success(), "LevelDB: {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a program to its end; past the limit it is killed.
fn finished(command: &mut Command) -> Result<std::process::Output> {
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let pid = child.id();
    let (done, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || done.send(child.wait_with_output()));
    match ended.recv_timeout(LIMIT) {
        Ok(output) => Ok(output?),
        Err(_) => {
            interop::process::signal("KILL", pid)?;
            bail!("{command:?}: not within {} s", LIMIT.as_secs())
        }
    }
}

type Content = BTreeMap<Vec<u8>, Vec<u8>>;

fn dump(python: &Interpreter, folder: &Path) -> Result<Content> {
    let text = leveldb(python, &["dump", &text(folder)])?;
    let pair = |line: &str| {
        let (key, value) = line.split_once(' ').with_context(|| line.to_owned())?;
        Ok((hex(key)?, hex(value)?))
    };
    text.lines().map(pair).collect()
}

fn hex(text: &str) -> Result<Vec<u8>> {
    (0..text.len()).step_by(2).map(|at| Ok(u8::from_str_radix(&text[at..at + 2], 16)?)).collect()
}

fn content(store: &Store) -> Result<Content> {
    store.iterate().map(|pair| pair.map(|(key, value)| (key, value.to_vec())).map_err(Into::into)).collect()
}

/// Some thousand writes, chosen by the seed.
fn fill(store: &mut Store, seed: u32) -> Result<()> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    for _ in 0..3000 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let key = format!("{:010}", (state >> 8) % 500).into_bytes();
        let change = match (state >> 18) % 4 {
            0 => Change::Delete(key),
            _ => Change::Put(key, Bytes::from(vec![(state >> 20) as u8; (state >> 22) as usize])),
        };
        let durability = if state >> 30 == 0 { Durability::Sync } else { Durability::Lazy };
        store.apply(&[change], durability)?;
    }
    Ok(())
}
