//! What a user of the log asks and is answered.

use bytes::Bytes;
use tepui_base::Instant;
use tepui_wire::Upid;

/// Names one request between question and answer; chosen by the client, increasing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// What a client wants of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Become the one writer. Answered by [`Answer::Elected`] or [`Answer::NotElected`]; may be asked before the replica has
    /// recovered, and is then tried once it has. Where masters elect by the log, only the one that leads is the writer.
    Elect,
    /// Give the writer's place up; whatever is under way is answered by [`Answer::Unknown`]. Where masters elect by the log it
    /// ends the leadership, or the wish for it, and others can lead at once: who asks has ceased to act as the leader.
    Resign,
    /// Lead when there is no leader, and tell others this of oneself (a serialized `MasterInfo`). Only where masters elect by
    /// the log. It has to be asked again after [`Answer::NoLeader`] or [`Answer::Follows`] has ended a leadership.
    Contend(Bytes),
    /// Append these bytes. Several may be under way; they are answered in the order of their positions.
    Append(RequestId, Bytes),
    /// Forget every position before this one.
    Truncate(RequestId, u64),
    /// Read the appended entries of these positions, both included.
    Read(RequestId, u64, u64),
}

/// What the log answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// This replica is a voting member from now on.
    Recovered,
    /// This node is the writer; the log holds these positions (both included), all of them learned here.
    Elected {
        /// The first position that is not truncated.
        begin: u64,
        /// The last position.
        end: u64,
    },
    /// Another node promised more, or too few replicas vote. Ask again when it is worth it.
    NotElected,
    /// An append or truncation is in the log, at this position, and will outlive any minority of replicas.
    Written(RequestId, u64),
    /// The writer's place was lost while this request was under way: it may or may not be in the log.
    Unknown(RequestId),
    /// The writer's place is lost. Every request under way was answered by [`Answer::Unknown`] before.
    Demoted,
    /// Entries that were read, by position. Positions that hold no appended bytes are left out.
    Entries(RequestId, Vec<(u64, Bytes)>),
    /// A read that cannot be answered; why.
    ReadFailed(RequestId, String),
    /// This master leads, until then by its own monotonic clock. Comes again, with a later time, as long as it does. When the
    /// time has passed it leads no longer, whether or not anything was said.
    Leads {
        /// The proposal of its writer: higher than that of any leader before.
        epoch: u64,
        /// Until when.
        until: Instant,
    },
    /// Another master leads, as far as this one knows.
    Follows {
        /// The proposal of its writer.
        epoch: u64,
        /// What it said of itself in [`Request::Contend`].
        leader: Bytes,
    },
    /// Nobody is known to lead.
    NoLeader,
    /// Somebody sends what does not belong here, and is not heard; why, for the operator. Said once of each.
    Refused(Upid, String),
}
