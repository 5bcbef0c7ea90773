//! Benchmarks a person can run: `cargo run --release -p tepui-bench -- allocator --agents 10000 --frameworks 500`.

mod allocator;

use clap::{Parser, Subcommand};

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
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().benchmark {
        Benchmark::Allocator(arguments) => allocator::run(&arguments),
    }
}
