//! `mesos-master`, `mesos-agent`, `mesos-local`: flags in, a process that runs until it is told to leave.
//!
//! SIGTERM and SIGINT end a daemon cleanly: streams are drained, connections closed, exit code 0. A flag that cannot be
//! used ends it at once with exit code 1 and a text that names flag, value and remedy.

use crate::cluster::{self, Embedded};
use anyhow::{Context, Result, bail};
use std::process::ExitCode;
use tepui_flags::{Flag, Support, Values, flag, help};
use tokio::signal::unix::{SignalKind, signal};

/// Worker threads of a daemon's runtime. The machines are single-threaded; the rest is sockets and readers.
const WORKERS: usize = 2;

/// Another number of them, 1 to 1024. As in Mesos, a value that makes no sense is said and ignored.
const WORKERS_VARIABLE: &str = "LIBPROCESS_NUM_WORKER_THREADS";

/// Variables of libprocess that have no effect here; said once at start if they are set.
const WITHOUT_EFFECT: [&str; 4] =
    ["LIBPROCESS_IP6", "LIBPROCESS_MEMORY_PROFILING", "LIBPROCESS_ENABLE_PROFILER", "LIBPROCESS_LIBEV_NUM_IO_THREADS"];

/// `mesos-master`.
pub fn master(args: Vec<String>) -> ExitCode {
    let about = "tepui master: assigns resources of agents to frameworks (mesos-master)";
    start("mesos-master", about, &[tepui_flags::master::FLAGS, tepui_flags::logging::FLAGS], args, |values| {
        let mut settings = tepui_masterd::Settings::new(values, variable)?;
        settings.verbosity = crate::logging::set_verbosity;
        until_told(async {
            let mut running = tepui_masterd::start(settings).await?;
            tracing::info!(address = %running.address(), "the master listens");
            tokio::select! {
                told = told_to_leave() => told?,
                reason = running.exited() => bail!("{reason}"),
            }
            running.stop().await;
            Ok(())
        })
    })
}

/// `mesos-agent`.
pub fn agent(args: Vec<String>) -> ExitCode {
    let about = "tepui agent: runs executors for frameworks on behalf of a master (mesos-agent)";
    start("mesos-agent", about, &[tepui_flags::agent::FLAGS, tepui_flags::logging::FLAGS], args, |values| {
        let mut settings = tepui_agentd::Settings::from_values(&values, variable)?;
        settings.verbosity = crate::logging::set_verbosity;
        until_told(async {
            let version = crate::version::info();
            let mut agent = tepui_agentd::start(&settings, version, crate::version::OWN, Default::default()).await?;
            tracing::info!(address = %agent.node().address(), "the agent listens");
            tokio::select! {
                told = told_to_leave() => told?,
                reason = agent.exited() => bail!("{reason}"),
            }
            // Executors cannot be found again after a restart yet, so they do not outlive the agent.
            agent.terminate(false).await;
            agent.node().shutdown().await;
            Ok(())
        })
    })
}

/// `mesos-local`: a master and agents in one process, until told to leave. The flags are those of both daemons.
pub fn local(args: Vec<String>) -> ExitCode {
    let about = "tepui local: a master and agents in one process (mesos-local)";
    start("mesos-local", about, &[LOCAL_FLAGS, tepui_flags::logging::FLAGS], args, |values| {
        let agents = values.number::<u16>("num_slaves")?.unwrap_or(1);
        let options = cluster::Options {
            port: values.number("port")?.unwrap_or(0),
            agents,
            resources: values.get("resources").map(str::to_owned),
            work_dir: values.get("work_dir").map(Into::into),
        };
        until_told(async {
            let cluster = Embedded::start_with(options).await?;
            tracing::info!(master = cluster.master, agents, "the cluster is up");
            told_to_leave().await?;
            cluster.stop().await;
            Ok(())
        })
    })
}

/// What `mesos-local` takes; it listens on loopback only.
static LOCAL_FLAGS: &[Flag] = &[
    flag("num_slaves", Some("num_agents"), tepui_flags::Kind::Number, Some("1"), Support::Built, "how many agents"),
    flag("port", None, tepui_flags::Kind::Number, Some("5050"), Support::Built, "port of the master"),
    flag("resources", None, tepui_flags::Kind::Text, None, Support::Built, "resources of each agent"),
    flag(
        "work_dir",
        None,
        tepui_flags::Kind::Text,
        None,
        Support::Built,
        "directory of the agents; temporary if not given",
    ),
    flag("version", None, tepui_flags::Kind::Bool, Some("false"), Support::Built, "print version and exit"),
];

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Loads flags, answers `--help` and `--version`, sets up logging, runs.
fn start(
    program: &str,
    about: &str,
    tables: &[&'static [Flag]],
    args: Vec<String>,
    run: impl FnOnce(Values) -> Result<()>,
) -> ExitCode {
    let variables: Vec<(String, String)> = std::env::vars().collect();
    let values = match tepui_flags::parse(tables, &args, &variables, "MESOS_", &|path| std::fs::read_to_string(path)) {
        Ok(values) => values,
        Err(error) => {
            eprintln!("{program}: {error}\nSee '{program} --help' to list all flags.");
            return ExitCode::FAILURE;
        }
    };
    if values.bool("help") {
        print!("{}", help::text(program, about, tables));
        return ExitCode::SUCCESS;
    }
    if values.bool("version") {
        println!("mesos 1.11.0 (tepui {})", env!("CARGO_PKG_VERSION"));
        return ExitCode::SUCCESS;
    }
    if let Err(error) = crate::logging::set_up_from(program, &values) {
        eprintln!("{program}: {error:#}");
        return ExitCode::FAILURE;
    }
    for warning in &values.warnings {
        tracing::warn!("{warning}");
    }
    for name in WITHOUT_EFFECT.into_iter().filter(|name| variable(name).is_some()) {
        tracing::warn!("{name} has no effect in this version of Tepui");
    }
    match run(values) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{program}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn until_told(running: impl Future<Output = Result<()>>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(workers()).enable_all().build();
    runtime.context("no runtime")?.block_on(running)
}

fn workers() -> usize {
    let Some(text) = variable(WORKERS_VARIABLE) else { return WORKERS };
    match text.parse() {
        Ok(count @ 1..=1024) => count,
        _ => {
            tracing::warn!("{WORKERS_VARIABLE}={text} is ignored: expecting a number from 1 to 1024");
            WORKERS
        }
    }
}

/// Returns on SIGTERM or SIGINT.
pub(crate) async fn told_to_leave() -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let name = tokio::select! {
        _ = interrupt.recv() => "SIGINT",
        _ = terminate.recv() => "SIGTERM",
    };
    tracing::info!(signal = name, "leaving");
    Ok(())
}
