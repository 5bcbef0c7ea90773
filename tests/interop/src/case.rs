//! The cases: which program does what.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::process::{run as run_process, tail};
use crate::tools::{Available, Interpreter, Peer, Tools};
use crate::{Verdict, verdict};

/// A peer gives up by itself after a minute; this is for one that hangs.
const LIMIT: Duration = Duration::from_secs(150);

/// One peer doing one thing.
pub struct Case {
    /// As it is printed and chosen.
    pub name: &'static str,
    /// What it proves.
    pub about: &'static str,
    peer: Peer,
    script: &'static str,
    /// What stands before the master's address.
    scenario: Option<&'static str>,
    /// Whether the custom executor's command line comes last.
    executor: bool,
}

const fn native(scenario: &'static str, name: &'static str, about: &'static str, executor: bool) -> Case {
    Case { name, about, peer: Peer::Native, script: "native_driver.py", scenario: Some(scenario), executor }
}

const fn plain(peer: Peer, script: &'static str, name: &'static str, about: &'static str) -> Case {
    Case { name, about, peer, script, scenario: None, executor: false }
}

/// Every case, in the order they run.
pub const CASES: [Case; 11] = [
    native("custom", "native-custom", "C++ driver: a custom executor, data and messages both ways", true),
    native("command", "native-command", "C++ driver: command tasks that finish, fail and are killed", false),
    native("implicit", "native-implicit", "C++ driver: it acknowledges updates itself", false),
    native("invalid", "native-invalid", "C++ driver: a task too large is refused, its neighbour runs", false),
    native("reconcile", "native-reconcile", "C++ driver: reconciling all tasks and an unknown one", false),
    native("offers", "native-offers", "C++ driver: decline, suppress, revive", false),
    native("failover", "native-failover", "C++ driver: a successor takes the framework and its task over", false),
    plain(Peer::Pymesos, "pymesos_scheduler.py", "pymesos", "pymesos: scheduler and executor over HTTP"),
    plain(Peer::Mesoshttp, "mesoshttp_scheduler.py", "mesoshttp", "mesoshttp: command tasks, kill, revive, heartbeats"),
    plain(Peer::Mentos, "mentos_scheduler.py", "mentos", "mentos: a command task"),
    plain(
        Peer::Avmesos,
        "operator_cli.py",
        "avmesos-cli",
        "the Mesos command line: lists of agents, frameworks and tasks",
    ),
];

/// Where the master is, as `host:port`; the two differ only where an HTTP proxy stands before a real Mesos.
pub struct Addresses {
    /// For HTTP.
    pub master: String,
    /// For libprocess messages.
    pub driver: String,
}

/// Runs one case against a master.
pub fn run(case: &Case, tools: &mut Tools, master: &Addresses) -> Verdict {
    match attempt(case, tools, master) {
        Ok(Ok(())) => Verdict::Pass,
        Ok(Err(why)) => Verdict::Skip(why),
        Err(error) => verdict(Err(error)),
    }
}

fn attempt(case: &Case, tools: &mut Tools, master: &Addresses) -> Result<Available<()>> {
    let interpreter = match tools.interpreter(case.peer)? {
        Ok(interpreter) => interpreter,
        Err(why) => return Ok(Err(why)),
    };
    let executor = if case.executor { Some(tools.interpreter(Peer::Pymesos)?) } else { None };
    let mut command = command(case, &interpreter, master);
    match executor {
        Some(Ok(python)) => {
            command.arg(format!("{} {}", python.program.display(), peers().join("pymesos_executor.py").display()));
        }
        Some(Err(why)) => return Ok(Err(why)),
        None => {}
    }
    let log = tools.folder.join(format!("{}.log", case.name));
    let status = run_process(&mut command, &log, LIMIT);
    let text = tail(&log);
    let status = status.map_err(|error| anyhow::anyhow!("{error:#}\n{text}"))?;
    let result = text.lines().rev().find(|line| line.starts_with("RESULT")).unwrap_or("it printed no result");
    ensure!(status.success() && result == "RESULT OK", "{status}: {result}\n{text}");
    Ok(Ok(()))
}

fn command(case: &Case, interpreter: &Interpreter, master: &Addresses) -> Command {
    let mut command = Command::new(&interpreter.program);
    command.arg(peers().join(case.script)).args(case.scenario);
    command.arg(if case.peer == Peer::Native { &master.driver } else { &master.master });
    command.envs(interpreter.environment.iter().map(|(name, value)| (name, value)));
    // Byte code beside the scripts would litter the source tree.
    command.env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONUNBUFFERED", "1").env_remove("PYTHONHOME");
    command
}

/// The peers' scripts.
fn peers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers")
}
