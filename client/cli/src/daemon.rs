//! `mesos-master`, `mesos-agent`, `mesos-local`: flags in, a process that runs until it is told to leave.
//!
//! SIGTERM and SIGINT end a daemon cleanly: streams are drained, connections closed, exit code 0. A flag that cannot be
//! used ends it at once with exit code 1 and a text that names flag, value and remedy.

use crate::cluster::{self, Embedded};
use crate::environment;
use crate::output::say;
use anyhow::{Context, Result, bail};
use std::net::Ipv4Addr;
use std::process::ExitCode;
use tepui_flags::{Flag, Kind, Support, Values, flag, help};
use tokio::signal::unix::{SignalKind, signal};

/// Worker threads of a daemon's runtime. The machines are single-threaded; the rest is sockets and readers.
const WORKERS: usize = 2;

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

/// `mesos-local`: a master and agents in one process, until told to leave. It has few flags of its own; those of master and
/// agent come from the environment. As in Mesos, others on its command line are left aside; here with a word.
pub fn local(args: Vec<String>) -> ExitCode {
    let about = "tepui local: a master and agents in one process (mesos-local); MESOS_* variables are their flags";
    let tables: &[&'static [Flag]] = &[LOCAL_FLAGS, tepui_flags::logging::FLAGS];
    let (args, ignored) = tepui_flags::known(tables, args);
    start("mesos-local", about, tables, args, |values| {
        for word in ignored {
            tracing::warn!("{word} is ignored: flags of master and agent come from MESOS_* variables here");
        }
        let agents = values.number::<u16>("num_slaves")?.unwrap_or(1);
        let options = cluster::Options {
            ip: values.parsed("ip", "Expecting an IPv4 address, e.g. 127.0.0.1")?.unwrap_or(Ipv4Addr::LOCALHOST),
            port: values.number("port")?.unwrap_or(0),
            agents,
            resources: values.get("resources").map(str::to_owned),
            work_dir: values.get("work_dir").map(Into::into),
            variables: Some(environment::variables()),
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

/// What `mesos-local` takes.
#[rustfmt::skip]
static LOCAL_FLAGS: &[Flag] = &[
    flag("num_slaves", Some("num_agents"), Kind::Number, Some("1"), Support::Built, "how many agents"),
    flag("ip", None, Kind::Text, None, Support::Built, "where master and agents listen; loopback if not given"),
    flag("port", None, Kind::Number, Some("5050"), Support::Built, "port of the master"),
    flag("resources", None, Kind::Text, None, Support::Built, "resources of each agent"),
    flag("work_dir", None, Kind::Text, None, Support::Built, "directory of master and agents; temporary if not given"),
    flag("version", None, Kind::Bool, Some("false"), Support::Built, "print version and exit"),
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
    let variables = environment::variables();
    let values = match tepui_flags::parse(tables, &args, &variables, "MESOS_", &|path| std::fs::read_to_string(path)) {
        Ok(values) => values,
        Err(error) => {
            eprintln!("{program}: {error}\nSee '{program} --help' to list all flags.");
            return ExitCode::FAILURE;
        }
    };
    if values.bool("help") {
        say!("{}", help::text(program, about, tables).trim_end());
        return ExitCode::SUCCESS;
    }
    if values.bool("version") {
        say!("mesos 1.11.0 (tepui {})", env!("CARGO_PKG_VERSION"));
        return ExitCode::SUCCESS;
    }
    if let Err(error) = crate::logging::set_up_from(program, &values) {
        eprintln!("{program}: {error:#}");
        return ExitCode::FAILURE;
    }
    let said = match environment::check(&variables) {
        Ok(said) => said,
        Err(reason) => {
            eprintln!("{program}: {reason}");
            return ExitCode::FAILURE;
        }
    };
    for warning in values.warnings.iter().chain(&said) {
        tracing::warn!("{warning}");
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
    environment::workers(variable(environment::WORKERS).as_deref(), WORKERS).unwrap_or_else(|reason| {
        tracing::warn!("{reason}");
        WORKERS
    })
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
