//! Groups in a real ZooKeeper: names, data, watches, sessions that end, servers that go.

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use std::time::Duration;
use tepui_coordination::{Acl, Client, Code, Config, Error, Group, GroupEvent, Member, Mode, Url};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, timeout};
use zookeeper::Ensemble;

/// Sessions are short, so that their end does not take long.
const SESSION: Duration = Duration::from_secs(2);
/// Nothing that is waited for takes so long, even on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

struct Peer {
    group: Group,
    events: UnboundedReceiver<GroupEvent>,
    until: Option<Instant>,
}

impl Peer {
    fn open(url: &str) -> Result<Peer> {
        let (group, events) = Group::open(&url.parse::<Url>()?, SESSION);
        Ok(Peer { group, events, until: None })
    }

    /// The next event; until when the session is sure to live is noted by the way.
    async fn event(&mut self) -> Result<GroupEvent> {
        loop {
            match timeout(LIMIT, self.events.recv()).await.context("no event")?.context("the group has ended")? {
                GroupEvent::Confirmed(until) => self.until = Some(until),
                GroupEvent::Joined(_) => {}
                event => return Ok(event),
            }
        }
    }

    /// Waits until the group has these members, by name.
    async fn sees(&mut self, names: &[&str]) -> Result<()> {
        loop {
            if let GroupEvent::Members(members) = self.event().await?
                && members.iter().map(|member| member.node.as_str()).eq(names.iter().copied())
            {
                return Ok(());
            }
        }
    }

    async fn join(&self, data: &'static str, label: Option<&str>) -> Result<Member> {
        Ok(timeout(LIMIT, self.group.join(Bytes::from_static(data.as_bytes()), label)).await.context("no answer")??)
    }
}

fn client(ensemble: &Ensemble, credentials: Option<&str>) -> Client {
    let credentials = credentials.map(tepui_coordination::Credentials::new);
    Client::open(Config { servers: ensemble.servers_text(), timeout: SESSION, credentials }).0
}

