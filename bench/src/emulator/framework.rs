//! An emulated framework over the V1 scheduler API. It does nothing by itself: no acknowledgement, no answer to an offer,
//! no second subscription.

use super::calls::{Answer, Calls, Refused};
use anyhow::{Context, bail};
use bytes::Bytes;
use std::net::SocketAddrV4;
use std::time::Duration;
use tepui_net::client::{Client, Request, Response};
use tepui_proto::mesos::offer::Operation;
use tepui_proto::mesos::scheduler::call::{Subscribe, Type};
use tepui_proto::mesos::scheduler::{Call, Event, OfferConstraints, event};
use tepui_proto::mesos::{Filters, FrameworkID, FrameworkInfo, Offer, OfferID, TaskStatus};
use tepui_proto::{ContentType, MessageField, recordio, v1};
use tepui_sdk::call;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// The scheduler API under the master's own name, which also a master without a delegate serves (such as one inside
/// another program).
const PATH: &str = "/master/api/v1/scheduler";
/// The largest event: an OFFERS event of a large cluster has some megabytes.
const EVENT_BYTES_MAX: usize = 256 << 20;
/// The largest refusal that is read whole.
const REFUSAL_BYTES_MAX: usize = 64 << 10;

/// How a framework subscribes.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// Who it is; with an id it takes over from an earlier instance.
    pub info: FrameworkInfo,
    /// Roles that get no offers until they are revived.
    pub suppressed_roles: Vec<String>,
    /// Which agents may be offered, if not all.
    pub offer_constraints: Option<OfferConstraints>,
    /// Protobuf (the default) or JSON.
    pub content: ContentType,
}

impl Subscription {
    /// Of a framework that wants all offers.
    pub fn new(info: FrameworkInfo) -> Subscription {
        Subscription { info, suppressed_roles: Vec::new(), offer_constraints: None, content: ContentType::Protobuf }
    }

    /// Subscribes, and waits until the master has taken the framework in.
    pub async fn subscribe(self, master: SocketAddrV4) -> anyhow::Result<Framework> {
        let mut client = Client::connect(&master.to_string()).await?;
        let response = client.send(self.request()).await?;
        if response.status != 200 {
            let (status, body) = (response.status, response.bytes(REFUSAL_BYTES_MAX).await?);
            bail!(Refused { status, reason: String::from_utf8_lossy(&body).into_owned() });
        }
        let stream_id = response.header("mesos-stream-id").context("no Mesos-Stream-Id")?.to_owned();
        let (sender, mut events) = mpsc::unbounded_channel();
        let content = self.content;
        let reading = tokio::spawn(async move {
            // The connection lives as long as its stream is read.
            let _client = client;
            if let Err(error) = read_events(response, content, &sender).await {
                tracing::error!(%error, "The master's stream cannot be read");
            }
        });
        let first = events.recv().await.context("the stream has ended")?;
        let id = match first.r#type {
            Some(event::Type::SUBSCRIBED) => first.subscribed.framework_id.clone().into_option().unwrap_or_default(),
            _ => bail!("the master answers the subscription with {first:?}"),
        };
        let calls = Calls::connect(master).await?;
        Ok(Framework { id, master, stream_id, content, events, reading, calls })
    }

    fn request(&self) -> Request {
        let subscribe = Subscribe {
            framework_info: MessageField::some(self.info.clone()),
            suppressed_roles: self.suppressed_roles.clone(),
            offer_constraints: self.offer_constraints.clone().into(),
            ..Subscribe::default()
        };
        let call = Call {
            r#type: Some(Type::SUBSCRIBE),
            framework_id: self.info.id.clone(),
            subscribe: subscribe.into(),
            ..Call::default()
        };
        let body = v1::encode_scheduler_call(self.content, &call);
        Request::post(PATH, self.content.as_str(), body).header("Accept", self.content.as_str())
    }
}

/// A subscribed framework. Dropping it breaks its connections, which the master takes for a disconnection.
pub struct Framework {
    id: FrameworkID,
    master: SocketAddrV4,
    stream_id: String,
    content: ContentType,
    events: mpsc::UnboundedReceiver<Event>,
    reading: JoinHandle<()>,
    calls: Calls,
}

impl Drop for Framework {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

impl Framework {
    /// Its id.
    pub fn id(&self) -> &FrameworkID {
        &self.id
    }

    /// How many of its calls were refused.
    pub fn refused(&self) -> u64 {
        self.calls.refused()
    }

    /// The next event that is no heartbeat; `None` once the stream has ended.
    pub async fn event(&mut self) -> Option<Event> {
        self.events.recv().await
    }

