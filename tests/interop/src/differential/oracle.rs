//! A real Mesos 1.11.0 master and agent, as processes of one Python that holds libmesos.
//!
//! The egg of the scheduler driver has no programs beside it, so the agent is given some: the launcher is this program
//! under another name ([`containerizer`]), the command executor and the fetcher are Tepui's own. What is compared is the
//! protocol of master and agent; how a container is isolated is not.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::symlink;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use super::target::Target;
use crate::cluster::{Flags, free_port, without_mesos_variables};
use crate::process::{Daemon, wait_for};
use crate::tools::{Available, Peer, Tools};

/// The name under which this program stands in for Mesos' launcher.
pub const CONTAINERIZER: &str = "mesos-containerizer";
/// What a Tepui cluster is told on its command lines ([`crate::cluster`]).
const OWN_FLAGS: [(&str, &str); 4] =
    [("hostname", "localhost"), ("registry", "in_memory"), ("launcher", "posix"), ("systemd_enable_support", "false")];
/// The flags of the launcher travel in variables with this prefix.
const PREFIX: &str = "MESOS_CONTAINERIZER_";
/// From exec to an agent that is registered, on a busy machine.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// The running oracle; it ends when this is dropped.
pub struct Oracle {
    _process: Daemon,
    /// Where it is.
    pub target: Target,
}

/// Starts the oracle with these flags (`name`, `value`) and so many agents below `folder`.
pub fn start(
    tools: &mut Tools,
    tepui: &Path,
    folder: &Path,
    flags: &Flags,
    agents: usize,
) -> Result<Available<Oracle>> {
    let python = match tools.interpreter(Peer::Native)? {
        Ok(python) => python,
        Err(why) => return Ok(Err(why)),
    };
    let programs = folder.join("bin");
    std::fs::create_dir_all(&programs)?;
    symlink(std::env::current_exe()?, programs.join(CONTAINERIZER))?;
    for name in ["mesos-executor", "mesos-fetcher"] {
        symlink(tepui, programs.join(name))?;
    }
    let port = free_port()?;
    let mut command = Command::new(&python.program);
    without_mesos_variables(&mut command);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/oracle.py"));
    command.envs(python.environment.iter().map(|(name, value)| (name, value)));
    let own = OWN_FLAGS.map(|(name, value)| (name, value.to_owned()));
    let both = flags.master.iter().chain(&flags.agent).chain(&own);
    command.envs(both.map(|(name, value)| (format!("MESOS_{}", name.to_uppercase()), value.clone())));
    command.env("LIBPROCESS_PORT", port.to_string()).env("MESOS_NUM_SLAVES", agents.to_string());
    // These show in /flags and do nothing more: the address is libprocess', the master is the one in the same process.
    command.env("MESOS_IP", "127.0.0.1").env("MESOS_PORT", port.to_string());
    command.env("MESOS_MASTER", format!("127.0.0.1:{port}"));
    command.env("MESOS_WORK_DIR", folder).env("MESOS_LAUNCHER_DIR", &programs);
    command.env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONUNBUFFERED", "1");
    // It ends with its stdin, even if this program is killed.
    let mut process = Daemon::start_with("oracle", &mut command, folder.join("oracle.log"), Stdio::piped())?;
    let target = Target {
        name: "mesos",
        master: (format!("127.0.0.1:{port}"), "/master"),
        agent: (format!("127.0.0.1:{port}"), "/slave(1)"),
        folders: vec![
            (programs.display().to_string(), "<programs>"),
            (folder.join("agents/0/fetch").display().to_string(), "<fetched>"),
            (folder.join("agents/0/run").display().to_string(), "<runtime>"),
            (folder.join("agents/0/work").display().to_string(), "<work>"),
            (folder.join("agents/0").display().to_string(), "<folder>"),
            (folder.join("master").display().to_string(), "<folder>/master"),
        ],
    };
    wait_for("an agent at the oracle", READY_WITHIN, || match process.is_alive() {
        Err(error) => Some(Err(error)),
        Ok(()) if agents == 0 => target.get(super::target::Daemon::Master, "/health").is_ok().then_some(Ok(())),
        Ok(()) => target.has_agent().then_some(Ok(())),
    })
    .and_then(|ready| ready)?;
    Ok(Ok(Oracle { _process: process, target }))
}

/// Stands in for `mesos-containerizer launch`: waits for the agent's word, runs the executor, and leaves its status where
/// the agent looks for it.
pub fn containerizer() -> ExitCode {
    match run_executor() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{CONTAINERIZER}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run_executor() -> Result<ExitStatus> {
    let told = |name: &str| std::env::var(format!("{PREFIX}{name}")).with_context(|| format!("no {name}"));
    let info: Value = serde_json::from_str(&told("LAUNCH_INFO")?)?;
    if let Ok(descriptor) = told("PIPE_READ") {
        let mut token = [0];
        let mut pipe = File::open(format!("/proc/self/fd/{descriptor}"))?;
        pipe.read_exact(&mut token).context("the agent changed its mind")?;
    }
    let status = executor(&info).status()?;
    if let Ok(folder) = told("RUNTIME_DIRECTORY") {
        std::fs::write(Path::new(&folder).join("status"), status.into_raw().to_string())?;
    }
    Ok(status)
}

/// The command of a launch info (`ContainerLaunchInfo` as JSON), in its folder and environment.
fn executor(info: &Value) -> Command {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let told = &info["command"];
    let mut command = if told["shell"] == false {
        let mut command = Command::new(text(&told["value"]));
        let arguments: Vec<String> = told["arguments"].as_array().into_iter().flatten().map(text).collect();
        if let Some((name, rest)) = arguments.split_first() {
            command.arg0(name).args(rest);
        }
        command
    } else {
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c").arg(text(&told["value"]));
        shell
    };
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into()));
    for variable in info["environment"]["variables"].as_array().into_iter().flatten() {
        command.env(text(&variable["name"]), text(&variable["value"]));
    }
    if let Some(folder) = info["working_directory"].as_str() {
        command.current_dir(folder);
        // A local cluster hands its own output down; elsewhere the sandbox has it.
        let file = |name: &str| {
            File::options().append(true).open(Path::new(folder).join(name)).map_or(Stdio::inherit(), Stdio::from)
        };
        command.stdout(file("stdout")).stderr(file("stderr"));
    }
    command
}
