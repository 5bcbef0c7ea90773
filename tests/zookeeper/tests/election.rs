//! Elections in a real ZooKeeper: contenders, detectors, and what befalls them.

use anyhow::{Context, Result};
use bytes::Bytes;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;
use tepui_base::Instant;
use tepui_coordination::{Acl, Client, Config, Group, Mode};
use tepui_detector::{Change, Contest, Detection, Detector, Masters, Trouble};
use tepui_driver::Clock;
use tepui_election::info;
use tepui_proto::mesos::MasterInfo;
use tepui_wire::Upid;
use tokio::time::timeout;
use zookeeper::Ensemble;

const SESSION: Duration = Duration::from_secs(2);
const LIMIT: Duration = Duration::from_secs(60);

fn master(port: u16) -> Arc<MasterInfo> {
    Arc::new(info::of_pid(&Upid::new("master", Ipv4Addr::LOCALHOST, port), &format!("m{port}")))
}

/// A master as far as elections go.
struct Candidate {
    contest: Contest,
    clock: Clock,
    until: Instant,
}

impl Candidate {
    fn new(url: &str, port: u16) -> Result<Candidate> {
        Candidate::lasting(SESSION, url, port)
    }

    fn lasting(session: Duration, url: &str, port: u16) -> Result<Candidate> {
        let clock = Clock::default();
        let contest = Contest::open(&url.parse()?, session, clock);
        contest.contend(master(port));
        Ok(Candidate { contest, clock, until: Instant(0) })
    }

    /// The next change but extensions, which are noted.
    async fn change(&mut self) -> Result<Change> {
        loop {
            match timeout(LIMIT, self.contest.next()).await.context("nothing changes")? {
                Change::Extended(until) => self.until = until,
                Change::Elected(until) => {
                    self.until = until;
                    return Ok(Change::Elected(until));
                }
                change => return Ok(change),
            }
        }
    }

    async fn is_elected(&mut self) -> Result<()> {
        while !matches!(self.change().await?, Change::Elected(_)) {}
        assert!(self.until > self.clock.now().monotonic);
        Ok(())
    }

    async fn follows(&mut self, port: u16) -> Result<()> {
        let wanted = Change::Leader(Some(master(port)));
        while self.change().await? != wanted {}
        Ok(())
    }
}

fn detector(url: &str) -> Result<Detector> {
    Ok(Detector::open(&Masters::parse(url)?, SESSION))
}

async fn detects(detector: &mut Detector, port: Option<u16>) -> Result<Detection> {
    loop {
        let detection = detector.current();
        if detection.pid().map(|pid| pid.port) == port {
            return Ok(detection);
        }
        timeout(LIMIT, detector.next()).await.context("nothing is detected")?;
    }
}

