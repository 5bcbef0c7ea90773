//! Masters that are asked who leads, instead of ZooKeeper: what they answer, and what follows from their answers.
//!
//! The endpoint is Tepui's own; `docs/protocols/election.md` describes it.

use crate::info;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;
use tepui_base::duration;
use tepui_proto::json::{self, Names};
use tepui_proto::mesos::MasterInfo;
use tepui_wire::query;

/// Where masters are asked.
pub const PATH: &str = "/tepui/leader";
/// The longest time an answer is held back, so that a connection that nobody listens to any more does not stay.
pub const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// What a master knows of the leader.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// The highest epoch it knows; 0 for none.
    pub epoch: u64,
    /// Who leads in that epoch.
    pub leader: Option<Arc<MasterInfo>>,
}

impl Answer {
    /// As it is sent.
    pub fn to_json(&self) -> String {
        let leader = self.leader.as_ref().map_or_else(|| "null".to_owned(), |info| json::sorted(&**info, Names::V0));
        format!("{{\"epoch\":{},\"leader\":{leader}}}", self.epoch)
    }

    /// Reads an answer.
    pub fn parse(body: &[u8]) -> Result<Answer, json::Error> {
        let wrong = |what: &str| json::Error::Conversion(what.to_owned());
        let value = json::parse(body)?;
        let epoch = value.get("epoch").and_then(|epoch| epoch.as_u64()).ok_or_else(|| wrong("'epoch' is no number"))?;
        let leader = match value.get("leader") {
            None => None,
            Some(leader) if leader.is_null() => None,
            Some(leader) => Some(Arc::new(json::from_value(leader, Names::V0)?)),
        };
        Ok(Answer { epoch, leader })
    }

    /// Whether this says the same as what somebody knows who asks for news.
    pub fn is_known(&self, question: &Question) -> bool {
        let id = self.leader.as_ref().map_or("", |info| &info.id);
        question.known.as_ref().is_some_and(|(epoch, known)| *epoch == self.epoch && known == id)
    }
}

/// What somebody who asks knows already, and how long an answer may be held back that says no more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Question {
    /// An epoch, and the id of the leader in it, or an empty one.
    pub known: Option<(u64, String)>,
    /// No time if it is to be answered at once.
    pub wait: Duration,
}

impl Question {
    /// Asks for news after this answer.
    pub fn after(answer: &Answer, wait: Duration) -> Question {
        let id = answer.leader.as_ref().map_or_else(String::new, |info| info.id.clone());
        Question { known: Some((answer.epoch, id)), wait }
    }

    /// Path and query.
    pub fn target(&self) -> String {
        let mut target = PATH.to_owned();
        if let Some((epoch, id)) = &self.known {
            let (epoch, wait) = (epoch.to_string(), duration::format(self.wait));
            let pairs = [("epoch", epoch.as_str()), ("leader", id.as_str()), ("wait", wait.as_str())];
            // Writing to a string cannot fail.
            let _ = write!(target, "?{}", query::encode(pairs.into_iter()));
        }
        target
    }

    /// Reads a query. What cannot be read is answered at once.
    pub fn parse(text: &str) -> Question {
        let read = || {
            let pairs = query::decode(text).ok()?;
            let known = (pairs.get("epoch")?.parse().ok()?, pairs.get("leader")?.clone());
            let wait = duration::parse(pairs.get("wait")?).ok()?.min(LONGEST_WAIT);
            Some(Question { known: Some(known), wait })
        };
        read().unwrap_or_default()
    }
}

/// What follows from the answers: the highest epoch counts, and in it a leader that is named counts more than none. An
/// answer of a higher epoch without a leader says that an older leader has been deposed.
pub fn choose<'a>(answers: impl IntoIterator<Item = &'a Answer>) -> Answer {
    let best = answers.into_iter().max_by_key(|answer| (answer.epoch, answer.leader.is_some()));
    best.cloned().unwrap_or_default()
}

/// Whether one follows the other: nobody goes back to an older epoch that a slow answer still names.
pub fn supersedes(new: &Answer, old: &Answer) -> bool {
    let same = |a: &Answer, b: &Answer| match (&a.leader, &b.leader) {
        (Some(a), Some(b)) => info::is_same(a, b),
        (None, None) => true,
        _ => false,
    };
    new.epoch > old.epoch || (new.epoch == old.epoch && !same(new, old))
}
