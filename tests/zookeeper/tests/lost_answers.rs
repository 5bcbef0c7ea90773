//! Changes whose answers are lost, while others change the same variable: what is said of them is never wrong.
//!
//! Between the client and a real server stands a way that swallows the answer of one change, or the change itself.

use anyhow::{Context, Result};
use bytes::Bytes;
use std::net::SocketAddr;
use std::time::Duration;
use tepui_coordination::Variables;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::time::timeout;
use zookeeper::Ensemble;

/// Far longer than anything here takes.
const LIMIT: Duration = Duration::from_secs(60);
const SESSION: Duration = Duration::from_secs(20);
const NAME: &str = "v";

/// What is lost.
#[derive(Clone, Copy, PartialEq)]
enum Lost {
    /// The change is made, and nobody is told.
    Answer,
    /// The change never reaches the server.
    Request,
}

/// The numbers of the requests that change something: create, delete, set of data.
const CHANGES: [i32; 3] = [1, 2, 5];

/// One message, without its length.
async fn message(from: &mut OwnedReadHalf) -> Option<Vec<u8>> {
    let mut message = vec![0; from.read_u32().await.ok()? as usize];
    from.read_exact(&mut message).await.ok()?;
    Some(message)
}

async fn pass(message: &[u8], to: &mut OwnedWriteHalf) -> Option<()> {
    to.write_u32(message.len() as u32).await.ok()?;
    to.write_all(message).await.ok()
}

/// Whether it changes the variable itself, not the path above it.
fn is_change(request: &[u8]) -> bool {
    let number = |at: usize| request.get(at..at + 4).map(|bytes| i32::from_be_bytes(bytes.try_into().unwrap()));
    let length = number(8).unwrap_or_default() as usize;
    let path = request.get(12..12 + length).unwrap_or_default();
    number(4).is_some_and(|kind| CHANGES.contains(&kind)) && path.ends_with(format!("/{NAME}").as_bytes())
}

/// Told once the change is lost, and waits for what is to happen before the client learns that the connection is.
struct Loss {
    lost: Lost,
    happened: oneshot::Sender<()>,
    goes_on: oneshot::Receiver<()>,
}

/// Carries connections one after the other; the first change is lost.
async fn carry(listener: TcpListener, server: SocketAddr, loss: Loss) -> Option<()> {
    let (mut client, there) = connection(&listener, server).await?;
    let (mut from, mut to) = there;
    let mut first = true;
    loop {
        let request = message(&mut client.0).await?;
        if !first && is_change(&request) {
            if loss.lost == Lost::Answer {
                pass(&request, &mut to).await?;
                message(&mut from).await?;
            }
            break;
        }
        first = false;
        pass(&request, &mut to).await?;
        pass(&message(&mut from).await?, &mut client.1).await?;
    }
    loss.happened.send(()).ok()?;
    loss.goes_on.await.ok()?;
    drop((client, from, to));
    loop {
        let (mut client, (mut from, mut to)) = connection(&listener, server).await?;
        while let Some(request) = message(&mut client.0).await {
            pass(&request, &mut to).await?;
            pass(&message(&mut from).await?, &mut client.1).await?;
        }
    }
}

type Halves = (OwnedReadHalf, OwnedWriteHalf);

async fn connection(listener: &TcpListener, server: SocketAddr) -> Option<(Halves, Halves)> {
    let (client, _) = listener.accept().await.ok()?;
    Some((client.into_split(), TcpStream::connect(server).await.ok()?.into_split()))
}

/// What another does while the answer is lost.
#[derive(Clone, Copy)]
enum Other {
    Nothing,
    Sets,
    Deletes,
    Creates,
    DeletesAndCreates,
}

struct Fixture {
    ensemble: Ensemble,
    others: Variables,
    path: String,
}

