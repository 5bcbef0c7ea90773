//! Requests and answers.
//!
//! Source: ZooKeeper's `zookeeper-jute/src/main/resources/zookeeper.jute`, `ZooDefs.java`, `KeeperException.java`.

use super::jute::{Malformed, Reader, Writer};
use bytes::Bytes;
use std::fmt;

/// Instead of a number of its own, a ping carries this.
pub const XID_PING: i32 = -2;
/// The same for proving who one is.
pub const XID_AUTH: i32 = -4;
/// Answers to nobody: a watch has fired.
pub const XID_NOTIFICATION: i32 = -1;

/// How a request failed, by ZooKeeper's number.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Code(pub i32);

impl Code {
    /// The connection broke before the answer came: whether the request was carried out is unknown.
    pub const CONNECTION_LOSS: Code = Code(-4);
    /// There is no such znode.
    pub const NO_NODE: Code = Code(-101);
    /// The access list forbids it.
    pub const NO_AUTH: Code = Code(-102);
    /// The znode has another version than was asked for.
    pub const BAD_VERSION: Code = Code(-103);
    /// There is such a znode already.
    pub const NODE_EXISTS: Code = Code(-110);
    /// The znode has children.
    pub const NOT_EMPTY: Code = Code(-111);
    /// The session is over.
    pub const SESSION_EXPIRED: Code = Code(-112);
    /// The credentials are malformed.
    pub const AUTH_FAILED: Code = Code(-115);
    /// The session has moved to another server.
    pub const SESSION_MOVED: Code = Code(-118);
    /// The server did not answer in time.
    pub const OPERATION_TIMEOUT: Code = Code(-7);

    /// Whether the same request may succeed later (Mesos `ZooKeeper::retryable`).
    pub fn is_retryable(self) -> bool {
        [Code::CONNECTION_LOSS, Code::OPERATION_TIMEOUT, Code::SESSION_EXPIRED, Code::SESSION_MOVED].contains(&self)
    }
}

/// The words of ZooKeeper's C client, which Mesos shows (`zerror`).
impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            -1 => "system error",
            -2 => "run time inconsistency",
            -3 => "data inconsistency",
            -4 => "connection loss",
            -5 => "marshalling error",
            -6 => "unimplemented",
            -7 => "operation timeout",
            -8 => "bad arguments",
            -100 => "api error",
            -101 => "no node",
            -102 => "not authenticated",
            -103 => "bad version",
            -108 => "no children for ephemerals",
            -110 => "node exists",
            -111 => "not empty",
            -112 => "session expired",
            -114 => "invalid acl",
            -115 => "authentication failed",
            -118 => "session moved to another server, so operation is ignored",
            -119 => "state-changing request is passed to read-only server",
            _ => return write!(f, "error {}", self.0),
        })
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl std::error::Error for Code {}

/// Who may do what with a znode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acl {
    /// Bits: 1 read, 2 write, 4 create, 8 delete, 16 administer.
    pub permissions: i32,
    /// `world`, `auth`, `digest`, ...
    pub scheme: String,
    /// Whom the scheme means.
    pub id: String,
}

const READ: i32 = 1;
const ALL: i32 = 31;

impl Acl {
    fn new(permissions: i32, scheme: &str, id: &str) -> Acl {
        Acl { permissions, scheme: scheme.to_owned(), id: id.to_owned() }
    }

    /// Everybody may do everything: for groups without credentials.
    pub fn open() -> Vec<Acl> {
        vec![Acl::new(ALL, "world", "anyone")]
    }

    /// Everybody may read, and who has our credentials may do everything (`EVERYONE_READ_CREATOR_ALL` of Mesos).
    pub fn read_all_write_own() -> Vec<Acl> {
        vec![Acl::new(READ, "world", "anyone"), Acl::new(ALL, "auth", "")]
    }
}

/// What ZooKeeper knows about a znode; what nobody here asks for is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Counts the changes of the data.
    pub version: i32,
    /// Counts the children that were created and deleted.
    pub children_version: i32,
    /// The session with whose end the znode goes; 0 for a lasting one.
    pub ephemeral_owner: i64,
}

