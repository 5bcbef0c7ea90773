//! `tepui dev`: a cluster that stays up, to try things with.

use crate::cluster::{Embedded, Options};
use crate::daemon::told_to_leave;
use crate::output::{put, say};
use anyhow::{Context, Result};
use std::path::PathBuf;
use std::process::ExitCode;

/// Start a cluster on loopback and keep it up until Ctrl-C.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Port of the master; 0 takes a free one
    #[arg(long, default_value_t = 5050)]
    pub port: u16,
    /// How many agents
    #[arg(long, default_value_t = 1)]
    pub agents: u16,
    /// Resources of each agent, e.g. 'cpus:4;mem:4096' (default: what this machine has)
    #[arg(long)]
    pub resources: Option<String>,
    /// Directory of sandboxes, kept at the end (default: a temporary one, removed)
    #[arg(long)]
    pub work_dir: Option<PathBuf>,
    /// Log at INFO to stderr
    #[arg(long, short)]
    pub verbose: bool,
}

/// Runs until Ctrl-C or SIGTERM.
pub fn main(args: Args) -> ExitCode {
    if !crate::environment::passes("tepui dev") {
        return ExitCode::FAILURE;
    }
    let result = crate::runtime().context("no runtime").and_then(|runtime| runtime.block_on(run(args)));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tepui dev: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<()> {
    crate::logging::set_up(if args.verbose { "INFO" } else { "WARNING" }, false)?;
    let options = Options {
        port: args.port,
        agents: args.agents,
        resources: args.resources,
        work_dir: args.work_dir,
        ..Options::default()
    };
    let cluster = Embedded::start_with(options).await.context("the cluster could not be started")?;
    put(format_args!("{}", greeting(&cluster.master, &cluster.agent)));
    told_to_leave().await?;
    say!("Stopping the cluster ...");
    cluster.stop().await;
    Ok(())
}

fn greeting(master: &str, agent: &str) -> String {
    format!(
        "A cluster is up; Ctrl-C stops it.\n\n  \
         master  http://{master}   (/state, /slaves, /tasks, /metrics/snapshot)\n  \
         agent   http://{agent}   (/state, /files/browse)\n\n\
         Try:    tepui run --master {master} -- echo hello\n"
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_greeting_names_urls_and_a_first_command() {
        let text = super::greeting("127.0.0.1:5050", "127.0.0.1:5051");
        assert!(text.contains("http://127.0.0.1:5050") && text.contains("http://127.0.0.1:5051"));
        assert!(text.contains("tepui run --master 127.0.0.1:5050 -- echo hello"));
    }
}
