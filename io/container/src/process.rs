//! Fork and exec: a program in its own session, with its own environment, as its own user.
//!
//! Used by the agent for executors and by the command executor for its task.

use crate::user::{self, Identity};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tepui_proto::mesos::CommandInfo;
use tepui_proto::mesos::containerizer::ContainerLaunchInfo;

/// `PATH` of a program whose environment has none.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Why a program does not run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A command without a `value`.
    #[error("the command has no value")]
    NoCommand,
    /// The user to run as does not exist.
    #[error(transparent)]
    User(#[from] user::Error),
    /// `stdout` or `stderr` of the sandbox cannot be opened.
    #[error("Failed to open the sandbox's log files: {0}")]
    Output(std::io::Error),
    /// The kernel refused fork, the change of user, or exec.
    #[error("{0}")]
    Exec(std::io::Error),
}

/// A program to run.
#[derive(Debug)]
pub struct Spec {
    /// What exec gets.
    pub program: PathBuf,
    /// All arguments, `argv[0]` first.
    pub arguments: Vec<String>,
    /// The whole environment.
    pub environment: Vec<(String, String)>,
    /// Where it starts; the caller's directory if `None`.
    pub directory: Option<PathBuf>,
    /// Whom it runs as; the caller if `None`.
    pub user: Option<Identity>,
    /// Its stdout and stderr; the caller's if `None`.
    pub output: Option<(File, File)>,
    /// Whether it dies with the process that started it.
    pub dies_with_parent: bool,
}

impl Spec {
    /// A command with its whole environment, here, as the caller, with the caller's output.
    pub fn new(command: &CommandInfo, environment: Vec<(String, String)>) -> Result<Spec, Error> {
        let (program, arguments) = program_of(command)?;
        Ok(Spec {
            program: PathBuf::from(program),
            arguments,
            environment,
            directory: None,
            user: None,
            output: None,
            dies_with_parent: false,
        })
    }

    /// Reads a launch information that [`crate::launch_info::unsupported`] found nothing wrong with.
    pub fn of(info: &ContainerLaunchInfo) -> Result<Spec, Error> {
        let variables = info.environment.variables.iter();
        let environment = variables.map(|v| (v.name.clone(), v.value.clone().unwrap_or_default())).collect();
        let mut spec = Spec::new(&info.command, environment)?;
        if let Some(directory) = info.working_directory.as_ref().map(PathBuf::from) {
            spec.program = in_directory(spec.program, &directory);
            spec.directory = Some(directory);
        }
        spec.user = user::to_switch_to(info.user.as_deref())?;
        Ok(spec)
    }

    /// The command, ready to spawn: a session of its own, no signal blocked, no input, always a `PATH`.
    pub fn command(self) -> Command {
        let mut command = Command::new(&self.program);
        let (first, rest) = self.arguments.split_first().map_or((None, &[][..]), |(f, r)| (Some(f), r));
        if let Some(first) = first {
            command.arg0(first);
        }
        command.args(rest).env_clear().envs(self.environment).stdin(Stdio::null());
        if !command.get_envs().any(|(name, _)| name == "PATH") {
            command.env("PATH", DEFAULT_PATH);
        }
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        if let Some((stdout, stderr)) = self.output {
            command.stdout(stdout).stderr(stderr);
        }
        in_child(&mut command, move || become_child(self.user.as_ref(), self.dies_with_parent));
        command
    }
}

/// A shell command runs as `sh -c value`. Without a shell, `value` is the program and `arguments` are all of its
/// arguments, `argv[0]` included; a program given none is at least told its name.
fn program_of(command: &CommandInfo) -> Result<(String, Vec<String>), Error> {
    let value = command.value.clone().ok_or(Error::NoCommand)?;
    if command.shell.unwrap_or(true) {
        return Ok(("/bin/sh".to_owned(), vec!["sh".to_owned(), "-c".to_owned(), value]));
    }
    let arguments = if command.arguments.is_empty() { vec![value.clone()] } else { command.arguments.clone() };
    Ok((value, arguments))
}

/// A program fetched into the working directory is found there before `PATH` is searched.
fn in_directory(program: PathBuf, directory: &Path) -> PathBuf {
    let local = directory.join(&program);
    if is_executable(&local) { local } else { program }
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

/// Runs `f` in the forked child, after the change of directory and before exec.
#[expect(unsafe_code, reason = "the only way to run code between fork and exec")]
fn in_child(command: &mut Command, f: impl Fn() -> nix::Result<()> + Send + Sync + 'static) {
    // SAFETY: between fork and exec only async-signal-safe functions may be called. `f` makes plain system calls on
    // values prepared before the fork; it neither allocates nor locks.
    unsafe {
        command.pre_exec(move || f().map_err(std::io::Error::from));
    }
}

/// What the child does to itself. The user comes last but for the death signal, which a change of user would clear.
fn become_child(user: Option<&Identity>, dies_with_parent: bool) -> nix::Result<()> {
    nix::unistd::setsid()?;
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?;
    if let Some(user) = user {
        nix::unistd::setgid(user.gid)?;
        nix::unistd::setgroups(&user.groups)?;
        nix::unistd::setuid(user.uid)?;
    }
    if dies_with_parent {
        nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(shell: Option<bool>, value: &str, arguments: &[&str]) -> CommandInfo {
        let arguments = arguments.iter().map(|a| (*a).to_owned()).collect();
        CommandInfo { shell, value: Some(value.to_owned()), arguments, ..Default::default() }
    }

    #[test]
    fn programs_and_arguments() {
        for (given, program, arguments) in [
            (command(None, "echo hi", &[]), "/bin/sh", &["sh", "-c", "echo hi"][..]),
            (command(Some(true), "exit 7", &["ignored"]), "/bin/sh", &["sh", "-c", "exit 7"]),
            (command(Some(false), "/bin/echo", &["echo", "hi"]), "/bin/echo", &["echo", "hi"]),
            (command(Some(false), "true", &[]), "true", &["true"]),
        ] {
            let (found, all) = program_of(&given).unwrap();
            assert_eq!(
                (found.as_str(), all.iter().map(String::as_str).collect::<Vec<_>>()),
                (program, arguments.to_vec())
            );
        }
        assert!(matches!(program_of(&CommandInfo::default()), Err(Error::NoCommand)));
    }
}