/// What kind of znode is created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It stays.
    Persistent,
    /// It goes with the session, and its name ends in ten digits that grow within the parent.
    EphemeralSequential,
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    Create { path: String, data: Bytes, acl: Vec<Acl>, mode: Mode },
    Delete { path: String, version: i32 },
    Exists { path: String },
    Get { path: String },
    Set { path: String, data: Bytes, version: i32 },
    Children { path: String, watch: bool },
    Acl { path: String },
    Sync { path: String },
    Auth { credentials: String },
    Ping,
    Close,
}

impl Request {
    /// Its bytes behind their length.
    pub fn encode(&self, xid: i32) -> Bytes {
        let mut to = Writer::new();
        to.int(xid).int(self.opcode());
        match self {
            Request::Create { path, data, acl, mode } => {
                to.text(path).buffer(data).int(acl.len() as i32);
                for one in acl {
                    to.int(one.permissions).text(&one.scheme).text(&one.id);
                }
                to.int(if *mode == Mode::EphemeralSequential { 3 } else { 0 });
            }
            Request::Delete { path, version } => {
                to.text(path).int(*version);
            }
            Request::Exists { path } | Request::Get { path } => {
                to.text(path).bool(false);
            }
            Request::Set { path, data, version } => {
                to.text(path).buffer(data).int(*version);
            }
            Request::Children { path, watch } => {
                to.text(path).bool(*watch);
            }
            Request::Acl { path } | Request::Sync { path } => {
                to.text(path);
            }
            Request::Auth { credentials } => {
                to.int(0).text("digest").text(credentials);
            }
            Request::Ping | Request::Close => {}
        }
        to.finish()
    }

    fn opcode(&self) -> i32 {
        match self {
            Request::Create { .. } => 1,
            Request::Delete { .. } => 2,
            Request::Exists { .. } => 3,
            Request::Get { .. } => 4,
            Request::Set { .. } => 5,
            Request::Acl { .. } => 6,
            Request::Children { .. } => 8,
            Request::Sync { .. } => 9,
            Request::Ping => 11,
            Request::Auth { .. } => 100,
            Request::Close => -11,
        }
    }
}

/// The first message of a connection: starts a session (id 0) or goes on with one.
pub fn connect(last_zxid: i64, timeout_millis: i32, session: i64, password: &[u8]) -> Bytes {
    let mut to = Writer::new();
    // The last flag says that a server that has lost its quorum will not do.
    to.int(0).long(last_zxid).int(timeout_millis).long(session).buffer(password).bool(false);
    to.finish()
}

/// The answer to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connected {
    /// What the server grants.
    pub timeout_millis: i32,
    /// 0 if the session that was to go on is over.
    pub session: i64,
    pub password: Bytes,
}

/// Reads that answer.
pub fn connected(message: Bytes) -> Result<Connected, Malformed> {
    let mut from = Reader::new(message);
    from.int()?;
    Ok(Connected { timeout_millis: from.int()?, session: from.long()?, password: from.buffer()? })
}

/// Anything else a server says.
pub struct Answer {
    pub xid: i32,
    /// The state of the server when it answered; not positive on pings and notifications.
    pub zxid: i64,
    pub outcome: Result<Reader, Code>,
}

/// Reads it.
pub fn answer(message: Bytes) -> Result<Answer, Malformed> {
    let mut from = Reader::new(message);
    let (xid, zxid, code) = (from.int()?, from.long()?, from.int()?);
    let outcome = if code == 0 { Ok(from) } else { Err(Code(code)) };
    Ok(Answer { xid, zxid, outcome })
}

/// The path whose watch has fired.
pub fn notification(mut from: Reader) -> Result<String, Malformed> {
    from.int()?;
    from.int()?;
    from.text()
}

pub fn read_stat(from: &mut Reader) -> Result<Stat, Malformed> {
    for _ in 0..4 {
        from.long()?;
    }
    let (version, children_version) = (from.int()?, from.int()?);
    from.int()?;
    let ephemeral_owner = from.long()?;
    from.int()?;
    from.int()?;
    from.long()?;
    Ok(Stat { version, children_version, ephemeral_owner })
}

pub fn read_acl(from: &mut Reader) -> Result<Acl, Malformed> {
    Ok(Acl { permissions: from.int()?, scheme: from.text()?, id: from.text()? })
}
