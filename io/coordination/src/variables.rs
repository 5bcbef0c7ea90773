//! Named values with versions, as lasting znodes below one path.
//!
//! What was asked for is retried until it is done or refused. A write whose answer was lost is looked up, so that its outcome
//! is never reported wrongly to who wrote it; where others have written since and it cannot be told, that is an error.
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

/// The end of an error of a change that may have been made.
const UNKNOWN: &str = "the answer was lost, and others have made changes since: it may have been done";

/// Why an attempt has no answer.
enum Failure {
    Code(Code),
    /// Whether it was done can no longer be found out.
    Unknown,
}

impl From<Code> for Failure {
    fn from(code: Code) -> Failure {
        Failure::Code(code)
    }
}

/// What earlier attempts of a change leave open.
#[derive(Default)]
struct Doubt {
    /// One was sent, and its answer was lost.
    may_be_done: bool,
    /// Which version the children of the path had before the first attempt to create one.
    children: Option<i32>,
}

impl Doubt {
    /// Looks at the answer of a change.
    fn note<T>(&mut self, answer: Result<T, Code>) -> Result<T, Code> {
        self.may_be_done |= matches!(answer, Err(Code::CONNECTION_LOSS | Code::OPERATION_TIMEOUT));
        answer
    }
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

    /// Creates a variable, and the path where missing. Whether there was none until now. No two calls may bring the same data.
    pub async fn create(&self, name: &str, data: Bytes) -> Result<bool, Error> {
        self.write(name, Ask::Create(data)).await
    }

    /// Replaces a value of this version. Whether it had that version. No two calls may bring the same data.
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
        let mut doubt = Doubt::default();
        loop {
            let client = self.client().await?;
            let failure = match self.attempt(&client, path, &ask, &mut doubt).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let failed = |why: &str| Err(Error(format!("Failed to {} '{path}' in ZooKeeper: {why}", verb(&ask))));
            match failure {
                Failure::Unknown => return failed(UNKNOWN),
                Failure::Code(code) if !code.is_retryable() => return failed(&code.to_string()),
                Failure::Code(Code::SESSION_EXPIRED) => self.renew(&client).await?,
                Failure::Code(_) => {}
            }
            sleep(RETRY).await;
        }
    }

    async fn attempt(&self, client: &Client, path: &str, ask: &Ask, doubt: &mut Doubt) -> Result<Answer, Failure> {
        match ask {
            Ask::Names => match client.children(path, false).await {
                Err(Code::NO_NODE) => Ok(Answer::Names(Vec::new())),
                names => Ok(Answer::Names(names?)),
            },
            Ask::Get => Ok(Answer::Value(find(client, path).await?)),
            Ask::Create(data) => self.try_create(client, path, data, doubt).await.map(Answer::Done),
            Ask::Set(data, version) => try_set(client, path, data, *version, doubt).await.map(Answer::Done),
            Ask::Delete(version) => try_delete(client, path, *version, doubt).await.map(Answer::Done),
        }
    }

    async fn try_create(&self, client: &Client, path: &str, data: &Bytes, doubt: &mut Doubt) -> Result<bool, Failure> {
        client.create_path(&self.path, &self.acl).await?;
        if doubt.may_be_done {
            client.sync(&self.path).await?;
        }
        let children = client.exists(&self.path).await?.map_or(0, |stat| stat.children_version);
        let before = *doubt.children.get_or_insert(children);
        if doubt.may_be_done {
            let found = find(client, path).await?;
            if let Some(outcome) = created(found, data, children.wrapping_sub(before)) {
                return outcome;
            }
        }
        match doubt.note(client.create(path, data.clone(), self.acl.clone(), Mode::Persistent).await) {
            Ok(_) => Ok(true),
            Err(Code::NODE_EXISTS) if !doubt.may_be_done => Ok(false),
            // The first attempt may have arrived after all.
            Err(Code::NODE_EXISTS) => match find(client, path).await? {
                Some(found) if found.version == 0 && found.data == data => Ok(true),
                _ => Err(Failure::Unknown),
            },
            Err(code) => Err(code.into()),
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

/// What became of a creation whose answer was lost, after which children of the path were created or deleted so often. None
/// if it never arrived, and may be made again.
fn created(found: Option<Value>, data: &Bytes, changes: i32) -> Option<Result<bool, Failure>> {
    match (found, changes) {
        (Some(found), _) if found.version == 0 && found.data == data => Some(Ok(true)),
        (None, 0) => None,
        // The one creation was another's.
        (Some(found), 0 | 1) if changes == 0 || found.version == 0 => Some(Ok(false)),
        _ => Some(Err(Failure::Unknown)),
    }
}

async fn try_set(client: &Client, path: &str, data: &Bytes, version: i32, doubt: &mut Doubt) -> Result<bool, Failure> {
    match doubt.note(client.set(path, data.clone(), version).await) {
        Ok(_) => Ok(true),
        Err(Code::BAD_VERSION | Code::NO_NODE) if !doubt.may_be_done => Ok(false),
        // The refusal came from who orders all writes, so what is read now is not older.
        Err(Code::BAD_VERSION | Code::NO_NODE) => match find(client, path).await? {
            // Of each version there is one value.
            Some(found) if found.version == version.wrapping_add(1) => Ok(found.data == data),
            _ => Err(Failure::Unknown),
        },
        Err(code) => Err(code.into()),
    }
}

async fn try_delete(client: &Client, path: &str, version: i32, doubt: &mut Doubt) -> Result<bool, Failure> {
    match doubt.note(client.delete(path, version).await) {
        Ok(()) => Ok(true),
        Err(Code::NO_NODE) => Ok(doubt.may_be_done),
        Err(Code::BAD_VERSION) if doubt.may_be_done => Err(Failure::Unknown),
        Err(Code::BAD_VERSION) => Ok(false),
        Err(code) => Err(code.into()),
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
