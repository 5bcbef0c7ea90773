//! Bugs on purpose, to prove that the judges bite. Each changes what passes the boundary of a machine or its disk, chosen
//! at run time in one build; the machine itself stays as it is (docs/adr/0007).

mod client;
mod disk;
mod messages;

use super::check::NodeId;
use bytes::Bytes;
use std::collections::BTreeMap;
use tepui_base::Outbox;
use tepui_base::machine::Entry;
use tepui_log::{Answer, Change, Effect, Input};
use tepui_wire::Upid;

crate::kind::bugs! {
    QuorumShort "quorum-short" "One replica less than a quorum decides.",
    SyncLies "sync-lies" "A sync is reported and not made.",
    LazyDropped "lazy-dropped" "What may be written later is never written.",
    PromiseUnwritten "promise-unwritten" "A promise for all positions is not written down.",
    AcceptUnwritten "accept-unwritten" "One of ten accepted values is not written down.",
    PromiseForgotten "promise-forgotten" "A restarted replica has forgotten what it promised.",
    AcceptForgotten "accept-forgotten" "A restarted replica has forgotten the last value it accepted.",
    VotesEmpty "votes-empty" "A replica that has lost its disk votes at once.",
    VotesEarly "votes-early" "A replica that has begun to catch up is a voting member on its disk.",
    TruncatedTooFar "truncated-too-far" "A truncation deletes one position too many.",
    FetchEmpty "fetch-empty" "What is read from the disk is lost on the way.",
    PromiseUnheld "promise-unheld" "A promise is told before it is durable.",
    AcceptUnheld "accept-unheld" "That a value is accepted is told before it is durable.",
    OwnUnheld "own-unheld" "A writer counts its own replica before that is durable.",
    PromiseOld "promise-old" "A replica promises proposals it should refuse.",
    AcceptOld "accept-old" "A replica accepts proposals it should refuse.",
    AcceptIgnored "accept-ignored" "A replica that does not vote says that it accepts.",
    PromiseIgnored "promise-ignored" "A replica that does not vote promises.",
    EndHidden "end-hidden" "A replica tells the position before its last one as its last.",
    ActionHidden "action-hidden" "A replica does not tell what it has accepted at a position.",
    ActionOlder "action-older" "A replica tells what it has accepted as accepted under an older proposal.",
    LearnedEarly "learned-early" "A writer calls decided what it only asks for.",
    LearnedWrong "learned-wrong" "A writer calls nothing decided where it is an append.",
    PositionReused "position-reused" "A writer asks for the position before, one time in eight.",
    BytesChanged "bytes-changed" "A writer changes the bytes of one of eight appends.",
    RecoverVoting "recover-voting" "A replica that does not vote says to those that recover that it does.",
    RecoverShort "recover-short" "A replica tells those that recover nothing of its last positions.",
    RejectAsAccept "reject-as-accept" "A writer takes a refused write for an accepted one.",
    NackAsPromise "nack-as-promise" "A writer takes a refused promise for one.",
    IgnoredAsAccept "ignored-as-accept" "A writer counts replicas that do not vote.",
    CountedTwice "counted-twice" "A writer counts each answer twice.",
    EndsUnheard "ends-unheard" "A new writer does not hear how far other replicas have got.",
    ActionsUnheard "actions-unheard" "Who fills a position does not hear what others have accepted.",
    HighestWrong "highest-wrong" "Who fills a position takes the value with the lowest proposal.",
    RecoverUnheard "recover-unheard" "A replica that recovers hears only of the first position.",
    InitializedEagerly "initialized-eagerly" "A replica takes voting members for new ones.",
    MembersUnheard "members-unheard" "A replica hears only once who the others are.",
    AppendTwice "append-twice" "One of twenty appends is made twice.",
    TruncateFurther "truncate-further" "A truncation takes one position more than was asked.",
    WrittenTwice "written-twice" "One of twenty acknowledgements comes twice.",
    WrittenElsewhere "written-elsewhere" "One of twenty acknowledgements names the next position.",
    WrittenSwapped "written-swapped" "Two acknowledgements change places.",
    WrittenUnsaid "written-unsaid" "One of fifty acknowledgements is forgotten.",
    UnknownAsWritten "unknown-as-written" "What may or may not be written is acknowledged.",
    UnknownUnsaid "unknown-unsaid" "A writer that has lost its place forgets those who wait.",
    DemotionUnsaid "demotion-unsaid" "A writer that has lost its place does not say so.",
    ElectedAtOnce "elected-at-once" "Who is not elected is told that it is.",
    ElectedShort "elected-short" "An elected writer is told that the log ends one position earlier.",
    ElectedLate "elected-late" "An elected writer is told that the log begins one position later.",
    EntriesShort "entries-short" "A read leaves the last entry out.",
    EntriesShifted "entries-shifted" "A read gives an entry under the next position.",
}

