//! `tepui run`: a framework of one command.
//!
//! Progress goes to stderr, the command's output to where it would go here. The cluster is the one that is named, or
//! one started in this process for as long as the command runs.

mod args;
mod fit;
mod job;
mod output;

pub use args::Args;

use crate::cluster::Embedded;
use crate::exit;
use anyhow::{Context, Result, bail};
use job::{Job, Stop};
use std::process::ExitCode;
use std::time::Duration;
use tepui_detector::Masters;
use tepui_sdk::mesos::FrameworkInfo;
use tepui_sdk::mesos::framework_info::{Capability, capability};
use tepui_sdk::{Operator, Scheduler, messages};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// How long no master may answer before the command is given up.
const MASTER_WAIT: Duration = Duration::from_secs(5);

/// How long no leader may be found before the command is given up.
const LEADER_WAIT: Duration = Duration::from_secs(20);

/// The master that drivers of Mesos start within their own process.
const LOCAL: &str = "local";

/// How long the last calls and the end of a cluster in this process may take.
const LEAVE_WAIT: Duration = Duration::from_secs(10);

/// How long a detached framework's tasks run on without it: a week, in seconds.
const DETACHED_SECS: f64 = 7.0 * 24.0 * 3600.0;

/// Runs the command and returns the exit status described in [`Args`].
pub fn main(args: Args) -> ExitCode {
    if !crate::environment::passes("tepui") {
        return ExitCode::from(exit::FAILURE);
    }
    let code = crate::runtime().context("no runtime").and_then(|runtime| runtime.block_on(run(args)));
    ExitCode::from(code.unwrap_or_else(|error| {
        eprintln!("tepui: {error:#}");
        exit::FAILURE
    }))
}

async fn run(args: Args) -> Result<u8> {
    let stops = stops(args.timeout)?;
    if let Some(master) = args.master.as_deref().filter(|master| *master != LOCAL) {
        return on_cluster(&args, master, stops).await;
    }
    if args.detach {
        bail!("--detach needs a cluster that stays up; --master={LOCAL} ends with this command");
    }
    let cluster = Embedded::start().await.context("the cluster in this process could not be started")?;
    let code = on_cluster(&args, &cluster.master, stops).await;
    if tokio::time::timeout(LEAVE_WAIT, cluster.stop()).await.is_err() {
        eprintln!("tepui: the cluster in this process did not end in time");
    }
    code
}

async fn on_cluster(args: &Args, master: &str, mut stops: mpsc::Receiver<Stop>) -> Result<u8> {
    let user = match &args.user {
        Some(user) => user.clone(),
        None => own_user()?,
    };
    let mut builder = Scheduler::builder(master, framework(args, user)).implicit_acknowledgements(true);
    let mut operator = Operator::new(master)?;
    if let (Some(principal), Some(secret)) = (&args.principal, &args.secret) {
        builder = builder.credentials(principal, secret);
        operator = operator.credentials(principal, secret);
    }
    let (scheduler, mut events) = builder.connect()?;
    let mut job = Job::new(args.clone(), scheduler, operator);
    // An election takes a session's timeout, mostly, where masters elect one of them.
    let patience = if matches!(Masters::parse(master)?, Masters::Fixed(_)) { MASTER_WAIT } else { LEADER_WAIT };
    let no_master = tokio::time::sleep(patience);
    tokio::pin!(no_master);
    let result = loop {
        if let Some(code) = job.finished() {
            break Ok(code);
        }
        let step = tokio::select! {
            event = events.next() => match event {
                Some(event) => job.event(event).await,
                None => bail!("the master has ended the connection for good"),
            },
            Some(stop) = stops.recv() => job.stop(stop).await,
            () = job.next_fit_check() => job.check_fit().await,
            () = &mut no_master, if !job.was_subscribed() => Err(job.no_master(&tepui_detector::redacted(master))),
        };
        if let Err(error) = step {
            break Err(error);
        }
    };
    job.leave(LEAVE_WAIT).await;
    result
}

fn framework(args: &Args, user: String) -> FrameworkInfo {
    let mut framework = messages::framework(format!("tepui run {}", args.task_name()), user);
    framework.roles = vec![args.role.clone()];
    if args.gpus.is_some() {
        let gpus = Some(capability::Type::GPU_RESOURCES);
        framework.capabilities.push(Capability { r#type: gpus, ..Capability::default() });
    }
    if args.detach {
        framework.failover_timeout = Some(DETACHED_SECS);
        framework.checkpoint = Some(true);
    }
    framework
}

/// The name of the user this process runs as.
pub(crate) fn own_user() -> Result<String> {
    let uid = nix::unistd::geteuid();
    match nix::unistd::User::from_uid(uid) {
        Ok(Some(user)) => Ok(user.name),
        Ok(None) => bail!("uid {uid} has no user name here: name one with --user"),
        Err(error) => Err(error).context("Failed to get username"),
    }
}

/// What ends the command before its time: the first Ctrl-C or SIGTERM, and the timeout. The second signal ends this
/// process at once.
fn stops(timeout: Option<Duration>) -> Result<mpsc::Receiver<Stop>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let (stops, received) = mpsc::channel(2);
    tokio::spawn(async move {
        let mut asked = false;
        let deadline = tokio::time::sleep(timeout.unwrap_or_default());
        tokio::pin!(deadline);
        let mut timeout = timeout;
        loop {
            let stop = tokio::select! {
                _ = interrupt.recv() => Stop::Interrupted,
                _ = terminate.recv() => Stop::Terminated,
                () = &mut deadline, if timeout.is_some() => Stop::TimedOut(timeout.take().unwrap_or_default()),
            };
            if !matches!(stop, Stop::TimedOut(_)) {
                if asked {
                    std::process::exit(i32::from(stop.code()));
                }
                asked = true;
            }
            if stops.send(stop).await.is_err() {
                return;
            }
        }
    });
    Ok(received)
}
