//! Replicas on real sockets, with disks that fail.

use bytes::Bytes;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tepui_logd::client::{Client, Elected, Error};
use tepui_logd::replica::{PROCESS, Settings};
use tepui_logd::{Replica, directory, quorum, replica};
use tepui_net::{NetConfig, Node};
use tepui_store::disk::{Disk, Fault, Recorder};
use tepui_wire::Upid;
use tokio::sync::watch;

/// Fails a test that hangs; far beyond what any step takes.
const PATIENCE: Duration = Duration::from_secs(20);
const DIR: &str = "/master/replicated_log";

struct Member {
    node: Node,
    disk: Recorder,
    others: watch::Sender<BTreeSet<Upid>>,
    settings: Settings,
}

async fn member(quorum: usize) -> Member {
    let node = Node::bind(NetConfig::loopback()).await.unwrap();
    let disk = Recorder::default();
    let (others, seen) = watch::channel(BTreeSet::new());
    let (disk_of_it, patience) = (Arc::new(disk.clone()), Duration::ZERO);
    let settings = Settings { disk: disk_of_it, patience, ..Settings::new(DIR, quorum, seen) };
    Member { node, disk, others, settings }
}

fn pids(members: &[Member]) -> BTreeSet<Upid> {
    members.iter().map(|member| member.node.upid(PROCESS)).collect()
}

/// Tells all replicas of a group that these are in it.
fn list(members: &[Member], all: &BTreeSet<Upid>) {
    for member in members {
        let own = member.node.upid(PROCESS);
        member.others.send_replace(all.iter().filter(|other| **other != own).cloned().collect());
    }
}

/// Starts replicas that know each other. They hear of each other once all are there, so that no first question is lost.
async fn group(count: usize, quorum: usize) -> (Vec<Member>, Vec<Replica>) {
    let (mut members, mut replicas) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let member = member(quorum).await;
        replicas.push(member.start().await);
        members.push(member);
    }
    list(&members, &pids(&members));
    (members, replicas)
}

impl Member {
    async fn start(&self) -> Replica {
        Replica::start(&self.node, self.settings.clone()).await.unwrap()
    }
}

