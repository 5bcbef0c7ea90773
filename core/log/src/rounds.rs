//! Questions to every replica, and which of them have answered.
//!
//! Each question to each replica comes from a process of its own, `__req_res__(N)`, as with Mesos: the answer goes to that
//! address, so its number says which question it answers, and a second answer finds nobody. Unlike Mesos a question that is
//! not answered is put again: a write as it was, a promise by its owner with a higher number. Source: Mesos
//! `3rdparty/libprocess/include/process/protobuf.hpp` (ReqResProcess), `src/log/network.hpp`.

use crate::messages::{Ask, Content, Reply};
use crate::records::Status;
use crate::tally::{Counted, PromiseTally, RecoverTally, Tally, Verdict, WriteTally};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tepui_base::Instant;
use tepui_wire::Upid;

/// The name of the processes that ask.
const SENDER: &str = "__req_res__";

/// Who wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// The election of a writer.
    Election,
    /// A position being filled.
    Fill(u64),
    /// A position being written by the writer.
    Write(u64),
    /// The recovery of this replica.
    Recovery,
}

/// Names a round.
pub(crate) type RoundId = u64;

/// One question and its answers.
#[derive(Debug)]
struct Round {
    owner: Owner,
    ask: Ask,
    encoded: (&'static str, Bytes),
    tally: Tally,
    /// What a quorum has said, while the others are waited for.
    said: Option<Verdict>,
    members: BTreeMap<Upid, Asked>,
    due: Instant,
    wait: Duration,
    /// How often it may still be put again.
    again: u32,
}

/// How often a write is put again. Some who do not answer never will: they have forgotten the position, because another
/// writer has truncated it. With the waits in between that is half a minute, longer than any caller of 1.11 waits.
const AGAIN_MAX: u32 = 5;

/// How it stands with one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Asked {
    sender: u64,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Ignored,
    Answered,
}

/// A question to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    pub round: RoundId,
    pub sender: u64,
    pub to: Upid,
}

/// The group, and every round that is under way.
#[derive(Debug)]
pub(crate) struct Rounds {
    pid: Upid,
    quorum: usize,
    /// The group that questions are asked in; see `lease.rs`.
    group: Option<u64>,
    members: BTreeSet<Upid>,
    next_round: RoundId,
    next_sender: u64,
    rounds: BTreeMap<RoundId, Round>,
    /// When which round has waited long enough.
    due: BTreeSet<(Instant, RoundId)>,
    senders: BTreeMap<u64, (RoundId, Upid)>,
}

impl Rounds {
    pub fn new(pid: Upid, quorum: usize, group: Option<u64>, next_sender: u64) -> Rounds {
        let members = BTreeSet::from([pid.clone()]);
        let (rounds, senders) = (BTreeMap::new(), BTreeMap::new());
        Rounds { pid, quorum, group, members, next_round: 1, next_sender, rounds, due: BTreeSet::new(), senders }
    }

    pub fn quorum(&self) -> usize {
        self.quorum
    }

    /// How many members there are when all are there. A group that is named once and for all may have an even number of them;
    /// of any other the quorum is all that is known.
    pub fn everyone(&self) -> usize {
        let is_named = self.group.is_some() && self.members.len() >= self.quorum;
        if is_named { self.members.len() } else { 2 * self.quorum - 1 }
    }

    pub fn members(&self) -> &BTreeSet<Upid> {
        &self.members
    }

    /// The process that a question came from.
    pub fn sender_pid(&self, sender: u64) -> Upid {
        Upid::at(&format!("{SENDER}({sender})"), self.pid.address())
    }

    /// Begins a round. Nothing is asked while there are too few members to answer.
    pub fn start(&mut self, owner: Owner, ask: Ask, own: RecoverTally, now: Instant, wait: Duration) -> RoundId {
        let tally = match &ask {
            Ask::Promise(request) => Tally::Promise(PromiseTally::new(request.proposal, request.position)),
            Ask::Write(request) => Tally::Write(WriteTally::new(request.proposal, request.position)),
            Ask::Recover => Tally::Recover(own),
        };
        let encoded = Content::Ask(ask.clone()).encode(self.group);
        let id = self.next_round;
        self.next_round += 1;
        let (members, due, again) = (BTreeMap::new(), now + wait, AGAIN_MAX);
        let round = Round { owner, ask, encoded, tally, said: None, members, due, wait, again };
        self.due.insert((round.due, id));
        self.rounds.insert(id, round);
        id
    }

    /// The members of a round that have not been asked yet, to be asked now.
    pub fn questions(&mut self, id: RoundId) -> Vec<Question> {
        let enough = self.members.len() >= self.quorum;
        let Some(round) = self.rounds.get_mut(&id).filter(|_| enough) else { return Vec::new() };
        let mut questions = Vec::new();
        for member in &self.members {
            if !round.members.contains_key(member) {
                let sender = self.next_sender;
                self.next_sender += 1;
                round.members.insert(member.clone(), Asked { sender, state: State::Waiting });
                self.senders.insert(sender, (id, member.clone()));
                questions.push(Question { round: id, sender, to: member.clone() });
            }
        }
        // The replica of this process is asked last: its write then is on its way to the disk while the others' are on
        // their way through the network.
        questions.sort_by_key(|question| question.to == self.pid);
        questions
    }

