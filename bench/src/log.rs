//! Appends to a replicated log: one replica and three, one at a time and many in flight, beside what the disk can do.
//!
//! The disk is measured in the same run, in turns with the appends: a file that grows by records of the same size, with an
//! fdatasync after each. Replicas run in threads with runtimes of their own, as they would in processes, on loopback.

use crate::output::say;
use crate::{fdatasync, process};
use anyhow::{Context, bail};
use bytes::Bytes;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use tepui_logd::replica::{PROCESS, Settings};
use tepui_logd::{Client, Replica};
use tepui_net::{NetConfig, Node};
use tepui_wire::Upid;
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};

/// What to append.
#[derive(clap::Args)]
pub struct Arguments {
    /// Bytes of each entry.
    #[arg(long, default_value_t = 128)]
    size: usize,
    /// How many are under way in the second figure of each group.
    #[arg(long, default_value_t = 64)]
    in_flight: usize,
    /// Seconds of each figure.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Where the directories are made: a disk that is to be measured, not a temporary file system.
    #[arg(long, default_value = ".")]
    directory: PathBuf,
}

/// What a record costs in the write-ahead log beside its entry, about.
const RECORD_BYTES: usize = 60;

/// How long the disk, or the log, has a turn.
const TURN: Duration = Duration::from_millis(100);

/// Measures and prints.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let folder = tempfile::Builder::new().prefix("tepui-bench-log").tempdir_in(&arguments.directory)?;
    say!("entries of {} bytes; {} s each", arguments.size, arguments.seconds);
    for replicas in [1, 3] {
        let group = Group::start(&folder.path().join(replicas.to_string()), replicas)?;
        for in_flight in [1, arguments.in_flight] {
            measure(arguments, &group, folder.path(), in_flight)?.print(replicas, in_flight);
        }
    }
    Ok(())
}

/// What was done in how many seconds, and the processor time of the appends.
#[derive(Default)]
struct Measured {
    appends: (u64, f64),
    syncs: (u64, f64),
    cpu: Duration,
}

/// Appends and bare fdatasyncs take turns, many times a second, because a disk that others use changes from one second to the next.
fn measure(arguments: &Arguments, group: &Group, folder: &Path, in_flight: usize) -> anyhow::Result<Measured> {
    let (mut measured, started) = (Measured::default(), Instant::now());
    let mut disk = fdatasync::Growing::create(folder, arguments.size + RECORD_BYTES)?;
    while started.elapsed().as_secs_f64() < arguments.seconds {
        let (count, seconds) = disk.sync_for(TURN)?;
        measured.syncs = (measured.syncs.0 + count, measured.syncs.1 + seconds);
        let (before, turn) = (process::cpu(std::process::id())?, Instant::now());
        let count = group.appends(arguments.size, in_flight, TURN)?;
        measured.appends = (measured.appends.0 + count, measured.appends.1 + turn.elapsed().as_secs_f64());
        measured.cpu += (process::cpu(std::process::id())? - before).total();
    }
    Ok(measured)
}

impl Measured {
    fn print(&self, replicas: usize, in_flight: usize) {
        let (rate, disk) = (self.appends.0 as f64 / self.appends.1, self.syncs.0 as f64 / self.syncs.1);
        let cpu = self.cpu.as_secs_f64() * 1e6 / self.appends.0 as f64;
        say!(
            "{replicas} replica(s), {in_flight:>3} in flight: {rate:>8.0} appends/s, {cpu:.0} us of processor time each   \
             (fdatasync {disk:.0}/s: {:.2} of it)",
            rate / disk
        );
    }
}

/// Replicas in threads, the first of them the writer.
struct Group {
    threads: Vec<(std::thread::JoinHandle<()>, oneshot::Sender<()>)>,
    writer: Client,
    /// Where the writer runs. Whoever appends in a master, its registrar, is there too.
    home: Handle,
}

struct Started {
    own: Upid,
    client: Client,
    home: Handle,
    others: watch::Sender<BTreeSet<Upid>>,
}

impl Group {
    fn start(folder: &Path, count: usize) -> anyhow::Result<Group> {
        let (mut threads, mut started) = (Vec::new(), Vec::new());
        for number in 0..count {
            let (stop, stopped) = oneshot::channel();
            let (sender, receiver) = mpsc::channel();
            let directory = folder.join(number.to_string());
            threads.push((std::thread::spawn(move || replica(directory, count / 2 + 1, &sender, stopped)), stop));
            started.push(receiver.recv().context("a replica does not start")??);
        }
        let all: BTreeSet<Upid> = started.iter().map(|replica| replica.own.clone()).collect();
        for replica in &started {
            replica.others.send_replace(all.iter().filter(|other| **other != replica.own).cloned().collect());
        }
        let Started { client, home, .. } = started.swap_remove(0);
        let group = Group { threads, writer: client, home };
        block_on(async {
            group.writer.recovered().await;
            while group.writer.elect().await?.is_none() {}
            Ok(())
        })?;
        Ok(group)
    }

    /// How many appends are acknowledged in this time, with so many under way.
    fn appends(&self, size: usize, in_flight: usize, span: Duration) -> anyhow::Result<u64> {
        let started = Instant::now();
        block_on(async {
            let mut appenders = tokio::task::JoinSet::new();
            for _ in 0..in_flight {
                let (writer, entry) = (self.writer.clone(), Bytes::from(vec![7; size]));
                let append = async move {
                    // One at least: a disk that others use may stand still for longer than a turn.
                    let mut count = 0u64;
                    loop {
                        writer.append(entry.clone()).await?;
                        count += 1;
                        if started.elapsed() >= span {
                            return Ok::<u64, tepui_logd::client::Error>(count);
                        }
                    }
                };
                appenders.spawn_on(append, &self.home);
            }
            let mut count = 0;
            while let Some(appended) = appenders.join_next().await {
                count += appended??;
            }
            Ok(count)
        })
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for (thread, stop) in self.threads.drain(..) {
            drop(stop);
            // A replica that panicked has said so.
            let _ = thread.join();
        }
    }
}

fn block_on<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(future)
}

/// One replica, until it is told to stop.
fn replica(
    directory: PathBuf,
    quorum: usize,
    started: &mpsc::Sender<anyhow::Result<Started>>,
    stopped: oneshot::Receiver<()>,
) {
    let ran = block_on(async {
        let node = Node::bind(NetConfig::loopback()).await?;
        let (others, seen) = watch::channel(BTreeSet::new());
        let replica = Replica::start(&node, Settings::new(directory, quorum, seen)).await?;
        let home = Handle::current();
        let ready = Started { own: node.upid(PROCESS), client: replica.client(), home, others };
        if started.send(Ok(ready)).is_err() {
            bail!("nobody waits for the replica");
        }
        // The other end is dropped, never used.
        let _ = stopped.await;
        replica.stop().await;
        Ok(())
    });
    if let Err(error) = ran {
        let _ = started.send(Err(error));
    }
}
