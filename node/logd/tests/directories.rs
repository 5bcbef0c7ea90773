//! A replica whose directory, or the file beside it, cannot be used for a while, and what an orderly end leaves in it.

mod faulty;

use bytes::Bytes;
use faulty::{Faulty, Refusal};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use tepui_logd::client::{Elected, Error};
use tepui_logd::replica::Settings;
use tepui_logd::{Replica, directory};
use tepui_net::{NetConfig, Node};
use tepui_store::Options;
use tepui_store::disk::{Fault, Recorder};
use tokio::sync::watch;

const DIR: &str = "/master/replicated_log";

/// The only replica of its log.
struct Alone {
    node: Node,
    disk: Recorder,
    faulty: Faulty,
    settings: Settings,
}

impl Alone {
    async fn new() -> Alone {
        let node = Node::bind(NetConfig::loopback()).await.unwrap();
        let disk = Recorder::default();
        let (faulty, nobody) = (Faulty::new(disk.clone()), watch::channel(Default::default()).1);
        let settings = Settings { disk: Arc::new(faulty.clone()), ..Settings::new(DIR, 1, nobody) };
        Alone { node, disk, faulty, settings }
    }

    async fn start(&self) -> Replica {
        Replica::start(&self.node, self.settings.clone()).await.unwrap()
    }
}

/// Asks until this node is the writer, for as long as the replica lives.
async fn elected(replica: &mut Replica) -> Elected {
    let client = replica.client();
    let elected = async {
        loop {
            match client.elect().await {
                Ok(Some(elected)) => return elected,
                Ok(None) | Err(Error::Stopped | Error::Lost) => tokio::task::yield_now().await,
                Err(error) => panic!("{error}"),
            }
        }
    };
    tokio::select! {
        elected = elected => elected,
        why = replica.ended() => panic!("it has ended: {why}"),
    }
}

/// Appends until something is refused; how often that went well.
async fn fill(replica: &Replica) -> usize {
    let mut written = 0;
    while replica.client().append(Bytes::from(vec![b'x'; 90])).await.is_ok() {
        written += 1;
        assert!(written < 1000, "the disk refuses nothing");
    }
    written
}

/// How many entries there are.
async fn entries(replica: &mut Replica) -> usize {
    let range = elected(replica).await;
    replica.client().read(range.begin, range.end).await.unwrap().len()
}

#[tokio::test]
async fn a_directory_that_is_not_mounted_is_waited_for_and_not_made_anew() {
    let alone = Alone::new().await;
    let mut replica = alone.start().await;
    elected(&mut replica).await;
    replica.client().append(Bytes::from_static(b"kept")).await.unwrap();
    alone.faulty.refuse(Some(Refusal::Unmounted(DIR)));
    alone.disk.set_fault(Some(Fault::Sync));
    fill(&replica).await;
    alone.disk.set_fault(None);
    alone.faulty.refused(2).await;
    assert!(replica.client().figures().await.is_none(), "it runs without its directory");
    alone.faulty.refuse(None);
    // What the failed sync was to write may be there, too.
    assert!((1..=2).contains(&entries(&mut replica).await));
    replica.stop().await;
}

#[tokio::test]
async fn a_disk_that_fills_up_at_any_byte_ends_nobody() {
    for room in (0..1000).step_by(50) {
        let alone = Alone::new().await;
        let mut replica = alone.start().await;
        elected(&mut replica).await;
        alone.disk.set_fault(Some(Fault::Full(1000 + room)));
        let written = fill(&replica).await;
        alone.disk.set_fault(None);
        let found = entries(&mut replica).await;
        assert!((written..=written + 1).contains(&found), "{room}: {found} of {written}");
        replica.stop().await;
    }
}

/// The volume of the directory has room, and that of the directory above it has none, or may not be written.
#[tokio::test]
async fn the_file_beside_the_directory_need_not_be_writable() {
    for kind in [ErrorKind::ReadOnlyFilesystem, ErrorKind::StorageFull] {
        let alone = Alone::new().await;
        alone.faulty.refuse(Some(Refusal::Create(".quorum", kind)));
        let mut replica = alone.start().await;
        elected(&mut replica).await;
        replica.client().append(Bytes::from_static(b"kept")).await.unwrap();
        alone.disk.set_fault(Some(Fault::Sync));
        fill(&replica).await;
        alone.disk.set_fault(None);
        assert!(entries(&mut replica).await >= 1, "it goes on");
        replica.stop().await;
        alone.start().await.stop().await;
        let accepted = Settings { accept_other_quorum: true, ..alone.settings.clone() };
        let error = Replica::start(&alone.node, accepted).await.err().unwrap().to_string();
        assert!(error.starts_with("cannot create /master/replicated_log.quorum.tmp: "), "{error}");
    }
}

/// That a group may shrink is seen by it.
#[tokio::test]
async fn after_an_orderly_end_the_last_position_is_known_to_be_decided() {
    let alone = Alone::new().await;
    let mut replica = alone.start().await;
    elected(&mut replica).await;
    let last = replica.client().append(Bytes::from_static(b"last")).await.unwrap();
    replica.stop().await;
    let look = Options { read_only: true, ..Options::default() };
    let (_store, restored) = directory::open(alone.settings.disk.clone(), Path::new(DIR), look).unwrap();
    assert_eq!((restored.missing(), restored.range().1), (0, last));
}