/// Asks until this node is the writer.
async fn elected(client: &Client) -> Elected {
    loop {
        match client.elect().await {
            Ok(Some(elected)) => return elected,
            Ok(None) | Err(Error::Stopped) => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    }
}

async fn append(client: &Client, text: &'static str) -> Result<u64, Error> {
    client.append(Bytes::from_static(text.as_bytes())).await
}

fn texts(entries: Vec<(u64, Bytes)>) -> Vec<String> {
    entries.into_iter().map(|(_, bytes)| String::from_utf8(bytes.to_vec()).unwrap()).collect()
}

#[tokio::test]
async fn what_one_replica_wrote_is_there_after_a_restart() {
    let member = member(1).await;
    let replica = member.start().await;
    let client = replica.client();
    client.recovered().await;
    let first = elected(&client).await;
    let appends = ["a", "b", "c"].map(|text| append(&client, text));
    let [a, b, c] = appends;
    let (a, b, c) = tokio::join!(a, b, c);
    assert_eq!((b.unwrap(), c.unwrap()), (a.clone().unwrap() + 1, a.clone().unwrap() + 2));
    assert!(a.clone().unwrap() > first.end);
    client.truncate(a.unwrap() + 1).await.unwrap();
    replica.stop().await;
    let replica = member.start().await;
    let client = replica.client();
    let again = elected(&client).await;
    assert_eq!(texts(client.read(again.begin, again.end).await.unwrap()), ["b", "c"]);
    replica.stop().await;
    member.node.shutdown().await;
}

#[tokio::test]
async fn three_replicas_go_on_without_one_and_a_new_writer_reads_all() {
    let (members, mut replicas) = group(3, 2).await;
    let client = replicas[0].client();
    elected(&client).await;
    append(&client, "all").await.unwrap();
    replicas.pop().unwrap().stop().await;
    append(&client, "two of three").await.unwrap();
    let other = replicas[1].client();
    let range = elected(&other).await;
    assert_eq!(texts(other.read(range.begin, range.end).await.unwrap()), ["all", "two of three"]);
    assert_eq!(append(&client, "by the old writer").await, Err(Error::Lost));
    // The third one comes back with an empty disk, and catches up.
    let empty = Settings { disk: Arc::new(Recorder::default()), ..members[2].settings.clone() };
    replicas.push(Replica::start(&members[2].node, empty).await.unwrap());
    let third = replicas[2].client();
    third.recovered().await;
    let range = elected(&third).await;
    assert_eq!(texts(third.read(range.begin, range.end).await.unwrap()), ["all", "two of three"]);
}

#[tokio::test]
async fn a_full_disk_stops_the_replica_and_room_brings_it_back() {
    for fault in [Fault::Full(4000), Fault::Sync] {
        let member = member(1).await;
        let replica = member.start().await;
        let client = replica.client();
        elected(&client).await;
        append(&client, "kept").await.unwrap();
        member.disk.set_fault(Some(fault));
        let mut lost = 0;
        while client.append(Bytes::from(vec![b'x'; 500])).await.is_ok() {
            lost += 1;
            assert!(lost < 100, "the disk never fills up");
        }
        assert!(client.figures().await.is_none(), "it still runs");
        assert_eq!(append(&client, "into the void").await, Err(Error::Stopped));
        member.disk.set_fault(None);
        let range = elected(&client).await;
        let read = texts(client.read(range.begin, range.end).await.unwrap());
        assert_eq!(read[0], "kept");
        assert!(read.len() > lost, "acknowledged entries are gone: {} of {lost}", read.len() - 1);
        append(&client, "again").await.unwrap();
        replica.stop().await;
    }
}

#[tokio::test]
async fn a_damaged_directory_is_refused_with_what_to_do() {
    let member = member(1).await;
    let replica = member.start().await;
    elected(&replica.client()).await;
    append(&replica.client(), "kept").await.unwrap();
    replica.stop().await;
    let mut image = member.disk.image();
    let wal = image.iter_mut().find(|(path, _)| path.extension().is_some_and(|e| e == "log")).unwrap();
    let name = wal.0.display().to_string();
    match wal.1 {
        tepui_store::disk::Node::File(data) => data[9] ^= 4,
        tepui_store::disk::Node::Dir => panic!("{name}"),
    }
    let settings = Settings { disk: Arc::new(Recorder::holding(&image)), ..member.settings.clone() };
    let error = Replica::start(&member.node, settings).await.err().unwrap();
    assert!(matches!(error, replica::Error::Directory(directory::Error::Damaged { .. })), "{error}");
    let text = error.to_string();
    assert!(text.starts_with(&format!("{name} is damaged at byte 0: ")), "{text}");
    assert!(text.contains("To re-initialise this replica move /master/replicated_log away"), "{text}");
}

/// Why a start is refused, which is not when the operator accepts it.
async fn refused_until_accepted(node: &Node, settings: Settings) -> String {
    let error = Replica::start(node, settings.clone()).await.err().unwrap().to_string();
    Replica::start(node, Settings { accept_other_quorum: true, ..settings }).await.unwrap().stop().await;
    error
}

/// Waits until a replica stands still.
async fn stands(replica: &Replica) {
    let until = Instant::now() + PATIENCE;
    while replica.client().figures().await.is_some() {
        assert!(Instant::now() < until, "it goes on");
        tokio::task::yield_now().await;
    }
}

/// Each would be a log of its own, and all would be lost but one.
#[tokio::test]
async fn three_replicas_with_a_quorum_of_one_stop_and_do_not_vote_after_a_restart_either() {
    let (members, replicas) = group(3, 1).await;
    for replica in &replicas {
        stands(replica).await;
        assert_eq!(append(&replica.client(), "alone").await, Err(Error::Stopped));
    }
    for (member, replica) in members.iter().zip(replicas) {
        replica.stop().await;
        member.others.send_replace(BTreeSet::new());
        let again = member.start().await;
        stands(&again).await;
        again.stop().await;
        let right = Settings { quorum: 2, ..member.settings.clone() };
        let error = refused_until_accepted(&member.node, right).await;
        assert!(error.contains("give --accept_other_quorum for this one start"), "{error}");
    }
}

#[tokio::test]
async fn a_fourth_replica_at_a_quorum_of_two_stops_all_until_it_leaves() {
    let (mut members, mut replicas) = group(3, 2).await;
    elected(&replicas[0].client()).await;
    append(&replicas[0].client(), "by three").await.unwrap();
    members.push(member(2).await);
    replicas.push(members[3].start().await);
    list(&members, &pids(&members));
    for replica in &replicas {
        stands(replica).await;
        assert_eq!(append(&replica.client(), "by two of four").await, Err(Error::Stopped));
    }
    replicas.pop().unwrap().stop().await;
    list(&members[..3], &pids(&members[..3]));
    let client = replicas[1].client();
    let range = elected(&client).await;
    assert_eq!(texts(client.read(range.begin, range.end).await.unwrap()), ["by three"]);
    append(&client, "by three again").await.unwrap();
}

/// It is listed twice until its old session is over.
#[tokio::test]
async fn a_member_that_moves_stops_nobody() {
    let (mut members, mut replicas) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        let mut member = member(2).await;
        member.settings.patience = Duration::from_secs(3600);
        members.push(member);
    }
    for member in &members[..3] {
        replicas.push(member.start().await);
    }
    list(&members[..3], &pids(&members[..3]));
    let client = replicas[0].client();
    elected(&client).await;
    replicas.pop().unwrap().stop().await;
    replicas.push(members[3].start().await);
    list(&members, &pids(&members));
    append(&client, "while it is listed twice").await.unwrap();
    // A restart meanwhile is not refused: the group is found by and by again.
    replicas.remove(1).stop().await;
    members[1].others.send_replace(BTreeSet::new());
    replicas.push(members[1].start().await);
    list(&members, &pids(&members));
    append(&client, "with the one that was restarted").await.unwrap();
    members.remove(2);
    list(&members, &pids(&members));
    append(&client, "with the one that moved").await.unwrap();
    let disk: Arc<dyn Disk> = Arc::new(members[0].disk.clone());
    let written = quorum::recorded(&disk, Path::new(DIR)).unwrap().unwrap();
    assert_eq!(written.others, pids(&members[1..]));
}

