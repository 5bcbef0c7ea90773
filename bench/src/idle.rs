//! A cluster with nothing to do: how soon it is there, and what it holds on to.
//!
//! Starts `tepui dev`, times it from exec, waits, reads its memory; then runs one sleeping task and reads the memory of
//! its command executor. Only processes started here are looked at.

use crate::output::say;
use crate::process::{self, Memory};
use anyhow::{Context, bail};
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};
use tepui_sdk::mesos::TaskState;
use tepui_sdk::scheduler::Event;
use tepui_sdk::{Operator, Scheduler, is_terminal, messages, operator, resources};

/// How long anything here may take before something must be wrong.
const PATIENCE: Duration = Duration::from_secs(30);
/// Pause between questions whether the agent has registered: short against what is measured.
const POLL: Duration = Duration::from_millis(2);

/// What to start.
#[derive(clap::Args)]
pub struct Arguments {
    /// The program; by default the `tepui` beside this one.
    #[arg(long)]
    program: Option<PathBuf>,
    /// Seconds of idleness before memory is read.
    #[arg(long, default_value_t = 5)]
    settle: u64,
    /// How often it is started to time readiness.
    #[arg(long, default_value_t = 5)]
    starts: usize,
}

/// Measures and prints.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        for _ in 1..arguments.starts {
            Cluster::start(arguments).await?.stop()?;
        }
        let cluster = Cluster::start(arguments).await?;
        let measured = cluster.measure(Duration::from_secs(arguments.settle)).await;
        cluster.stop()?;
        measured
    })
}

/// A `tepui dev`, killed when dropped.
struct Cluster {
    process: Child,
    /// Held open, because the program has more to say when it leaves.
    _output: BufReader<ChildStdout>,
    master: String,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // It may have ended; then there is nothing to kill.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Cluster {
    /// Starts it and prints how long that took.
    async fn start(arguments: &Arguments) -> anyhow::Result<Cluster> {
        let beside = || Ok::<_, std::io::Error>(std::env::current_exe()?.with_file_name("tepui"));
        let program = arguments.program.clone().map_or_else(beside, Ok)?;
        let started = Instant::now();
        let mut process = Command::new(&program)
            .args(["dev", "--port", "0", "--resources", "cpus:8;mem:8192"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let mut output = BufReader::new(process.stdout.take().context("no stdout")?);
        let greeting = address(&mut output);
        let greeted = started.elapsed();
        let cluster = Cluster { process, _output: output, master: greeting? };
        tokio::time::timeout(PATIENCE, registered(&cluster.master)).await??;
        say!("exec -> greeting {greeted:.1?}, exec -> agent registered {:.1?}", started.elapsed());
        Ok(cluster)
    }

    async fn measure(&self, settle: Duration) -> anyhow::Result<()> {
        tokio::time::sleep(settle).await;
        print("tepui dev, idle", self.process.id())?;
        let (scheduler, executor) = tokio::time::timeout(PATIENCE, self.sleeping_task()).await??;
        tokio::time::sleep(settle).await;
        print("command executor, its task asleep", executor)?;
        print("tepui dev, one task asleep", self.process.id())?;
        scheduler.teardown().await?;
        Ok(())
    }

    /// Runs one task that sleeps; the scheduler and the executor's process id.
    async fn sleeping_task(&self) -> anyhow::Result<(Scheduler, u32)> {
        let user = std::env::var("USER").unwrap_or_else(|_| "root".to_owned());
        let builder = Scheduler::builder(&self.master, messages::framework("tepui-bench idle", user));
        let (scheduler, mut events) = builder.implicit_acknowledgements(true).connect()?;
        while let Some(event) = events.next().await {
            match event {
                Event::Offers(offers) => {
                    let offer = offers.first().context("an empty offer event")?;
                    let taken = resources::take(
                        &mut resources::offered(offer),
                        &resources::scalars(&[("cpus", 0.1), ("mem", 32.0)]),
                    );
                    let taken = taken.context("the offer is too small")?;
                    let task = messages::task("asleep", messages::shell("exec sleep 1000"), taken.to_proto());
                    scheduler.launch(offer, vec![task]).await?;
                }
                Event::Update(status) if status.state == TaskState::TASK_RUNNING => {
                    let executors = process::children(self.process.id(), "mesos-executor")?;
                    let executor = executors.first().context("the executor's process is not found")?;
                    tokio::spawn(async move { while events.next().await.is_some() {} });
                    return Ok((scheduler, *executor));
                }
                Event::Update(status) if is_terminal(status.state) => bail!("the task ended: {status:?}"),
                Event::Error(reason) | Event::Disconnected(reason) => bail!("{reason}"),
                _ => {}
            }
        }
        bail!("the scheduler has ended")
    }

    /// Asks it to leave, as Ctrl-C does, and waits until it has.
    fn stop(mut self) -> anyhow::Result<()> {
        let told = Command::new("kill").arg(self.process.id().to_string()).status()?;
        anyhow::ensure!(told.success(), "cannot stop {}", self.process.id());
        let status = self.process.wait()?;
        anyhow::ensure!(status.success(), "tepui dev ended with {status}");
        Ok(())
    }
}

/// The master's address, from the greeting.
fn address(output: &mut impl BufRead) -> anyhow::Result<String> {
    for line in output.lines() {
        let line = line?;
        let mut words = line.split_whitespace();
        if let (Some("master"), Some(url)) = (words.next(), words.next()) {
            return Ok(url.trim_start_matches("http://").to_owned());
        }
    }
    bail!("it has ended without a greeting")
}

/// Waits until the master has an agent.
async fn registered(master: &str) -> anyhow::Result<()> {
    let operator = Operator::new(master)?;
    loop {
        match operator.agents().await {
            Ok(agents) if !agents.agents.is_empty() => return Ok(()),
            // A master that has just started says that it has not recovered yet.
            Ok(_) | Err(operator::Error::Refused { status: 503, .. }) => tokio::time::sleep(POLL).await,
            Err(error) => return Err(error.into()),
        }
    }
}

fn print(name: &str, pid: u32) -> anyhow::Result<()> {
    let Memory { rss_kib, uss_kib, pss_kib } = process::memory(pid)?;
    let threads = process::threads(pid)?;
    say!("{name}: RSS {rss_kib} KiB, USS {uss_kib} KiB, PSS {pss_kib} KiB, {threads} threads");
    Ok(())
}