fn client(ensemble: &Ensemble) -> Client {
    Client::open(Config { servers: ensemble.servers_text(), timeout: SESSION, credentials: None }).0
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_one_leads_when_the_leader_leaves_or_dies() -> Result<()> {
    let ensemble = Ensemble::start(1)?;
    let url = ensemble.url("/mesos");
    let mut eyes = detector(&url)?;
    let mut first = Candidate::new(&url, 1)?;
    first.is_elected().await?;
    let mut second = Candidate::new(&url, 2)?;
    second.follows(1).await?;
    let mut third = Candidate::new(&url, 3)?;
    third.follows(1).await?;
    let seen = detects(&mut eyes, Some(1)).await?;
    assert_eq!(seen.leader, Some(master(1)), "all of it");

    // As a master of Mesos finds it.
    let hand = client(&ensemble);
    let mut names = hand.children("/mesos", false).await?;
    names.sort();
    assert_eq!(names, ["json.info_0000000000", "json.info_0000000001", "json.info_0000000002"]);
    let bytes = hand.get("/mesos/json.info_0000000000").await?.0;
    assert_eq!(
        std::str::from_utf8(&bytes)?,
        r#"{"address":{"ip":"127.0.0.1","port":1},"capabilities":[{"type":"AGENT_UPDATE"},{"type":"AGENT_DRAINING"},{"type":"QUOTA_V2"}],"id":"m1","ip":16777343,"pid":"master@127.0.0.1:1","port":1}"#
    );

    first.contest.close().await;
    second.is_elected().await?;
    third.follows(2).await?;
    detects(&mut eyes, Some(2)).await?;
    // By hand: somebody deletes the leader's znode. It hears of it, and leads no longer.
    hand.delete("/mesos/json.info_0000000001", -1).await?;
    assert_eq!(second.change().await?, Change::Leader(None));
    third.is_elected().await?;
    detects(&mut eyes, Some(3)).await?;
    second.contest.contend(master(2));
    second.follows(3).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_longer_than_the_session_ends_a_leadership_in_time() -> Result<()> {
    let mut ensemble = Ensemble::start(1)?;
    let url = ensemble.url("/mesos");
    let mut eyes = detector(&url)?;
    let mut leader = Candidate::new(&url, 1)?;
    leader.is_elected().await?;
    detects(&mut eyes, Some(1)).await?;
    ensemble.server(0).pause()?;
    assert_eq!(leader.change().await?, Change::Leader(None));
    assert!(leader.clock.now().monotonic >= leader.until, "not sooner than it was sure of");
    detects(&mut eyes, None).await?;
    ensemble.server(0).resume()?;
    leader.contest.contend(master(7));
    leader.is_elected().await?;
    detects(&mut eyes, Some(7)).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn mesos_9426_elections_survive_their_servers_and_all_they_have_stored() -> Result<()> {
    let mut ensemble = Ensemble::start(3)?;
    let url = ensemble.url("/mesos");
    let mut eyes = detector(&url)?;
    // Longer than a busy machine takes to elect another server.
    let mut leader = Candidate::lasting(SESSION * 5, &url, 1)?;
    leader.is_elected().await?;
    // One server less, whichever: whoever leads or not, in the end somebody does, and is seen to.
    for index in 0..3 {
        ensemble.server(index).kill()?;
        let other = Candidate::new(&url, 10 + index as u16)?;
        detects(&mut eyes, Some(1)).await?;
        other.contest.close().await;
        ensemble.server(index).restart()?;
        ensemble.wait_until_serving()?;
    }
    ensemble.wipe()?;
    while leader.change().await? != Change::Leader(None) {}
    leader.contest.contend(master(2));
    leader.is_elected().await?;
    detects(&mut eyes, Some(2)).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_in_the_group_are_ignored_or_said() -> Result<()> {
    let ensemble = Ensemble::start(1)?;
    let url = ensemble.url("/mesos");
    let replicas = ensemble.url("/mesos/log_replicas");
    let (group, _events) = Group::open(&replicas.parse()?, SESSION);
    group.join(Bytes::from_static(b"log-replica(1)@127.0.0.1:5050"), None).await?;
    let hand = client(&ensemble);
    // The lowest, and nobody knows what it is.
    hand.create("/mesos/other_0000000000", Bytes::from_static(b"?"), Acl::open(), Mode::Persistent).await?;
    let mut eyes = detector(&url)?;
    let unknown = Trouble::Unreadable("Failed to parse data of unknown label 'other'".to_owned());
    assert_eq!(timeout(LIMIT, eyes.leader()).await?, Err(unknown));
    let mut candidate = Candidate::new(&url, 1)?;
    assert!(matches!(candidate.change().await?, Change::Unreadable(_)));
    hand.delete("/mesos/other_0000000000", -1).await?;
    candidate.is_elected().await?;
    detects(&mut eyes, Some(1)).await?;
    // A master older than 0.24, and one older still.
    candidate.contest.close().await;
    for (name, data) in [
        ("info_0000000000", tepui_proto::codec::encode(&*master(5))),
        ("0000000000", Bytes::from_static(b"master@127.0.0.1:6")),
    ] {
        let path = format!("/mesos/{name}");
        hand.create(&path, data, Acl::open(), Mode::Persistent).await?;
        detects(&mut eyes, Some(if name.starts_with("info") { 5 } else { 6 })).await?;
        hand.delete(&path, -1).await?;
        detects(&mut eyes, None).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn candidates_need_the_credentials_and_detectors_do_not() -> Result<()> {
    let ensemble = Ensemble::start(1)?;
    let mut leader = Candidate::new(&ensemble.url_as("mesos:secret", "/mesos"), 1)?;
    leader.is_elected().await?;
    let mut eyes = detector(&ensemble.url("/mesos"))?;
    detects(&mut eyes, Some(1)).await?;
    let mut stranger = Candidate::new(&ensemble.url("/mesos"), 2)?;
    let refused =
        "Failed to contend: Failed to create ephemeral node at '/mesos/json.info_' in ZooKeeper: not authenticated";
    loop {
        match stranger.change().await? {
            Change::Failed(why) => break assert_eq!(why, refused),
            change => assert!(matches!(change, Change::Leader(_))),
        }
    }
    Ok(())
}
