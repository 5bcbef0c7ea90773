//! The examples of the SDK against the cluster: what somebody who writes a framework reads first must run as it stands.
//!
//! They are built beforehand (`cargo build -p tepui-sdk --examples`) and looked for beside this program.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::process::{Daemon, run, tail, wait_for};
use crate::{Verdict, verdict};

/// One example, or several together.
pub struct Example {
    /// As it is printed and chosen.
    pub name: &'static str,
    /// What it proves.
    pub about: &'static str,
    run: fn(&Examples, &str) -> Result<()>,
}

/// All of them, in the order they run.
pub const EXAMPLES: [Example; 3] = [
    Example { name: "example-hello", about: "SDK: a scheduler of three command tasks", run: hello },
    Example { name: "example-task-group", about: "SDK: a task group in an executor of the SDK", run: task_group },
    Example { name: "example-watch", about: "SDK: an operator sees what is there, and what changes", run: watch },
];

/// No example takes longer; they take seconds.
const LIMIT: Duration = Duration::from_secs(60);
/// How many schedulers an operator who has just begun to watch may miss.
const CHANCES: usize = 10;

/// Where the examples are, and where their output goes.
struct Examples {
    folder: PathBuf,
    logs: PathBuf,
}

/// Runs one against a master; its output goes to `logs`.
pub fn attempt(example: &Example, logs: &Path, master: &str) -> Verdict {
    let beside = std::env::current_exe().map(|program| program.with_file_name("examples"));
    let examples = beside.map(|folder| Examples { folder, logs: logs.to_owned() });
    verdict(examples.map_err(anyhow::Error::from).and_then(|examples| (example.run)(&examples, master)))
}

impl Examples {
    fn program(&self, name: &str) -> Result<PathBuf> {
        let program = self.folder.join(name);
        ensure!(program.exists(), "there is no {}: cargo build -p tepui-sdk --examples", program.display());
        Ok(program)
    }

    /// Runs one to its good end and gives what it printed.
    fn output(&self, name: &str, arguments: &[&str]) -> Result<String> {
        let log = self.logs.join(format!("example-{name}.log"));
        let status = run(Command::new(self.program(name)?).args(arguments), &log, LIMIT)?;
        ensure!(status.success(), "{name}: {status}\n{}", tail(&log));
        Ok(std::fs::read_to_string(log)?)
    }
}

/// Fails unless each line is there, once.
fn says(text: &str, wanted: &[&str]) -> Result<()> {
    for line in wanted {
        let count = text.lines().filter(|said| said.trim_end().starts_with(line)).count();
        ensure!(count == 1, "'{line}' stands there {count} times\n{text}");
    }
    Ok(())
}

fn hello(examples: &Examples, master: &str) -> Result<()> {
    let text = examples.output("hello", &[master, "3"])?;
    let ends = ["hello-0: TASK_FINISHED", "hello-1: TASK_FINISHED", "hello-2: TASK_FINISHED"];
    says(&text, &[&["subscribed as "], &ends[..]].concat())
}

fn task_group(examples: &Examples, master: &str) -> Result<()> {
    let executor = examples.program("executor")?;
    let text = examples.output("task_group", &[master, &executor.display().to_string()])?;
    says(&text, &["left: TASK_RUNNING", "right: TASK_RUNNING"])?;
    // The words are those of the executor, which ran both.
    says(&text, &["left: TASK_FINISHED slept for 2 seconds", "right: TASK_FINISHED slept for 2 seconds"])
}

/// The operator watches while schedulers run, one after the other: one that ends before it is subscribed is not seen.
fn watch(examples: &Examples, master: &str) -> Result<()> {
    let log = examples.logs.join("example-watch.log");
    let mut watch = Command::new(examples.program("watch")?);
    let mut watch = Daemon::start("watch", watch.arg(master), log.clone())?;
    let said = || std::fs::read_to_string(&log).unwrap_or_default();
    wait_for("the agents", LIMIT, || said().contains("\nagent ").then_some(()))?;
    let seen = (0..CHANCES).find_map(|_| match examples.output("hello", &[master, "1"]) {
        Err(error) => Some(Err(error)),
        Ok(_) => said().contains("task hello-0 added").then_some(Ok(())),
    });
    seen.with_context(|| format!("no task is seen\n{}", said()))??;
    wait_for("the end of the task", LIMIT, || said().contains("task hello-0 is TASK_FINISHED").then_some(()))?;
    watch.is_alive()?;
    says(&said().lines().take(1).collect::<String>(), &[&format!("master {master} of version 1.11.0")])
}
