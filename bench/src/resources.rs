//! How many operations on resources one core does in a second: on an agent of four resources, as the allocator sees
//! them all day, and on one with reservations and fragmented ports.

use crate::output::say;
use std::hint::black_box;
use std::time::{Duration, Instant};

use tepui_resources::{Quantities, Resources, Role};

/// How long each operation is measured.
const RUN: Duration = Duration::from_millis(500);
/// Operations between two looks at the clock.
const BATCH: u32 = 1000;

/// Runs it and prints one line per operation.
pub fn run() -> anyhow::Result<()> {
    let plain = Resources::parse("cpus:48;mem:196608;disk:1048576;ports:[31000-32000]", "*")?;
    let task = Resources::parse("cpus:0.1;mem:128;disk:10;ports:[31005-31006]", "*")?;
    let busy = Resources::parse(
        "cpus:24;mem:98304;disk:524288;ports:[31000-31004,31007-31010,31020-32000];\
         cpus(eng):24;mem(eng):98304;cpus(ops/db):4;mem(ops/db):1024",
        "*",
    )?;
    say!("size of a resource: {} bytes", size_of::<tepui_resources::Resource>());
    measure("plain", &plain, &task);
    measure("reserved", &busy, &Resources::parse("cpus(ops/db):0.1;mem:128;ports:[31000-31001]", "*")?);
    Ok(())
}

fn measure(what: &str, agent: &Resources, task: &Resources) {
    let (mut total, role) = (agent.clone(), Role::from("eng"));
    let report = |operation: &str, rate: f64| say!("{what:9} {operation:28} {:8.2} M/s", rate / 1e6);
    report(
        "-= and += in place",
        rate(|| {
            total -= black_box(task);
            total += black_box(task);
        }),
    );
    report("a - b", rate(|| drop(black_box(black_box(agent) - black_box(task)))));
    report("a + b", rate(|| drop(black_box(black_box(agent) + black_box(task)))));
    report("contains", rate(|| _ = black_box(black_box(agent).contains(black_box(task)))));
    report("clone", rate(|| drop(black_box(black_box(agent).clone()))));
    report(
        "allocate and unallocate",
        rate(|| {
            total.allocate(black_box(&role));
            total.unallocate();
        }),
    );
    report("allocatable_to", rate(|| drop(black_box(black_box(agent).allocatable_to("ops/db/x")))));
    report("quantities", rate(|| drop(black_box(Quantities::from_scalars(black_box(agent))))));
    let (mut sum, more) = (Quantities::from_scalars(agent), Quantities::from_scalars(task));
    report(
        "quantities += and -=",
        rate(|| {
            sum += black_box(&more);
            sum -= black_box(&more);
        }),
    );
    report("filter", rate(|| drop(black_box(black_box(agent).filter(|resource| resource.is_unreserved())))));
    let text = "cpus:48;mem:196608;disk:1048576;ports:[31000-32000]";
    report("parse", rate(|| _ = black_box(Resources::parse(black_box(text), "*"))));
    let messages = agent.to_proto();
    report("from messages", rate(|| drop(black_box(Resources::from_proto(black_box(&messages))))));
    report("to messages", rate(|| drop(black_box(black_box(agent).to_proto()))));
    assert_eq!(&total.unallocated(), agent);
}

/// Operations per second.
fn rate(mut operation: impl FnMut()) -> f64 {
    let (start, mut done) = (Instant::now(), 0u64);
    while start.elapsed() < RUN {
        (0..BATCH).for_each(|_| operation());
        done += u64::from(BATCH);
    }
    done as f64 / start.elapsed().as_secs_f64()
}
