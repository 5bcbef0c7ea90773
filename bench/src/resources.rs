//! How many operations on resources one core does in a second: on an agent of four resources, as the allocator sees
//! them all day, and on one with reservations and fragmented ports.

use crate::output::say;
use std::hint::black_box;
use std::time::{Duration, Instant};

use tepui_resources::{Quantities, Resources, Role};

/// How long to measure.
#[derive(clap::Args)]
pub struct Arguments {
    /// Milliseconds of each operation.
    #[arg(long, default_value_t = 500)]
    millis: u64,
}

/// Operations between two looks at the clock, of those that take less than a microsecond or so.
const BATCH: u32 = 1000;
/// The same of those that take longer.
const SMALL_BATCH: u32 = 10;
/// How many pieces the ranges of `ArithmeticOverlapping` are in.
const PIECES: [u64; 3] = [10, 100, 1000];
/// How many times `Parse` reads its text.
const PARSES: [u32; 3] = [1_000, 10_000, 50_000];

/// Runs it and prints one line per operation.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let time = Duration::from_millis(arguments.millis);
    let plain = Resources::parse("cpus:48;mem:196608;disk:1048576;ports:[31000-32000]", "*")?;
    let task = Resources::parse("cpus:0.1;mem:128;disk:10;ports:[31005-31006]", "*")?;
    let busy = Resources::parse(
        "cpus:24;mem:98304;disk:524288;ports:[31000-31004,31007-31010,31020-32000];\
         cpus(eng):24;mem(eng):98304;cpus(ops/db):4;mem(ops/db):1024",
        "*",
    )?;
    say!("size of a resource: {} bytes", size_of::<tepui_resources::Resource>());
    measure(time, "plain", &plain, &task);
    measure(time, "reserved", &busy, &Resources::parse("cpus(ops/db):0.1;mem:128;ports:[31000-31001]", "*")?);
    PIECES.into_iter().try_for_each(|pieces| overlapping(time, pieces))?;
    PARSES.into_iter().try_for_each(parse)
}

/// Ranges of which each piece overlaps one of the other: `[1-6, 11-16, ...]` and `[3-8, 13-18, ...]`, as in Mesos' benchmark
/// `ArithmeticOverlapping`.
fn overlapping(time: Duration, pieces: u64) -> anyhow::Result<()> {
    let ports = |first: u64| {
        let ranges: Vec<String> =
            (0..pieces).map(|piece| first + piece * 10).map(|begin| format!("{begin}-{}", begin + 5)).collect();
        Resources::parse(&format!("ports:[{}]", ranges.join(",")), "*")
    };
    let (a, b) = (ports(1)?, ports(3)?);
    let rate = |operation: &mut dyn FnMut()| 1e6 / rate(time, SMALL_BATCH, operation);
    let sum = rate(&mut || drop(black_box(black_box(&a) + black_box(&b))));
    let difference = rate(&mut || drop(black_box(black_box(&a) - black_box(&b))));
    say!("ranges    {pieces:>5} overlapping pieces: a + b {sum:.2} us, a - b {difference:.2} us");
    Ok(())
}

/// A text of a hundred resources, so many times, as in Mesos' benchmark `Parse`.
fn parse(times: u32) -> anyhow::Result<()> {
    let text = (0..100).map(|number| format!("res{number}:{number}")).collect::<Vec<_>>().join(";");
    let start = Instant::now();
    for _ in 0..times {
        black_box(Resources::parse(black_box(&text), "*")?);
    }
    let seconds = start.elapsed().as_secs_f64();
    say!("parse of 100 resources, {times} times: {seconds:.3} s, {:.1} us each", seconds * 1e6 / f64::from(times));
    Ok(())
}

fn measure(time: Duration, what: &str, agent: &Resources, task: &Resources) {
    let (mut total, role) = (agent.clone(), Role::from("eng"));
    let report = |operation: &str, rate: f64| say!("{what:9} {operation:28} {:8.2} M/s", rate / 1e6);
    let rate = |operation: &mut dyn FnMut()| rate(time, BATCH, operation);
    report(
        "-= and += in place",
        rate(&mut || {
            total -= black_box(task);
            total += black_box(task);
        }),
    );
    report("a - b", rate(&mut || drop(black_box(black_box(agent) - black_box(task)))));
    report("a + b", rate(&mut || drop(black_box(black_box(agent) + black_box(task)))));
    report("contains", rate(&mut || _ = black_box(black_box(agent).contains(black_box(task)))));
    report("clone", rate(&mut || drop(black_box(black_box(agent).clone()))));
    report(
        "allocate and unallocate",
        rate(&mut || {
            total.allocate(black_box(&role));
            total.unallocate();
        }),
    );
    report("allocatable_to", rate(&mut || drop(black_box(black_box(agent).allocatable_to("ops/db/x")))));
    report("quantities", rate(&mut || drop(black_box(Quantities::from_scalars(black_box(agent))))));
    let (mut sum, more) = (Quantities::from_scalars(agent), Quantities::from_scalars(task));
    report(
        "quantities += and -=",
        rate(&mut || {
            sum += black_box(&more);
            sum -= black_box(&more);
        }),
    );
    report("filter", rate(&mut || drop(black_box(black_box(agent).filter(|resource| resource.is_unreserved())))));
    let text = "cpus:48;mem:196608;disk:1048576;ports:[31000-32000]";
    report("parse", rate(&mut || _ = black_box(Resources::parse(black_box(text), "*"))));
    let messages = agent.to_proto();
    report("from messages", rate(&mut || drop(black_box(Resources::from_proto(black_box(&messages))))));
    report("to messages", rate(&mut || drop(black_box(black_box(agent).to_proto()))));
    assert_eq!(&total.unallocated(), agent);
}

/// Operations per second.
fn rate(time: Duration, batch: u32, operation: &mut dyn FnMut()) -> f64 {
    let (start, mut done) = (Instant::now(), 0u64);
    while start.elapsed() < time {
        (0..batch).for_each(|_| operation());
        done += u64::from(batch);
    }
    done as f64 / start.elapsed().as_secs_f64()
}