fn bytes(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

impl Fixture {
    async fn version(&self) -> Result<i32> {
        Ok(self.others.get(NAME).await?.context("it is there")?.version)
    }

    async fn other(&self, does: Other) -> Result<()> {
        let done = match does {
            Other::Nothing => true,
            Other::Sets => self.others.set(NAME, bytes("theirs"), self.version().await?).await?,
            Other::Deletes => self.others.delete(NAME, self.version().await?).await?,
            Other::Creates => self.others.create(NAME, bytes("theirs")).await?,
            Other::DeletesAndCreates => {
                self.others.delete(NAME, self.version().await?).await?
                    && self.others.create(NAME, bytes("theirs")).await?
            }
        };
        anyhow::ensure!(done, "the other is not hindered");
        Ok(())
    }

    /// What is said of a change that was lost: done, refused, or neither.
    async fn said<F: Future<Output = Result<bool, tepui_coordination::Error>> + Send + 'static>(
        &mut self,
        change: impl FnOnce(Variables) -> F,
        lost: Lost,
        other: Other,
    ) -> Result<Option<bool>> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("zk://{}{}", listener.local_addr()?, self.path).parse()?;
        let server = self.ensemble.server(0).address().into();
        let ((happened, happens), (go_on, goes_on)) = (oneshot::channel(), oneshot::channel());
        let way = tokio::spawn(carry(listener, server, Loss { lost, happened, goes_on }));
        let change = tokio::spawn(change(Variables::open(&url, SESSION)));
        timeout(LIMIT, happens).await.context("nothing was sent")??;
        self.other(other).await?;
        go_on.send(()).ok().context("the way waits")?;
        let said = timeout(LIMIT, change).await.context("no answer at all")??;
        way.abort();
        Ok(said.ok())
    }

    async fn new(path: &str) -> Result<Fixture> {
        let ensemble = Ensemble::start(1)?;
        let others = Variables::open(&ensemble.url(path).parse()?, SESSION);
        assert!(others.create("beside", Bytes::new()).await?);
        Ok(Fixture { ensemble, others, path: path.to_owned() })
    }

    /// Makes the variable anew, or takes it away.
    async fn reset(&self, is_there: bool) -> Result<()> {
        if let Some(value) = self.others.get(NAME).await? {
            assert!(self.others.delete(NAME, value.version).await?);
        }
        assert!(!is_there || self.others.create(NAME, bytes("old")).await?);
        Ok(())
    }

    async fn found(&self) -> Result<Option<Bytes>> {
        Ok(self.others.get(NAME).await?.map(|value| value.data))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_was_set_and_set_again_since_was_perhaps_set() -> Result<()> {
    let mut fixture = Fixture::new("/lost/set").await?;
    let cases = [
        (Lost::Answer, Other::Nothing, Some(true)),
        (Lost::Answer, Other::Sets, None),
        (Lost::Answer, Other::Deletes, None),
        (Lost::Request, Other::Nothing, Some(true)),
        (Lost::Request, Other::Sets, Some(false)),
    ];
    for (number, (lost, other, expected)) in cases.into_iter().enumerate() {
        fixture.reset(true).await?;
        let set = |variables: Variables| async move { variables.set(NAME, bytes("ours"), 0).await };
        assert_eq!(fixture.said(set, lost, other).await?, expected, "case {number}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_variable_that_was_created_and_changed_since_was_perhaps_created_and_is_not_created_again() -> Result<()> {
    let mut fixture = Fixture::new("/lost/create").await?;
    let cases = [
        (Lost::Answer, Other::Nothing, Some(true), Some("ours")),
        (Lost::Answer, Other::Sets, None, Some("theirs")),
        (Lost::Answer, Other::Deletes, None, None),
        (Lost::Answer, Other::DeletesAndCreates, None, Some("theirs")),
        (Lost::Request, Other::Nothing, Some(true), Some("ours")),
        (Lost::Request, Other::Creates, Some(false), Some("theirs")),
    ];
    for (number, (lost, other, expected, left)) in cases.into_iter().enumerate() {
        fixture.reset(false).await?;
        let create = |variables: Variables| async move { variables.create(NAME, bytes("ours")).await };
        assert_eq!(fixture.said(create, lost, other).await?, expected, "case {number}");
        assert_eq!(fixture.found().await?, left.map(bytes), "case {number}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_variable_that_was_deleted_and_created_since_was_perhaps_deleted() -> Result<()> {
    let mut fixture = Fixture::new("/lost/delete").await?;
    let cases = [
        (Lost::Answer, Other::Nothing, Some(true)),
        (Lost::Answer, Other::Creates, None),
        (Lost::Request, Other::Nothing, Some(true)),
        (Lost::Request, Other::Sets, None),
    ];
    for (number, (lost, other, expected)) in cases.into_iter().enumerate() {
        fixture.reset(true).await?;
        assert!(fixture.others.set(NAME, bytes("newer"), 0).await?);
        let delete = |variables: Variables| async move { variables.delete(NAME, 1).await };
        assert_eq!(fixture.said(delete, lost, other).await?, expected, "case {number}");
    }
    Ok(())
}
