//! Named values with versions, as lasting znodes below one path.
//!
//! What was asked for is retried until it is done or refused. A write whose answer was lost is looked up before it is made
//! again, so that its outcome is never reported wrongly to who wrote it.
//!
//! Source: Mesos `src/state/zookeeper.cpp`.

use crate::group::Error;
use crate::url::Url;
use crate::zookeeper::{Acl, Client, Code, Config, Event, Mode};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, mpsc};
use tokio::time::sleep;

/// The pause before what failed is tried again.
const RETRY: Duration = Duration::from_millis(200);

/// A value and its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// The znode's data.
    pub data: Bytes,
    /// How often it was set since it was created.
    pub version: i32,
}

/// The variables below a path.
#[derive(Debug)]
pub struct Variables {
    config: Config,
    path: String,
    acl: Vec<Acl>,
    session: Mutex<Session>,
}

#[derive(Debug)]
struct Session {
    client: Arc<Client>,
    events: mpsc::UnboundedReceiver<Event>,
}

impl Session {
    fn open(config: &Config) -> Session {
        let (client, events) = Client::open(config.clone());
        Session { client: Arc::new(client), events }
    }
}

/// What is asked for.
enum Ask {
    Names,
    Get,
    Create(Bytes),
    Set(Bytes, i32),
    Delete(i32),
}

/// The answer of an [`Ask`].
enum Answer {
    Names(Vec<String>),
    Value(Option<Value>),
    Done(bool),
}

impl Variables {
    /// Variables at `url`, in sessions of this timeout. Nothing is created before the first [`Variables::create`].
    pub fn open(url: &Url, session_timeout: Duration) -> Variables {
        let config =
            Config { servers: url.servers.clone(), timeout: session_timeout, credentials: url.credentials.clone() };
        let acl = if config.credentials.is_some() { Acl::read_all_write_own() } else { Acl::open() };
        let session = Mutex::new(Session::open(&config));
        Variables { config, path: url.path.trim_end_matches('/').to_owned(), acl, session }
    }

    /// The names of all variables; none if the path is not there yet.
    pub async fn names(&self) -> Result<Vec<String>, Error> {
        match self.ask(&self.path, Ask::Names).await? {
            Answer::Names(names) => Ok(names),
            Answer::Value(_) | Answer::Done(_) => Ok(Vec::new()),
        }
    }

    /// A variable's value, if there is such a variable.
    pub async fn get(&self, name: &str) -> Result<Option<Value>, Error> {
        match self.ask(&self.node(name), Ask::Get).await? {
            Answer::Value(value) => Ok(value),
            Answer::Names(_) | Answer::Done(_) => Ok(None),
        }
    }

    /// Creates a variable, and the path where missing. Whether there was none until now.
    pub async fn create(&self, name: &str, data: Bytes) -> Result<bool, Error> {
        self.write(name, Ask::Create(data)).await
    }

    /// Replaces a value of this version. Whether it had that version.
    pub async fn set(&self, name: &str, data: Bytes, version: i32) -> Result<bool, Error> {
        self.write(name, Ask::Set(data, version)).await
    }

    /// Deletes a variable of this version. Whether it had that version; one that is gone when the answer was lost counts
    /// as deleted by us.
    pub async fn delete(&self, name: &str, version: i32) -> Result<bool, Error> {
        self.write(name, Ask::Delete(version)).await
    }

    async fn write(&self, name: &str, ask: Ask) -> Result<bool, Error> {
        Ok(matches!(self.ask(&self.node(name), ask).await?, Answer::Done(true)))
    }

    fn node(&self, name: &str) -> String {
        format!("{}/{name}", self.path)
    }

