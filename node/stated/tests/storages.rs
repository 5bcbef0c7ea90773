//! The suite over memory, a LevelDB directory and a replicated log. ZooKeeper's is with the other tests that need one.

mod suite;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use suite::Fixture;
use tepui_logd::Replica;
use tepui_logd::replica::{PROCESS, Settings};
use tepui_net::{NetConfig, Node};
use tepui_stated::State;
use tepui_stated::replicated::LogKeeper;
use tepui_store::Options;
use tepui_store::disk::{Fault, RealDisk, Recorder};
use tokio::sync::watch;

/// A storage to which all ways are the same.
struct One(State);

impl Fixture for One {
    async fn open(&mut self) -> State {
        self.0.clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn variables_in_memory() {
    suite::run(&mut One(State::in_memory().unwrap())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn variables_in_a_leveldb_directory() {
    let folder = tempfile::tempdir().unwrap();
    let state = State::level_db(folder.path().join("state")).unwrap();
    suite::run(&mut One(state)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn variables_in_a_leveldb_directory_outlive_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let state = State::level_db(folder.path()).unwrap();
    let left = suite::leave(&state).await;
    let refusal = State::level_db(folder.path()).err().expect("one process at a time").to_string();
    assert!(refusal.contains("LOCK"), "{refusal}");
    drop(state);
    suite::found_again(&State::level_db(folder.path()).unwrap(), &left).await;
}

/// Limits so small that a few changes make tables.
fn small() -> Options {
    Options { memory_bytes: 1200, wal_bytes: 2500, table_bytes: 700, ..Options::default() }
}

#[tokio::test]
async fn a_change_that_the_disk_refused_is_not_read_and_the_directory_is_used_again_when_it_works() {
    let faults = [
        Fault::Full(0),
        Fault::Sync,
        Fault::SyncDir,
        Fault::Read,
        Fault::Rename { done: false },
        Fault::Rename { done: true },
    ];
    for fault in faults {
        let disk = Recorder::default();
        let open = || State::level_db_on(Arc::new(disk.clone()), "/state", small()).unwrap();
        let state = open();
        let mut kept = state.fetch("v").await.unwrap();
        disk.set_fault(Some(fault));
        let refused = loop {
            let next = kept.mutate([kept.value(), &b"|"[..]].concat().into());
            match state.store(&next).await {
                Ok(stored) => kept = stored.expect("nobody else writes"),
                Err(_) => break next,
            }
        };
        assert!(state.fetch("v").await.is_err(), "{fault:?}: what the disk holds is not known");
        assert!(state.names().await.is_err(), "{fault:?}");
        disk.set_fault(None);
        let found = state.fetch("v").await.unwrap();
        assert!([kept.value(), refused.value()].contains(&found.value()), "{fault:?}");
        drop(state);
        let state = open();
        let again = state.fetch("v").await.unwrap();
        assert_eq!(again.value(), found.value(), "{fault:?}: what was read is durable");
        assert!(state.store(&again.mutate("more".into())).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn a_directory_that_is_not_mounted_is_not_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (path, away) = (folder.path().join("state"), folder.path().join("away"));
    let state = State::level_db_on(Arc::new(RealDisk), &path, small()).unwrap();
    let mut kept = state.store(&state.fetch("v").await.unwrap().mutate("value".into())).await.unwrap().unwrap();
    std::fs::rename(&path, &away).unwrap();
    // Until a table is due, for which a file is made.
    while let Ok(stored) = state.store(&kept).await {
        kept = stored.expect("nobody else writes");
    }
    assert!(state.fetch("v").await.is_err());
    assert!(!path.exists(), "an empty one stands in for it");
    std::fs::rename(&away, &path).unwrap();
    assert_eq!(state.fetch("v").await.unwrap().value(), kept.value());
}

struct Member {
    node: Node,
    settings: Settings,
    others: watch::Sender<BTreeSet<tepui_wire::Upid>>,
}

impl Member {
    async fn new(directory: &Path, quorum: usize) -> Member {
        let node = Node::bind(NetConfig::loopback()).await.unwrap();
        let (others, seen) = watch::channel(BTreeSet::new());
        Member { node, settings: Settings::new(directory, quorum, seen), others }
    }

    async fn start(&self) -> (State, Replica<LogKeeper>) {
        State::log(&self.node, self.settings.clone()).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn variables_in_a_replicated_log() {
    let folder = tempfile::tempdir().unwrap();
    let member = Member::new(folder.path(), 1).await;
    let (state, _replica) = member.start().await;
    suite::run(&mut One(state)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn variables_in_a_replicated_log_outlive_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let member = Member::new(folder.path(), 1).await;
    let (state, replica) = member.start().await;
    let left = suite::leave(&state).await;
    replica.stop().await;
    assert!(state.fetch("left").await.is_err(), "it has ended");
    let (state, _replica) = member.start().await;
    suite::found_again(&state, &left).await;
}

/// Each has a replica of its own, and they take the writer's place from one another.
#[tokio::test(flavor = "multi_thread")]
async fn changes_of_writers_on_three_nodes_have_one_order() {
    let (mut members, mut states, mut replicas) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..3 {
        let mut member = Member::new(Path::new("/state/replicated_log"), 2).await;
        member.settings.disk = Arc::new(Recorder::default());
        let (state, replica) = member.start().await;
        members.push(member);
        states.push(state);
        replicas.push(replica);
    }
    let all: BTreeSet<_> = members.iter().map(|member| member.node.upid(PROCESS)).collect();
    for member in &members {
        let own = member.node.upid(PROCESS);
        member.others.send_replace(all.iter().filter(|other| **other != own).cloned().collect());
    }
    let reader = states[0].clone();
    suite::changes_have_one_order(states, reader).await;
}
