//! `mesos-log benchmark`: replays a trace of writes, one after the other, and measures each.

use super::Result;
use super::group::GroupArgs;
use super::initialize::Initialize;
use super::logging::Logging;
use crate::output::say;
use bytes::Bytes;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};
use tepui_base::double;
use tepui_logd::Client;

/// Its flags.
///
/// It takes a trace file of write sizes and replays that trace to measure the latency of each write.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    group: GroupArgs,
    #[command(flatten)]
    initialize: Initialize,
    /// Path to the input trace file. Each line in the trace file specifies the size of the append (e.g. 100B, 2MB, etc.)
    #[arg(long)]
    input: PathBuf,
    /// Path to the output file
    #[arg(long)]
    output: PathBuf,
    /// Type of data to be written: all bits 0, all bits 1, or bytes that are chosen at random
    #[arg(long, default_value = "random", value_parser = ["zero", "one", "random"])]
    r#type: String,
    #[command(flatten)]
    pub logging: Logging,
}

/// How long the writer's place and a write are waited for; those of 1.11.
const START: Duration = Duration::from_secs(15);
const APPEND: Duration = Duration::from_secs(10);

pub fn run(args: Args) -> Result<()> {
    args.logging.set_up()?;
    let sizes = sizes(&args.input)?;
    let data = sizes.iter().map(|size| data(&args.r#type, *size)).collect::<Result<Vec<Bytes>>>()?;
    let runtime = crate::runtime().map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let running = args.group.start(args.initialize).await?;
        let result = replay(&running.replica.client(), data, &args.output).await;
        running.replica.stop().await;
        running.node.shutdown().await;
        result
    })
}

async fn replay(client: &Client, data: Vec<Bytes>, output: &Path) -> Result<()> {
    let start = tokio::time::timeout(START, elected(client)).await;
    start.map_err(|_| "Failed to start a log writer: timed out")??;
    let (mut lines, count, started) = (String::new(), data.len(), Instant::now());
    for bytes in data {
        let (size, begun) = (bytes.len(), Instant::now());
        let append = tokio::time::timeout(APPEND, client.append(bytes)).await;
        append.map_err(|_| "Failed to append: timed out")?.map_err(|error| format!("Failed to append: {error}"))?;
        let took = begun.elapsed().as_secs_f64() * 1000.0;
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        // Writing to a string cannot fail.
        let _ = writeln!(lines, "{} Appended {size} bytes in {} ms", timestamp(wall), double::stream(took, 6));
    }
    say!("Total number of appends: {count}");
    say!("Total time used: {}", tepui_base::duration::format(started.elapsed()));
    std::fs::write(output, lines).map_err(|_| format!("Failed to open the output file {}", output.display()))
}

async fn elected(client: &Client) -> Result<()> {
    client.recovered().await;
    loop {
        match client.elect().await {
            Ok(Some(_)) => return Ok(()),
            Ok(None) => tokio::time::sleep(Duration::from_millis(50)).await,
            Err(error) => return Err(format!("Failed to start a log writer: {error}")),
        }
    }
}

fn sizes(input: &Path) -> Result<Vec<usize>> {
    let failed = |_| format!("Failed to open the trace file {}", input.display());
    let text = std::fs::read_to_string(input).map_err(failed)?;
    let size = |line: &str| {
        let size = tepui_base::bytes::parse(line.trim()).map_err(|error| error.to_string())?;
        usize::try_from(size).map_err(|error| error.to_string())
    };
    let sizes = text.lines().map(|line| size(line).map_err(|why| format!("Failed to parse the trace file: {why}")));
    sizes.collect()
}

fn data(kind: &str, size: usize) -> Result<Bytes> {
    let mut data = vec![if kind == "one" { 0xff } else { 0 }; size];
    if kind == "random" {
        getrandom::fill(&mut data).map_err(|error| error.to_string())?;
    }
    Ok(data.into())
}

/// As libprocess prints a time: `2026-11-28 06:10:03.123456789+00:00`.
fn timestamp(wall: Duration) -> String {
    const DAY: u64 = 24 * 3600;
    let (year, month, day) = tepui_base::date::civil(wall.as_secs() / DAY);
    let second = wall.as_secs() % DAY;
    let (hour, minute, nanos) = (second / 3600, second / 60 % 60, wall.subsec_nanos());
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{:02}.{nanos:09}+00:00", second % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_look_as_libprocess_prints_them() {
        let wall = Duration::new(1_795_846_203, 1_020_000);
        assert_eq!(timestamp(wall), "2026-11-28 06:10:03.001020000+00:00");
    }

    #[test]
    fn a_trace_has_a_size_in_each_line() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("trace");
        std::fs::write(&file, "100B\n 2KB \n").unwrap();
        assert_eq!(sizes(&file), Ok(vec![100, 2048]));
        std::fs::write(&file, "many").unwrap();
        assert!(sizes(&file).unwrap_err().starts_with("Failed to parse the trace file: "));
        assert!(sizes(&dir.path().join("none")).unwrap_err().starts_with("Failed to open the trace file"));
    }
}
