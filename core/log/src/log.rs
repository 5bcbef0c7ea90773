//! The machine: hands inputs to whom they concern, and answers of replicas to whoever asked.

use crate::coordinator::Coordinator;
use crate::fetches::Fetches;
use crate::fills::Filling;
use crate::lease::Lease;
use crate::messages::{self, Ask, Content, Reply};
use crate::records::Status;
use crate::recovery::Recovery;
use crate::replica::{Outcome, Replica, When};
use crate::rounds::{Expired, Owner, Question, RoundId, Rounds};
use crate::tally::{RecoverTally, Verdict};
use crate::{Action, Answer, Config, Effect, Figures, Input, Request, RequestId, Restored};
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;
use tepui_base::{Instant, Machine, Now, Outbox, Rng, WriteKey};
use tepui_wire::{Message, Upid};

/// How long an answer is waited for at first, and at most: it is twice as long each time. 1.11 waits 10 seconds for a position
/// that it catches up with, and for ever in an election or a write; a lost message then waits for the caller's timeout.
pub(crate) const ROUND_WAIT: Duration = Duration::from_secs(1);
/// See [`ROUND_WAIT`].
pub(crate) const ROUND_WAIT_MAX: Duration = Duration::from_secs(10);

/// Who is to have the answer of this replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asker {
    /// Another process.
    Peer(Upid),
    /// A round of our own, through this sender.
    Own(u64),
}

/// One replica of the log, and the writer that may run beside it. See the crate's text.
#[derive(Debug)]
pub struct Log {
    pub(crate) config: Config,
    pub(crate) rng: Rng,
    pub(crate) replica: Replica,
    pub(crate) rounds: Rounds,
    pub(crate) recovery: Recovery,
    /// Since when this replica wants to vote, if it did not from the beginning.
    pub(crate) recovering_since: Option<Instant>,
    pub(crate) coordinator: Coordinator,
    pub(crate) filling: Option<Filling>,
    pub(crate) fetches: Fetches,
    /// Reads that came before the replica had recovered.
    pub(crate) early_reads: Vec<(RequestId, u64, u64)>,
    /// Members whose votes say that they seal behind a writer; see `coordinator/seal.rs`.
    pub(crate) sealing: BTreeSet<Upid>,
    /// Where masters elect their leader by the log.
    pub(crate) lease: Option<Lease>,
    /// The time of the input that is being handled.
    now: Instant,
    /// Answers of this replica to rounds of its own, each until the write it depends on is durable.
    own_waiting: VecDeque<(WriteKey, u64, Reply)>,
    own_ready: VecDeque<(u64, Reply)>,
}

impl Log {
    /// A log as it stands on the disk. The first [`Machine::tick`] starts it.
    pub fn new(config: Config, seed: u64, restored: Restored) -> Log {
        let mut rng = Rng::new(seed);
        // Answers to an earlier life of this process, still on their way, must not answer questions of this one.
        let first_sender = 1 + rng.below(1 << 40);
        let mut replica = Replica::new(restored);
        replica.bodies.limit(config.bodies_bytes);
        // A lease is worth nothing if two quorums need not have a member in common.
        let majority = config.masters.as_ref().map_or(1, |masters| masters.members.len() / 2 + 1);
        let quorum = config.quorum.max(majority);
        let lease = config.masters.as_ref().map(|masters| Lease::new(masters, quorum));
        let mut rounds = Rounds::new(config.pid.clone(), quorum, lease.as_ref().map(Lease::group), first_sender);
        if let Some(masters) = &config.masters {
            rounds.set_members(masters.members.clone());
        }
        Log {
            rounds,
            lease,
            now: Instant(0),
            config,
            rng,
            replica,
            recovery: Recovery::default(),
            recovering_since: None,
            coordinator: Coordinator::default(),
            filling: None,
            fetches: Fetches::default(),
            early_reads: Vec::new(),
            sealing: BTreeSet::new(),
            own_waiting: VecDeque::new(),
            own_ready: VecDeque::new(),
        }
    }

    /// The figures of this log.
    pub fn figures(&self) -> Figures {
        Figures {
            recovered: self.recovery == Recovery::Done,
            ensemble_size: self.rounds.members().len(),
            status: self.replica.status(),
            promised: self.replica.promised(),
            begin: self.replica.begin(),
            end: self.replica.end(),
            missing: self.replica.count_missing(),
            not_initialized: matches!(self.recovery, Recovery::NotInitialized(_)),
            proposal: self.coordinator.leading_with(),
            in_flight: self.coordinator.in_flight(),
            bodies_bytes: self.replica.bodies.bytes(),
        }
    }

