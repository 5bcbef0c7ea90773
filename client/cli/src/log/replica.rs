//! `mesos-log replica`: a replica that runs until it is told to leave.

use super::Result;
use super::group::GroupArgs;
use super::initialize::Initialize;
use super::logging::Logging;
use crate::daemon::told_to_leave;

/// Its flags.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    group: GroupArgs,
    #[command(flatten)]
    pub initialize: Initialize,
    #[command(flatten)]
    pub logging: Logging,
}

pub fn run(args: Args) -> Result<()> {
    args.logging.set_up()?;
    let runtime = crate::runtime().map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let mut running = args.group.start(args.initialize).await?;
        tracing::info!(address = %running.node.address(), "the replica listens");
        tokio::select! {
            told = told_to_leave() => told.map_err(|error| error.to_string())?,
            why = running.replica.ended() => return Err(why),
        }
        running.replica.stop().await;
        running.node.shutdown().await;
        Ok(())
    })
}