#[tokio::test]
async fn another_quorum_is_refused_until_it_is_accepted() {
    let member = member(1).await;
    member.start().await.stop().await;
    let disk: Arc<dyn Disk> = Arc::new(member.disk.clone());
    assert!(tepui_store::small_file::read(&disk, &quorum::file(Path::new(DIR))).unwrap().is_some());
    let settings = Settings { quorum: 2, ..member.settings.clone() };
    let error = refused_until_accepted(&member.node, settings).await;
    assert!(error.starts_with("the quorum is 2, but this log was last started with a quorum of 1"), "{error}");
}

/// It votes with what it held then, unless it is told that nobody remembers better.
#[tokio::test]
async fn an_old_copy_of_a_directory_is_refused_and_an_empty_one_is_not() {
    let member = member(1).await;
    let replica = member.start().await;
    elected(&replica.client()).await;
    append(&replica.client(), "in the copy").await.unwrap();
    replica.stop().await;
    let copy: Vec<_> = member.disk.image().into_iter().filter(|(path, _)| path.starts_with(DIR)).collect();
    let replica = member.start().await;
    elected(&replica.client()).await;
    append(&replica.client(), "after the copy").await.unwrap();
    replica.stop().await;
    member.start().await.stop().await;
    // The file beside the directory is the one of today.
    let mut image = member.disk.image();
    image.retain(|path, _| !path.starts_with(DIR) || path == Path::new(DIR));
    let empty = Settings { disk: Arc::new(Recorder::holding(&image)), ..member.settings.clone() };
    image.extend(copy);
    let old = Settings { disk: Arc::new(Recorder::holding(&image)), ..member.settings.clone() };
    let old_image = image;
    let error = Replica::start(&member.node, old.clone()).await.err().unwrap().to_string();
    assert!(error.contains("an old copy was put back") && error.contains("/master/replicated_log.quorum"), "{error}");
    let meant = Settings { disk: Arc::new(Recorder::holding(&old_image)), ..old.clone() };
    quorum::forget_reached(&meant.disk, Path::new(DIR)).unwrap();
    Replica::start(&member.node, meant).await.unwrap().stop().await;
    Replica::start(&member.node, Settings { accept_other_quorum: true, ..old }).await.unwrap().stop().await;
    Replica::start(&member.node, empty).await.unwrap().stop().await;
}