    /// The next event, if one comes within `patience`.
    pub async fn event_within(&mut self, patience: Duration) -> anyhow::Result<Option<Event>> {
        match tokio::time::timeout(patience, self.event()).await {
            Ok(Some(event)) => Ok(Some(event)),
            Ok(None) => bail!("the stream of {} has ended", self.id.value),
            Err(_) => Ok(None),
        }
    }

    /// The offers of the next OFFERS event, if one comes within `patience`. Other events before it are lost.
    pub async fn offers(&mut self, patience: Duration) -> anyhow::Result<Option<Vec<Offer>>> {
        let offers = |event: Event| event.offers.into_option().map(|offers| offers.offers);
        self.find(patience, offers).await
    }

    /// The status of the next UPDATE event, if one comes within `patience`. Other events before it are lost.
    pub async fn update(&mut self, patience: Duration) -> anyhow::Result<Option<TaskStatus>> {
        self.find(patience, |event| event.update.into_option()?.status.into_option()).await
    }

    /// The first part of an event that `pick` wants, if one comes within `patience`. Events before it are lost.
    pub async fn find<T>(
        &mut self,
        patience: Duration,
        pick: impl Fn(Event) -> Option<T>,
    ) -> anyhow::Result<Option<T>> {
        let until = tokio::time::Instant::now() + patience;
        loop {
            let left = until.saturating_duration_since(tokio::time::Instant::now());
            let Some(event) = self.event_within(left).await? else { return Ok(None) };
            if let Some(found) = pick(event) {
                return Ok(Some(found));
            }
        }
    }

    /// Makes a call (see [`tepui_sdk::call`]); the framework's id is put in.
    pub fn call(&self, mut call: Call) -> Answer {
        call.framework_id = MessageField::some(self.id.clone());
        let body = v1::encode_scheduler_call(self.content, &call);
        self.calls.send(request(self.master, self.content, &self.stream_id, &body))
    }

    /// Uses offers of one agent; what is left over is declined with the filters (default: 5 seconds).
    pub async fn accept(
        &self,
        offers: &[Offer],
        operations: Vec<Operation>,
        filters: Option<Filters>,
    ) -> Result<(), Refused> {
        self.call(call::accept(ids(offers), operations, filters)).get().await
    }

    /// Gives offers back, and wants no more of them for some seconds (default: 5).
    pub async fn decline(&self, offers: &[Offer], refuse_secs: Option<f64>) -> Result<(), Refused> {
        self.call(call::decline(ids(offers), refuse_secs.map(filters))).get().await
    }

    /// Stops offers to these roles or (none named) to all.
    pub async fn suppress(&self, roles: &[&str]) -> Result<(), Refused> {
        self.call(call::suppress(texts(roles))).get().await
    }

    /// Lifts all filters and suppressions, of these roles or (none named) of all.
    pub async fn revive(&self, roles: &[&str]) -> Result<(), Refused> {
        self.call(call::revive(texts(roles))).get().await
    }

    /// Confirms an update. Without effect on one that needs no confirmation.
    pub fn acknowledge(&self, status: &TaskStatus) {
        if let Some(call) = call::acknowledge(status) {
            self.call(call);
        }
    }

    /// Ends the framework and its tasks.
    pub async fn teardown(&self) -> Result<(), Refused> {
        self.call(call::teardown()).get().await
    }
}

/// Filters that refuse for some seconds.
pub fn filters(refuse_secs: f64) -> Filters {
    Filters { refuse_seconds: Some(refuse_secs), ..Filters::default() }
}

fn ids(offers: &[Offer]) -> Vec<OfferID> {
    offers.iter().filter_map(|offer| offer.id.as_option().cloned()).collect()
}

fn texts(roles: &[&str]) -> Vec<String> {
    roles.iter().map(|role| (*role).to_owned()).collect()
}

fn request(master: SocketAddrV4, content: ContentType, stream_id: &str, body: &[u8]) -> Bytes {
    let (kind, length) = (content.as_str(), body.len());
    let mut request = format!(
        "POST {PATH} HTTP/1.1\r\nHost: {master}\r\nContent-Type: {kind}\r\nAccept: {kind}\r\n\
         Mesos-Stream-Id: {stream_id}\r\nContent-Length: {length}\r\n\r\n"
    )
    .into_bytes();
    request.extend_from_slice(body);
    request.into()
}

async fn read_events(
    mut response: Response,
    content: ContentType,
    events: &mpsc::UnboundedSender<Event>,
) -> anyhow::Result<()> {
    let mut decoder = recordio::Decoder::new(EVENT_BYTES_MAX);
    while let Some(piece) = response.next().await? {
        decoder.push(&piece);
        while let Some(record) = decoder.next_record()? {
            let event: Event = content.decode(&record)?;
            if event.r#type != Some(event::Type::HEARTBEAT) && events.send(event).is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}