    pub(crate) fn is_voting(&self) -> bool {
        self.replica.status() == Status::Voting
    }

    /// A duration in `[shortest, 2 * shortest)`: proposers that fell over each other get up one after the other.
    pub(crate) fn back_off(&mut self, shortest: Duration) -> Duration {
        shortest + self.rng.up_to(shortest)
    }

    /// Asks every member.
    pub(crate) fn start_round(
        &mut self,
        owner: Owner,
        ask: Ask,
        now: Instant,
        wait: Duration,
        out: &mut Outbox<Effect>,
    ) -> RoundId {
        let recover = RecoverTally::new(self.replica.status(), self.config.auto_initialize, self.rounds.everyone());
        let id = self.rounds.start(owner, ask, recover, now, wait);
        let questions = self.rounds.questions(id);
        self.put(questions, out);
        id
    }

    fn put(&mut self, questions: Vec<Question>, out: &mut Outbox<Effect>) {
        for Question { round, sender, to } in questions {
            if to == self.config.pid {
                let Some(ask) = self.rounds.ask(round).cloned() else { continue };
                self.ask_replica(Asker::Own(sender), ask, 0, out);
            } else if let Some((name, body)) = self.rounds.encoded(round) {
                let from = self.rounds.sender_pid(sender);
                out.push(Effect::Send(Message { from, to, name: name.to_owned(), body, epoch: None }));
            }
        }
    }

    /// Has this replica answer. `tries` counts how often the answer had to wait for the disk to be read.
    pub(crate) fn ask_replica(&mut self, asker: Asker, ask: Ask, tries: u32, out: &mut Outbox<Effect>) {
        let from = match &asker {
            Asker::Peer(from) => from.address(),
            Asker::Own(_) => self.config.pid.address(),
        };
        let withheld = self.withheld(&ask, from, self.now);
        let outcome = withheld.map_or_else(|| self.replica.ask(&ask, out), |reply| Outcome::Reply(When::Now, reply));
        match outcome {
            Outcome::Silent => {}
            Outcome::Wants(position) => self.fetch_for(position, asker, ask, tries, out),
            Outcome::Reply(when, reply) => match asker {
                Asker::Own(sender) if when == When::Now => self.own_ready.push_back((sender, reply)),
                Asker::Own(sender) => self.own_waiting.push_back((self.replica.disk.last(), sender, reply)),
                Asker::Peer(to) => {
                    let effect = Effect::Send(self.message(to, &Content::Reply(reply)));
                    match when {
                        When::Now => out.push(effect),
                        When::Durable => self.replica.disk.after_all(effect, out),
                    }
                }
            },
        }
    }

    fn message(&self, to: Upid, content: &Content) -> Message {
        let (name, body) = content.encode(self.lease.as_ref().map(Lease::group));
        Message { from: self.config.pid.clone(), to, name: name.to_owned(), body, epoch: None }
    }

    /// Tells every member that a value is decided, this replica first.
    pub(crate) fn broadcast_learned(&mut self, action: Action, out: &mut Outbox<Effect>) {
        let (name, body) = Content::Learned(action.clone()).encode(None);
        self.replica.learn(action, out);
        for to in self.rounds.members().iter().filter(|member| **member != self.config.pid) {
            let (from, name) = (self.config.pid.clone(), name.to_owned());
            out.push(Effect::Send(Message { from, to: to.clone(), name, body: body.clone(), epoch: None }));
        }
    }

    fn message_arrived(&mut self, message: Message, now: Instant, out: &mut Outbox<Effect>) {
        if self.lease_message(&message, now, out) {
            return;
        }
        let Some(decoded) = messages::decode(&message.name, &message.body) else { return };
        if !self.is_heard(&message.from, &decoded, out) {
            return;
        }
        match decoded.content {
            Content::Ask(ask) if message.to == self.config.pid => {
                self.ask_replica(Asker::Peer(message.from), ask, 0, out);
            }
            Content::Learned(action) if message.to == self.config.pid => {
                let position = action.position;
                self.replica.learn(action, out);
                self.another_decided(position, out);
                self.pump_filling(now, out);
            }
            Content::Reply(reply) => {
                self.note_sealing(message.from, &reply);
                if let Some(sender) = self.rounds.sender_of(&message.to) {
                    self.replied(sender, &reply, now, out);
                }
            }
            _ => {}
        }
    }

