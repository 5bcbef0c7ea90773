//! Masters that are found in a real ZooKeeper: ours by programs of others, and a real Mesos by ours.
//!
//! Three masters of Tepui elect one of them and an agent finds it, while the C++ driver, pymesos, mesoshttp and mentos are
//! given nothing but ZooKeeper's address. The C++ driver stays through a kill -9 of the leader. Then the other way round: the
//! oracle has no contender of its own (its master runs in the `local` mode), so what its master says of itself is put into
//! ZooKeeper under the name and in the form 1.11 uses, and our agent must register there.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use zookeeper::Ensemble;

use crate::case::{self, Addresses};
use crate::cluster::{Flag, Flags, free_port};
use crate::differential::exchange::Request;
use crate::differential::oracle;
use crate::tools::{Available, Interpreter, Peer, Tools};
use crate::{Verdict, verdict};
use interop::http;
use interop::process::{Daemon, tail, wait_for, without_mesos_variables};

const USAGE: &str = "usage: interop election --tepui BINARY [--tools FOLDER]";

/// Masters and an agent, or a new leader, on a busy machine.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// mesoshttp and mentos look nowhere else.
const PATH: &str = "/mesos";

/// Of everything of ours, so that a killed leader is missed soon.
const SESSION_TIMEOUT: (&str, &str) = ("zk_session_timeout", "2secs");

/// The cases that are given ZooKeeper's address, and how their peer writes it.
const CASES: [(&str, Form); 4] = [
    ("native-command", Form::WithPath),
    ("pymesos", Form::WithPath),
    ("mesoshttp", Form::WithPath),
    ("mentos", Form::WithoutPath),
];

#[derive(Clone, Copy)]
enum Form {
    /// `zk://host:port/path`.
    WithPath,
    /// `zk://host:port`, and the path is `/mesos`.
    WithoutPath,
}