    /// The group is another one now: whoever is new to a round has to be asked.
    pub fn set_members(&mut self, members: BTreeSet<Upid>) -> Vec<Question> {
        self.members = members;
        self.members.insert(self.pid.clone());
        let ids: Vec<RoundId> = self.rounds.keys().copied().collect();
        ids.into_iter().flat_map(|id| self.questions(id)).collect()
    }

    /// What is asked in a round.
    pub fn ask(&self, id: RoundId) -> Option<&Ask> {
        self.rounds.get(&id).map(|round| &round.ask)
    }

    /// The same as it goes over the wire.
    pub fn encoded(&self, id: RoundId) -> Option<(&'static str, Bytes)> {
        self.rounds.get(&id).map(|round| round.encoded.clone())
    }

    /// The number of the sender that an answer is for.
    pub fn sender_of(&self, to: &Upid) -> Option<u64> {
        to.id.strip_prefix(SENDER)?.strip_prefix('(')?.strip_suffix(')')?.parse().ok()
    }

    /// Counts an answer. What it decides ends its round.
    pub fn reply(&mut self, sender: u64, reply: &Reply) -> Option<(Owner, RoundId, Verdict)> {
        let (id, member) = self.senders.get(&sender).cloned()?;
        let everyone = self.everyone();
        let round = self.rounds.get_mut(&id)?;
        let counted = round.tally.count(self.quorum, reply);
        let state = match &counted {
            Counted::No => return None,
            Counted::Ignored => State::Ignored,
            Counted::Yes | Counted::Decides(_) => State::Answered,
        };
        round.members.insert(member, Asked { sender, state });
        self.senders.remove(&sender);
        let verdict = match counted {
            Counted::Decides(verdict) if !round.wants_all(&verdict) => verdict,
            Counted::Decides(verdict) => {
                round.said = Some(verdict);
                round.said_by_all(everyone)?
            }
            _ => round.said_by_all(everyone).or_else(|| round.after_answer(self.quorum))?,
        };
        let owner = round.owner;
        self.end(id);
        Some((owner, id, verdict))
    }

    /// Ends a round; whatever still comes finds nobody.
    pub fn end(&mut self, id: RoundId) {
        let Some(round) = self.rounds.remove(&id) else { return };
        self.due.remove(&(round.due, id));
        for asked in round.members.into_values() {
            self.senders.remove(&asked.sender);
        }
    }

    /// When the next round has waited long enough.
    pub fn deadline(&self) -> Option<Instant> {
        self.due.first().map(|(due, _)| *due)
    }

    /// A round that has waited long enough, if there is one.
    pub fn overdue(&self, now: Instant) -> Option<RoundId> {
        self.due.first().filter(|(due, _)| *due <= now).map(|(_, id)| *id)
    }

    /// The time of a round is over. A write is put again, some times, to whoever has not answered, or did not take part then;
    /// any other round ends.
    pub fn expire(&mut self, id: RoundId, now: Instant, wait_max: Duration) -> Expired {
        let Some(round) = self.rounds.get_mut(&id) else { return Expired::Again(Vec::new()) };
        if !matches!(round.ask, Ask::Write(_)) || round.again == 0 {
            let verdict = round.said.take().map_or(Verdict::TimedOut, |said| Verdict::OfSome(Box::new(said)));
            let owner = round.owner;
            self.end(id);
            return Expired::Over(owner, verdict);
        }
        round.again -= 1;
        self.due.remove(&(round.due, id));
        round.wait = (round.wait * 2).min(wait_max);
        round.due = now + round.wait;
        self.due.insert((round.due, id));
        let mut questions = Vec::new();
        for (member, asked) in &mut round.members {
            if asked.state != State::Answered && self.members.contains(member) {
                asked.state = State::Waiting;
                self.senders.insert(asked.sender, (id, member.clone()));
                questions.push(Question { round: id, sender: asked.sender, to: member.clone() });
            }
        }
        Expired::Again(questions)
    }
}

/// What becomes of a round whose time is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expired {
    /// It goes on; these are asked again.
    Again(Vec<Question>),
    /// It is over, without enough answers.
    Over(Owner, Verdict),
}

impl Round {
    /// Whether this is to be heard of everybody; see `recovery.rs`.
    fn wants_all(&self, verdict: &Verdict) -> bool {
        let of_quorum = matches!(verdict, Verdict::Next(Status::Recovering, _) | Verdict::Rejected(_));
        self.owner == Owner::Recovery && of_quorum
    }

    fn said_by_all(&mut self, everyone: usize) -> Option<Verdict> {
        let answered = self.members.values().filter(|asked| asked.state != State::Waiting).count();
        if answered >= everyone { self.said.take() } else { None }
    }

    fn after_answer(&self, quorum: usize) -> Option<Verdict> {
        let count = |state| self.members.values().filter(|asked| asked.state == state).count();
        if count(State::Ignored) >= quorum {
            return Some(Verdict::Ignored);
        }
        match &self.tally {
            Tally::Recover(tally) if count(State::Waiting) == 0 => Some(tally.inconclusive()),
            _ => None,
        }
    }
}