/// The planted bug and what it remembers.
#[derive(Default)]
pub struct Planted {
    bug: Option<Bug>,
    count: u64,
    /// The proposal and the position asked for by a process that waits for an answer.
    asked: BTreeMap<Upid, (u64, Option<u64>)>,
    /// How far each replica said that it has got.
    ends: BTreeMap<NodeId, u64>,
    /// The last general promise each replica wrote down before the bug struck.
    promises: BTreeMap<NodeId, Change>,
    /// Nodes that have heard of members.
    heard: BTreeMap<NodeId, usize>,
    /// An acknowledgement held back.
    held: BTreeMap<NodeId, Answer>,
}

impl Planted {
    /// With this bug.
    pub fn new(bug: Option<Bug>) -> Planted {
        Planted { bug, ..Planted::default() }
    }

    /// Whether there is none.
    pub fn is_nothing(&self) -> bool {
        self.bug.is_none()
    }

    /// Whether it is this one.
    fn is(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    /// One in so many.
    fn every(&mut self, many: u64) -> bool {
        self.count += 1;
        self.count.is_multiple_of(many)
    }

    /// The quorum a replica is told.
    pub fn quorum(&self, quorum: usize) -> usize {
        if self.is(Bug::QuorumShort) { (quorum - 1).max(1) } else { quorum }
    }

    /// What a replica finds on its disk.
    pub fn opened(&mut self, node: NodeId, stored: Vec<(Vec<u8>, Bytes)>) -> Vec<(Vec<u8>, Bytes)> {
        self.held.remove(&node);
        self.heard.remove(&node);
        match self.bug {
            Some(bug) => disk::opened(bug, stored),
            None => stored,
        }
    }

    /// What reaches a machine.
    pub fn input(&mut self, node: NodeId, input: Input) -> Vec<Input> {
        match input {
            _ if self.bug.is_none() => vec![input],
            Input::Message(message) => messages::received(self, message).into_iter().map(Input::Message).collect(),
            Input::Members(members) => {
                let heard = self.heard.entry(node).or_default();
                *heard += 1;
                let deaf = *heard > 1 && self.bug == Some(Bug::MembersUnheard);
                if deaf { Vec::new() } else { vec![Input::Members(members)] }
            }
            Input::Request(request) => client::requested(self, request).into_iter().map(Input::Request).collect(),
            Input::Fetched(id, found) => vec![Input::Fetched(id, disk::fetched(self, found))],
            Input::Durable(key) => vec![Input::Durable(key)],
        }
    }

    /// What a machine puts out.
    pub fn output(&mut self, node: NodeId, out: &mut Outbox<Effect>) {
        if self.bug.is_none() || out.is_empty() {
            return;
        }
        let entries: Vec<Entry<Effect>> = out.drain().collect();
        for entry in entries {
            self.entry(node, entry, out);
        }
    }

    fn entry(&mut self, node: NodeId, entry: Entry<Effect>, out: &mut Outbox<Effect>) {
        let (key, effect, lazy) = match entry {
            Entry::Write(key, effect) => return out.write(key, disk::written(self, node, effect)),
            Entry::Lazy(effect) => (None, effect, true),
            Entry::Free(effect) => (None, effect, false),
            Entry::After(key, effect) => (Some(key), effect, false),
        };
        if lazy {
            if !self.is(Bug::LazyDropped) {
                out.lazy(disk::written(self, node, effect));
            }
            return;
        }
        let key = key.filter(|_| !self.unheld(&effect));
        for effect in self.effects(node, effect) {
            match key {
                Some(key) => out.after(key, effect),
                None => out.push(effect),
            }
        }
    }

    /// Whether an effect does not wait for the disk.
    fn unheld(&self, effect: &Effect) -> bool {
        let is_called = |part: &str| matches!(effect, Effect::Send(message) if message.name.ends_with(part));
        match self.bug {
            Some(Bug::PromiseUnheld) => is_called("PromiseResponse"),
            Some(Bug::AcceptUnheld) => is_called("WriteResponse"),
            Some(Bug::OwnUnheld) => matches!(effect, Effect::Durable(_)),
            _ => false,
        }
    }

    fn effects(&mut self, node: NodeId, effect: Effect) -> Vec<Effect> {
        match effect {
            Effect::Send(message) => messages::sent(self, node, message).into_iter().map(Effect::Send).collect(),
            Effect::Answer(answer) => client::answered(self, node, answer).into_iter().map(Effect::Answer).collect(),
            other => vec![other],
        }
    }

    /// Whether a sync is only said to be one.
    pub fn sync_lies(&self) -> bool {
        self.is(Bug::SyncLies)
    }
}