/// Runs the cases with the words after `election`.
pub fn main(words: impl Iterator<Item = String>) -> ExitCode {
    match suite(words).and_then(|mut suite| suite.run()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("FAIL election: {error:#}");
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
    let folder = tools.join(format!("election-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let ensemble = Ensemble::start(1)?;
    Ok(Suite { tepui: tepui.context(USAGE)?, tools: Tools::new(&tools), folder, ensemble })
}

struct Suite {
    tepui: PathBuf,
    tools: Tools,
    folder: PathBuf,
    ensemble: Ensemble,
}

impl Suite {
    fn run(&mut self) -> Result<bool> {
        let url = self.ensemble.url(PATH);
        let mut house = House::start(&self.tepui, &self.folder, &url)?;
        let mut well = verdict(self.resolves(&url, &house.leader()?)).report("mesos-resolve zk://");
        for (name, form) in CASES {
            let case = case::CASES.iter().find(|case| case.name == name).context("no such case")?;
            let address = match form {
                Form::WithPath => url.clone(),
                Form::WithoutPath => format!("zk://{}", self.ensemble.servers_text()),
            };
            let addresses = Addresses { driver: address.clone(), master: address };
            well &= case::run(case, &mut self.tools, &addresses).report(&format!("{name} zk://"));
        }
        well &= judged(self.leader_killed(&url, &mut house)).report("native-leader-killed zk://");
        well &= verdict(house.stop()).report("no master or agent ended by itself");
        well &= judged(self.real_master()).report("our agent finds a real master in zk://");
        if well {
            std::fs::remove_dir_all(&self.folder)?;
        }
        Ok(well)
    }

    /// `mesos-resolve` says where the leader is.
    fn resolves(&self, url: &str, leader: &str) -> Result<()> {
        let output = Command::new(&self.tepui).args(["resolve", url]).output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success() && said.trim() == leader, "it says {said:?}, the leader is {leader}");
        Ok(())
    }

    /// The C++ driver loses its master while a task runs, finds the next one, and the task is still there.
    fn leader_killed(&mut self, url: &str, house: &mut House) -> Result<Available<()>> {
        let python = match self.tools.interpreter(Peer::Native)? {
            Ok(python) => python,
            Err(why) => return Ok(Err(why)),
        };
        let log = self.folder.join("native-leader-killed.log");
        let mut command = script(&python, "native_driver.py");
        let mut driver = Daemon::start("the C++ driver", command.args(["leader", url]), log.clone())?;
        wait_for("a task of the C++ driver", READY_WITHIN, || {
            tail(&log).contains("state kept TASK_RUNNING").then_some(())
        })
        .with_context(|| tail(&log))?;
        house.kill_leader()?;
        let ended = wait_for("the C++ driver to finish", 2 * READY_WITHIN, || driver.is_alive().is_err().then_some(()));
        let text = tail(&log);
        ensure!(ended.is_ok() && text.contains("RESULT OK"), "{text}");
        Ok(Ok(()))
    }

    /// What a real master says of itself stands in ZooKeeper: our agent registers there, and `mesos-resolve` names it.
    fn real_master(&mut self) -> Result<Available<()>> {
        let flags = Flags { master: Vec::new(), agent: Vec::new() };
        let master = match oracle::start(&mut self.tools, &self.tepui, &self.folder.join("real"), &flags, 0)? {
            Ok(master) => master,
            Err(why) => return Ok(Err(why)),
        };
        let python = match self.tools.interpreter(Peer::Pymesos)? {
            Ok(python) => python,
            Err(why) => return Ok(Err(why)),
        };
        let address = master.target.master.0.clone();
        let url = self.ensemble.url("/theirs");
        let info = master_info(&address)?;
        let _znode = Znode::put(&python, &self.ensemble.servers_text(), "/theirs/json.info_", &info)?;
        self.resolves(&url, &address)?;
        let mut agent =
            daemon(&self.tepui, &self.folder, "agent", "theirs", agent_flags(&self.folder, "theirs", &url)?)?;
        wait_for("our agent at the real master", READY_WITHIN, || {
            if let Err(error) = agent.is_alive() {
                return Some(Err(error));
            }
            let agents = http::get_json(&address, "/master/slaves").ok()?;
            (agents["slaves"][0]["active"] == true).then_some(Ok(()))
        })
        .and_then(|registered| registered)
        .with_context(|| tail(&agent.log))?;
        Ok(Ok(()))
    }
}

fn judged(outcome: Result<Available<()>>) -> Verdict {
    match outcome {
        Ok(Err(why)) => Verdict::Skip(why),
        other => verdict(other.map(|_| ())),
    }
}

/// The MasterInfo of a master, as it tells of itself, with its keys in the order of the alphabet, as contenders of 1.11 print it.
fn master_info(address: &str) -> Result<String> {
    let json = |name: &str| (name.to_owned(), "application/json".to_owned());
    let headers = vec![json("Content-Type"), json("Accept")];
    let body = Some(br#"{"type":"GET_MASTER"}"#.to_vec());
    let request = Request { method: "POST".to_owned(), path: "/master/api/v1".to_owned(), headers, body };
    let mut last = String::new();
    // A master that has just begun may have nothing to tell yet.
    wait_for("a real master that tells of itself", READY_WITHIN, || {
        let answer = request.send(address).ok()?;
        last = format!("{} {}", answer.status, String::from_utf8_lossy(&answer.body));
        let answer: Value = serde_json::from_slice(&answer.body).ok()?;
        let info = &answer["get_master"]["master_info"];
        info["pid"].as_str().is_some_and(|pid| pid.ends_with(address)).then(|| info.to_string())
    })
    .with_context(|| last)
}

/// An ephemeral znode, put there by a ZooKeeper client of others; it goes with this value.
struct Znode {
    process: std::process::Child,
    _stdin: Option<ChildStdin>,
}

impl Znode {
    fn put(python: &Interpreter, servers: &str, path: &str, data: &str) -> Result<Znode> {
        let mut command = script(python, "znode.py");
        command.args([servers, path, data]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn()?;
        let stdin = process.stdin.take();
        let stdout = process.stdout.take().context("no output")?;
        let znode = Znode { process, _stdin: stdin };
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        ensure!(line.trim().starts_with(path), "znode.py says {line:?}");
        Ok(znode)
    }
}

impl Drop for Znode {
    fn drop(&mut self) {
        // Its session is left to expire; nobody looks any more.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn script(python: &Interpreter, name: &str) -> Command {
    let mut command = Command::new(&python.program);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(name));
    command.envs(python.environment.iter().map(|(name, value)| (name, value)));
    command.env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONUNBUFFERED", "1").env_remove("PYTHONHOME");
    command
}

/// Three masters and an agent.
struct House {
    masters: Vec<(String, Option<Daemon>)>,
    agent: Daemon,
}

impl House {
    fn start(tepui: &Path, folder: &Path, url: &str) -> Result<House> {
        let mut masters = Vec::new();
        for name in ["m1", "m2", "m3"] {
            let address = format!("127.0.0.1:{}", free_port()?);
            let flags = master_flags(folder, name, &address, url);
            masters.push((address, Some(daemon(tepui, folder, "master", name, flags)?)));
        }
        let agent = daemon(tepui, folder, "agent", "ours", agent_flags(folder, "ours", url)?)?;
        let mut house = House { masters, agent };
        house.wait_for_agent()?;
        Ok(house)
    }

    fn wait_for_agent(&mut self) -> Result<()> {
        wait_for("a leader with its agent", READY_WITHIN, || {
            if let Err(error) = self.check() {
                return Some(Err(error));
            }
            let agents = http::get_json(&self.leader().ok()?, "/slaves").ok()?;
            (agents["slaves"][0]["active"] == true).then_some(Ok(()))
        })
        .and_then(|ready| ready)
    }

    fn check(&mut self) -> Result<()> {
        self.masters.iter_mut().filter_map(|(_, master)| master.as_mut()).try_for_each(Daemon::is_alive)?;
        self.agent.is_alive()
    }

    /// `host:port` of the leader: only the leader answers by itself.
    fn leader(&self) -> Result<String> {
        let running = self.masters.iter().filter(|(_, master)| master.is_some());
        let leads = |address: &&String| http::get(address, "/maintenance/status").is_ok();
        running.map(|(address, _)| address).find(leads).cloned().context("nobody leads")
    }

    fn kill_leader(&mut self) -> Result<()> {
        let leader = self.leader()?;
        for (address, master) in &mut self.masters {
            if *address == leader {
                // Dropping it is SIGKILL.
                drop(master.take());
            }
        }
        self.wait_for_agent()
    }

    fn stop(mut self) -> Result<()> {
        self.check()?;
        let masters = self.masters.iter_mut().filter_map(|(_, master)| master.as_mut());
        for daemon in masters.chain([&mut self.agent]) {
            let status = daemon.stop(READY_WITHIN)?;
            ensure!(status.success(), "after SIGTERM: {status}\n{}", tail(&daemon.log));
            let text = std::fs::read(&daemon.log)?;
            ensure!(!String::from_utf8_lossy(&text).contains("panicked at"), "a panic in {}", daemon.log.display());
        }
        Ok(())
    }
}

/// A daemon of ours, under the word that `tepui` knows it by.
fn daemon(tepui: &Path, folder: &Path, what: &'static str, name: &str, flags: Vec<Flag>) -> Result<Daemon> {
    let mut command = Command::new(tepui);
    command.arg(what).args(flags.iter().map(|(name, value)| format!("--{name}={value}")));
    without_mesos_variables(&mut command);
    Daemon::start(what, &mut command, folder.join(format!("{what}-{name}.log")))
}

fn master_flags(folder: &Path, name: &str, address: &str, url: &str) -> Vec<Flag> {
    let port = address.rsplit(':').next().unwrap_or_default().to_owned();
    vec![
        ("ip", "127.0.0.1".to_owned()),
        ("port", port),
        ("hostname", "localhost".to_owned()),
        ("registry", "replicated_log".to_owned()),
        ("quorum", "2".to_owned()),
        ("zk", url.to_owned()),
        (SESSION_TIMEOUT.0, SESSION_TIMEOUT.1.to_owned()),
        ("work_dir", folder.join(name).display().to_string()),
    ]
}

fn agent_flags(folder: &Path, name: &str, url: &str) -> Result<Vec<Flag>> {
    let own = |part: &str| folder.join(format!("agent-{name}")).join(part).display().to_string();
    Ok(vec![
        ("ip", "127.0.0.1".to_owned()),
        ("port", free_port()?.to_string()),
        ("hostname", "localhost".to_owned()),
        ("master", url.to_owned()),
        (SESSION_TIMEOUT.0, SESSION_TIMEOUT.1.to_owned()),
        ("registration_backoff_factor", "100ms".to_owned()),
        ("resources", "cpus:4;mem:4096;disk:4096;ports:[31000-32000]".to_owned()),
        ("work_dir", own("work")),
        ("runtime_dir", own("runtime")),
        ("launcher", "posix".to_owned()),
        ("systemd_enable_support", "false".to_owned()),
    ])
}
