//! Benchmarks a person can run: `cargo run --release -p tepui-bench -- allocator --agents 10000 --frameworks 500`.
//!
//! `tasks` speaks to any master over the V1 API, so it measures Tepui and Apache Mesos alike. What was measured so far is
//! in docs/performance.md.

use clap::{Parser, Subcommand};
use std::process::ExitCode;
use tepui_bench::{allocator, cluster, failover, idle, log, output, resources, tasks, views};

/// Measures parts of Tepui. Figures depend on the machine; nothing is asserted.
#[derive(Parser)]
#[command(name = "tepui-bench")]
struct Arguments {
    #[command(subcommand)]
    benchmark: Benchmark,
}

#[derive(Subcommand)]
enum Benchmark {
    /// Allocation cycles of the hierarchical allocator.
    Allocator(allocator::Arguments),
    /// Operations on resources.
    Resources(resources::Arguments),
    /// Latency and throughput of command tasks on a running cluster.
    Tasks(tasks::Arguments),
    /// A whole master under emulated agents and frameworks: registrations, memory, `/state`, tasks.
    Cluster(cluster::Arguments),
    /// From kill -9 of the leader of several masters to the next one that takes writes.
    Failover(failover::Arguments),
    /// Time to readiness and memory of an idle `tepui dev`, and memory of one command executor.
    Idle(idle::Arguments),
    /// Appends to a replicated log of one replica and of three, beside what the disk can do.
    Log(log::Arguments),
    /// The master's views over a cluster that is made up.
    Views(views::Arguments),
}

/// What a shell shows of a program that a broken pipe has ended.
const LEFT: u8 = 141;

fn main() -> anyhow::Result<ExitCode> {
    let benchmark = Arguments::parse().benchmark;
    match output::until_left(|| run(benchmark)) {
        Some(result) => result.map(|()| ExitCode::SUCCESS),
        None => Ok(ExitCode::from(LEFT)),
    }
}

fn run(benchmark: Benchmark) -> anyhow::Result<()> {
    match benchmark {
        Benchmark::Allocator(arguments) => allocator::run(&arguments),
        Benchmark::Resources(arguments) => resources::run(&arguments),
        Benchmark::Tasks(arguments) => tasks::run(&arguments),
        Benchmark::Cluster(arguments) => cluster::run(&arguments),
        Benchmark::Failover(arguments) => failover::run(&arguments),
        Benchmark::Idle(arguments) => idle::run(&arguments),
        Benchmark::Log(arguments) => log::run(&arguments),
        Benchmark::Views(arguments) => views::run(&arguments),
    }
}