#[tokio::test(flavor = "multi_thread")]
async fn members_come_and_go_and_strangers_are_ignored() -> Result<()> {
    let ensemble = Ensemble::start(1)?;
    let url = ensemble.url("/deep/mesos/");
    let (mut one, two) = (Peer::open(&url)?, Peer::open(&url)?);
    let first = one.join("one", Some("json.info")).await?;
    assert_eq!((first.sequence, first.node.as_str()), (0, "json.info_0000000000"));
    one.sees(&["json.info_0000000000"]).await?;

    let stranger = client(&ensemble, None);
    for name in ["log_replicas", "json.info_x"] {
        let path = format!("/deep/mesos/{name}");
        stranger.create(&path, Bytes::new(), Acl::open(), Mode::Persistent).await?;
    }
    let second = two.join("two", None).await?;
    assert_eq!((second.label.as_deref(), second.node.as_str()), (None, "0000000003"), "one counter for all children");
    one.sees(&["json.info_0000000000", "0000000003"]).await?;

    assert_eq!(one.group.data(&second).await?.as_deref(), Some(b"two".as_slice()));
    assert_eq!(stranger.get("/deep/mesos/json.info_0000000000").await?.0, "one");
    assert_ne!(stranger.get("/deep/mesos/0000000003").await?.1.ephemeral_owner, 0);

    assert!(!one.group.cancel(&second).await?, "not ours");
    assert!(one.group.cancel(&first).await?);
    assert!(!one.group.cancel(&first).await?, "no longer");
    one.sees(&["0000000003"]).await?;
    assert_eq!(one.group.data(&first).await?, None);
    // An orderly end does not wait for the session's timeout.
    two.group.close().await;
    assert_eq!(stranger.exists("/deep/mesos/0000000003").await?, None);
    one.sees(&[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_unconfirmed_for_its_timeout_is_over() -> Result<()> {
    let mut ensemble = Ensemble::start(1)?;
    let mut peer = Peer::open(&ensemble.url("/mesos"))?;
    let member = peer.join("data", Some("info")).await?;
    peer.sees(&[&member.node]).await?;
    ensemble.server(0).pause()?;
    assert_eq!(peer.event().await?, GroupEvent::Members(Default::default()));
    assert_eq!(peer.event().await?, GroupEvent::Cancelled(member));
    // Neither sooner than was promised, nor was more promised than the session's timeout.
    let until = peer.until.context("it was sure for a while")?;
    assert!((until..until + SESSION).contains(&Instant::now()));
    assert!(!timeout(LIMIT, async { peer.group.cancel(&Member::parse("info_0000000000").unwrap()).await }).await??);

    ensemble.server(0).resume()?;
    // The old znode may still be there for a moment: the server slept too.
    let again = peer.join("data", Some("info")).await?;
    assert_ne!(again.sequence, 0);
    peer.sees(&[&again.node]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_outlives_the_server_that_holds_it() -> Result<()> {
    let mut ensemble = Ensemble::start(3)?;
    let url = ensemble.url("/mesos");
    let long: Url = url.parse()?;
    let (group, mut events) = Group::open(&long, Duration::from_secs(20));
    let member = group.join(Bytes::from_static(b"x"), None).await?;
    // Whichever server it is at, it has to leave one of them, and watches are set anew each time.
    for index in 0..3 {
        ensemble.server(index).pause()?;
        let other = Peer::open(&url)?;
        let joined = other.join("y", Some("other")).await?;
        loop {
            match timeout(LIMIT, events.recv()).await.context("nothing seen")?.context("ended")? {
                GroupEvent::Members(members) if members.contains(&joined) => break,
                GroupEvent::Members(_) | GroupEvent::Confirmed(_) | GroupEvent::Joined(_) => {}
                event => bail!("{event:?}"),
            }
        }
        ensemble.server(index).resume()?;
        ensemble.wait_until_serving()?;
    }
    for index in 0..3 {
        ensemble.server(index).kill()?;
        ensemble.server(index).restart()?;
        ensemble.wait_until_serving()?;
    }
    assert!(group.cancel(&member).await?, "it was ours all the time");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_protect_what_they_created() -> Result<()> {
    let ensemble = Ensemble::start(1)?;
    let mut ours = Peer::open(&ensemble.url_as("mesos:s@cret", "/mesos"))?;
    let member = ours.join("data", Some("json.info")).await?;
    let path = format!("/mesos/{}", member.node);
    let stranger = client(&ensemble, None);
    for path in ["/mesos", &path] {
        let acl: Vec<(i32, String)> =
            stranger.acl(path).await?.into_iter().map(|a| (a.permissions, a.scheme)).collect();
        assert_eq!(acl, [(1, "world".to_owned()), (31, "digest".to_owned())]);
    }
    assert_eq!(stranger.get(&path).await?.0, "data", "everybody may read");
    assert_eq!(stranger.delete(&path, -1).await, Err(Code::NO_AUTH));
    let wrong = client(&ensemble, Some("mesos:wrong"));
    assert_eq!(wrong.delete(&path, -1).await, Err(Code::NO_AUTH));

    // Without credentials everybody can watch, and nobody can join.
    let mut reader = Peer::open(&ensemble.url("/mesos"))?;
    reader.sees(&[&member.node]).await?;
    let refused = reader.group.join(Bytes::new(), None).await;
    let text = "Failed to create ephemeral node at '/mesos/' in ZooKeeper: not authenticated";
    assert_eq!(refused, Err(Error(text.to_owned())));

    assert_eq!(reader.group.data(&member).await?.as_deref(), Some(b"data".as_slice()), "it can go on reading");
    ours.sees(&[&member.node]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_is_made_anew() -> Result<()> {
    let mut ensemble = Ensemble::start(1)?;
    let mut peer = Peer::open(&ensemble.url("/mesos"))?;
    let member = peer.join("data", None).await?;
    peer.sees(&["0000000000"]).await?;
    // By hand, the znode and what is above it.
    let hand = client(&ensemble, None);
    hand.delete("/mesos/0000000000", -1).await?;
    hand.delete("/mesos", -1).await?;
    assert_eq!(peer.event().await?, GroupEvent::Cancelled(member));
    assert_eq!(peer.event().await?, GroupEvent::Members(Default::default()));
    peer.join("again", None).await?;
    peer.sees(&["0000000000"]).await?;
    // And all of ZooKeeper, whose sessions and counters begin anew.
    ensemble.wipe()?;
    while !matches!(peer.event().await?, GroupEvent::Cancelled(_)) {}
    peer.join("and again", None).await?;
    peer.sees(&["0000000000"]).await
}