    fn note_sealing(&mut self, member: Upid, reply: &Reply) {
        let seals = match reply {
            Reply::Promise(reply) => reply.seals,
            Reply::Write(reply) => reply.seals,
            Reply::Recover(_) => return,
        };
        if !seals {
            self.sealing.remove(&member);
        } else if self.rounds.members().contains(&member) {
            self.sealing.insert(member);
        }
    }

    fn replied(&mut self, sender: u64, reply: &Reply, now: Instant, out: &mut Outbox<Effect>) {
        if let Some((owner, round, verdict)) = self.rounds.reply(sender, reply) {
            self.decided(owner, round, verdict, now, out);
        }
    }

    fn decided(&mut self, owner: Owner, round: RoundId, verdict: Verdict, now: Instant, out: &mut Outbox<Effect>) {
        match owner {
            Owner::Election => self.election_decided(round, verdict, now, out),
            Owner::Fill(position) => self.fill_decided(position, round, verdict, now, out),
            Owner::Write(position) => self.write_decided(position, &verdict, now, out),
            Owner::Recovery => self.recovery_decided(round, verdict, now, out),
        }
    }

    /// Hears the answers of this replica that may be heard now, and what comes of them.
    fn hear_own(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        loop {
            let durable = self.own_waiting.front().is_some_and(|(key, ..)| self.replica.disk.is_durable(*key));
            if durable && let Some((_, sender, reply)) = self.own_waiting.pop_front() {
                self.own_ready.push_back((sender, reply));
            } else if let Some((sender, reply)) = self.own_ready.pop_front() {
                self.replied(sender, &reply, now, out);
            } else {
                return;
            }
        }
    }

    fn request(&mut self, request: Request, now: Instant, out: &mut Outbox<Effect>) {
        match request {
            Request::Elect => self.elect(now, out),
            Request::Resign => self.resign(out),
            Request::Contend(leader) => self.contend(leader, now, out),
            Request::Append(id, bytes) => self.append(id, bytes, now, out),
            Request::Truncate(id, to) => self.truncate(id, to, now, out),
            Request::Read(id, from, to) => self.read(id, from, to, out),
        }
    }

    fn expire_rounds(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        while let Some(round) = self.rounds.overdue(now) {
            match self.rounds.expire(round, now, ROUND_WAIT_MAX) {
                Expired::Again(questions) => self.put(questions, out),
                Expired::Over(owner, verdict) => self.decided(owner, round, verdict, now, out),
            }
        }
    }
}

impl Machine for Log {
    type Input = Input;
    type Effect = Effect;

    fn handle(&mut self, now: Now, input: Input, out: &mut Outbox<Effect>) {
        let now = now.monotonic;
        self.now = now;
        self.start_lease(now, out);
        match input {
            Input::Message(message) => self.message_arrived(message, now, out),
            // The group of masters that elect by the log is what it was started with.
            Input::Members(_) if self.lease.is_some() => {}
            Input::Members(members) => {
                self.sealing.retain(|member| members.contains(member));
                let questions = self.rounds.set_members(members);
                self.put(questions, out);
            }
            Input::Request(request) => self.request(request, now, out),
            Input::Fetched(id, found) => self.fetched(id, found, out),
            Input::Durable(key) => {
                self.replica.disk.set_durable(key);
                self.replica.bodies.durable(key);
            }
        }
        self.hear_own(now, out);
        self.lease_tick(now, out);
    }

    fn tick(&mut self, now: Now, out: &mut Outbox<Effect>) {
        let now = now.monotonic;
        self.now = now;
        self.start_lease(now, out);
        // What has come due ends before anything else is done in its name.
        self.lease_tick(now, out);
        self.expire_rounds(now, out);
        self.recovery_tick(now, out);
        self.election_tick(now, out);
        self.pump_filling(now, out);
        self.hear_own(now, out);
        self.lease_tick(now, out);
    }

    fn deadline(&self) -> Option<Instant> {
        let filling = self.filling.as_ref().and_then(Filling::deadline);
        let lease = self.lease.as_ref().and_then(Lease::deadline);
        let deadlines = [self.recovery.deadline(), self.coordinator.deadline(), self.rounds.deadline(), filling, lease];
        deadlines.into_iter().flatten().min()
    }
}

/// An answer to the client, at once.
pub(crate) fn answer(answer: Answer, out: &mut Outbox<Effect>) {
    out.push(Effect::Answer(answer));
}