    /// Makes attempts until one is done or refused.
    async fn ask(&self, path: &str, ask: Ask) -> Result<Answer, Error> {
        // Whether an attempt may have been carried out without an answer.
        let mut again = false;
        loop {
            let client = self.client().await?;
            let code = match self.attempt(&client, path, &ask, again).await {
                Ok(answer) => return Ok(answer),
                Err(code) if code.is_retryable() => code,
                Err(code) => return Err(Error(format!("Failed to {} '{path}' in ZooKeeper: {code}", verb(&ask)))),
            };
            again = true;
            if code == Code::SESSION_EXPIRED {
                self.renew(&client).await?;
            }
            sleep(RETRY).await;
        }
    }

    async fn attempt(&self, client: &Client, path: &str, ask: &Ask, again: bool) -> Result<Answer, Code> {
        match ask {
            Ask::Names => match client.children(path, false).await {
                Err(Code::NO_NODE) => Ok(Answer::Names(Vec::new())),
                names => names.map(Answer::Names),
            },
            Ask::Get => find(client, path).await.map(Answer::Value),
            Ask::Create(data) => self.try_create(client, path, data, again).await.map(Answer::Done),
            Ask::Set(data, version) => try_set(client, path, data, *version, again).await.map(Answer::Done),
            Ask::Delete(version) => match client.delete(path, *version).await {
                Ok(()) => Ok(Answer::Done(true)),
                Err(Code::NO_NODE) => Ok(Answer::Done(again)),
                Err(Code::BAD_VERSION) => Ok(Answer::Done(false)),
                Err(code) => Err(code),
            },
        }
    }

    async fn try_create(&self, client: &Client, path: &str, data: &Bytes, again: bool) -> Result<bool, Code> {
        if again && let Some(found) = find(client, path).await? {
            return Ok(found.version == 0 && found.data == data);
        }
        client.create_path(&self.path, &self.acl).await?;
        match client.create(path, data.clone(), self.acl.clone(), Mode::Persistent).await {
            Ok(_) => Ok(true),
            Err(Code::NODE_EXISTS) => Ok(false),
            Err(code) => Err(code),
        }
    }

    async fn client(&self) -> Result<Arc<Client>, Error> {
        let mut session = self.session.lock().await;
        refused(&mut session)?;
        Ok(session.client.clone())
    }

    /// Starts a new session in place of that client's, unless another caller did.
    async fn renew(&self, over: &Arc<Client>) -> Result<(), Error> {
        let mut session = self.session.lock().await;
        refused(&mut session)?;
        if Arc::ptr_eq(&session.client, over) {
            *session = Session::open(&self.config);
        }
        Ok(())
    }
}

/// For the texts of Mesos.
fn verb(ask: &Ask) -> &'static str {
    match ask {
        Ask::Names => "get children of",
        Ask::Get => "get",
        Ask::Create(_) => "create",
        Ask::Set(..) => "set",
        Ask::Delete(_) => "remove",
    }
}

async fn try_set(client: &Client, path: &str, data: &Bytes, version: i32, again: bool) -> Result<bool, Code> {
    if again && let Some(found) = find(client, path).await? {
        let done = found.version == version.wrapping_add(1) && found.data == data;
        if done || found.version != version {
            return Ok(done);
        }
    }
    match client.set(path, data.clone(), version).await {
        Ok(_) => Ok(true),
        Err(Code::BAD_VERSION | Code::NO_NODE) => Ok(false),
        Err(code) => Err(code),
    }
}

async fn find(client: &Client, path: &str) -> Result<Option<Value>, Code> {
    match client.get(path).await {
        Ok((data, stat)) => Ok(Some(Value { data, version: stat.version })),
        Err(Code::NO_NODE) => Ok(None),
        Err(code) => Err(code),
    }
}

/// Looks through what has become of the session.
fn refused(session: &mut Session) -> Result<(), Error> {
    while let Ok(event) = session.events.try_recv() {
        if let Event::Refused(code) = event {
            return Err(Error(format!("Failed to authenticate with ZooKeeper: {code}")));
        }
    }
    Ok(())
}
