//! A group of three replicas, one of which has a disk: the others ask it, and what it answers is what it acknowledges.
//!
//! Messages arrive in the order in which they were sent, and none is lost; time goes on when nothing is under way.

use crate::judge::Diary;
use crate::replica;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use tepui_base::machine::Entry;
use tepui_base::{EffectQueue, Machine, Now, Outbox};
use tepui_log::records::{METADATA_KEY, Metadata, Status, metadata_value};
use tepui_log::{Answer, Change, Config, Effect, Input, Log, Request, Restored};
use tepui_logd::directory;
use tepui_logd::quorum::Membership;
use tepui_store::disk::Disk;
use tepui_store::{Durability, Store};
use tepui_wire::{Message, Upid};

/// What a replica has on its disk.
pub type Pairs = BTreeMap<Vec<u8>, Bytes>;

/// The member with a disk; the others have memory, which does not crash.
pub const FOLLOWER: usize = 0;

/// So many deadlines come before what is waited for must have happened.
const DEADLINES_MAX: usize = 1000;

enum Keep {
    Memory(Pairs),
    Disk(Store),
}

impl Keep {
    fn apply(&mut self, changes: impl Iterator<Item = Change>) {
        match self {
            Keep::Memory(pairs) => changes.for_each(|change| apply(pairs, &change)),
            Keep::Disk(store) => {
                let changes = directory::changes(changes);
                store.apply(&changes, Durability::Sync).expect("the disk refuses nothing");
            }
        }
    }

    fn range(&self, from: &[u8], to: &[u8]) -> Vec<(Vec<u8>, Bytes)> {
        match self {
            Keep::Memory(pairs) => {
                pairs.range(from.to_vec()..=to.to_vec()).map(|(k, v)| (k.clone(), v.clone())).collect()
            }
            Keep::Disk(store) => store.range(from, to).expect("what was opened can be read"),
        }
    }
}

fn apply(pairs: &mut Pairs, change: &Change) {
    match change {
        Change::Put(key, value) => _ = pairs.insert(key.clone(), value.clone()),
        Change::Delete(key) => _ = pairs.remove(key),
    }
}

struct Member {
    log: Log,
    queue: EffectQueue<Effect>,
    keep: Keep,
    told: VecDeque<Answer>,
}

/// What becomes of a question and its answer: whether these pairs hold what the answer acknowledges, if anything.
pub type Holds = fn(&Message, &Message, &Pairs) -> bool;

/// See the module's text.
pub struct Group<'a> {
    members: [Option<Member>; 3],
    wire: VecDeque<Message>,
    now: Now,
    diary: &'a mut Diary<Pairs>,
    /// What the follower's disk holds if nothing is lost.
    content: Pairs,
    holds: Holds,
}

fn pid(member: usize) -> Upid {
    // There are three.
    Upid::new("log-replica(1)", [10, 0, 0, member as u8 + 1].into(), 5050)
}

fn log(member: usize, restored: Restored) -> Log {
    Log::new(Config::new(pid(member), 2), member as u64 + 1, restored)
}

/// Starts the follower from what its disk holds.
pub fn start(disk: Arc<dyn Disk>) -> Result<(Store, Log), String> {
    let (store, restored) = replica::open(disk, &Membership { quorum: 2, ..Membership::default() })?;
    Ok((store, log(FOLLOWER, restored)))
}

impl<'a> Group<'a> {
    /// Nobody runs yet.
    pub fn new(diary: &'a mut Diary<Pairs>, holds: Holds) -> Group<'a> {
        let (wire, now) = Default::default();
        Group { members: [None, None, None], wire, now, diary, content: Pairs::new(), holds }
    }

    /// Starts the follower on an empty disk.
    pub fn start_follower(&mut self, disk: Arc<dyn Disk>) {
        let (store, log) = start(disk).unwrap();
        self.join(FOLLOWER, log, Keep::Disk(store));
    }

    /// Starts another member, which is new or has voted before.
    pub fn start_other(&mut self, member: usize, status: Status) {
        let mut pairs = Pairs::new();
        if status != Status::Empty {
            pairs.insert(METADATA_KEY.to_vec(), metadata_value(Metadata { status, promised: 0 }));
        }
        self.join(member, log(member, Restored::from_pairs(&pairs).unwrap()), Keep::Memory(pairs));
    }

    fn join(&mut self, member: usize, log: Log, keep: Keep) {
        let (queue, told) = Default::default();
        self.members[member] = Some(Member { log, queue, keep, told });
        self.input(member, Input::Members((0..3).map(pid).collect::<BTreeSet<_>>()), None);
    }

    /// Lets all happen until this does.
    fn run_until<T>(&mut self, mut done: impl FnMut(&mut Self) -> Option<T>) -> T {
        for _ in 0..DEADLINES_MAX {
            while let Some(message) = self.wire.pop_front() {
                if let Some(member) = (0..3).find(|member| pid(*member).ip == message.to.ip) {
                    self.input(member, Input::Message(message.clone()), Some(&message));
                }
            }
            if let Some(done) = done(self) {
                return done;
            }
            let deadlines = self.members.iter().flatten().filter_map(|member| member.log.deadline());
            self.now.monotonic = deadlines.min().expect("somebody waits for something").max(self.now.monotonic);
            for member in 0..3 {
                self.step(member, None, |log, now, out| log.tick(now, out));
            }
        }
        panic!("it does not happen");
    }

    /// Lets all happen until these vote.
    pub fn run_until_votes(&mut self, of: &[usize]) {
        self.run_until(|group| {
            let votes =
                |member: &usize| group.members[*member].as_ref().is_some_and(|member| member.log.figures().recovered);
            of.iter().all(votes).then_some(())
        });
    }

    /// What a member answers its client. What follows from it has happened, too.
    pub fn ask(&mut self, member: usize, request: Request) -> Answer {
        self.input(member, Input::Request(request), None);
        self.run_until(|group| {
            let told = &mut group.members[member].as_mut()?.told;
            std::iter::from_fn(|| told.pop_front())
                .find(|answer| *answer != Answer::Recovered && *answer != Answer::Demoted)
        })
    }

    /// Sends the follower a message, from a process that is in no group.
    pub fn tell(&mut self, name: &str, body: Bytes) {
        let from = Upid::new("__req_res__(1)", [10, 0, 0, 9].into(), 5050);
        let message =
            Message { from, to: pid(FOLLOWER), name: format!("mesos.internal.log.{name}"), body, epoch: None };
        self.input(FOLLOWER, Input::Message(message.clone()), Some(&message));
    }

    fn input(&mut self, member: usize, input: Input, asked: Option<&Message>) {
        self.step(member, asked, |log, now, out| log.handle(now, input, out));
    }

    fn step(&mut self, at: usize, asked: Option<&Message>, step: impl FnOnce(&mut Log, Now, &mut Outbox<Effect>)) {
        let Some(mut member) = self.members[at].take() else { return };
        let mut out = Outbox::default();
        step(&mut member.log, self.now, &mut out);
        self.submit(at, &mut member, out);
        loop {
            while let Some(effect) = member.queue.pop_ready() {
                self.leave(at, &mut member, asked, effect);
            }
            let Some(batch) = member.queue.begin_sync() else { break };
            let changes = batch.into_iter().filter_map(|effect| match effect {
                Effect::Write(changes) => Some(changes),
                _ => None,
            });
            member.keep.apply(changes.flatten());
            member.queue.finish_sync();
        }
        self.members[at] = Some(member);
    }

    fn leave(&mut self, at: usize, member: &mut Member, asked: Option<&Message>, effect: Effect) {
        let input = match effect {
            Effect::Send(message) => {
                if let (FOLLOWER, Some(asked)) = (at, asked) {
                    self.answered(asked, &message);
                }
                return self.wire.push_back(message);
            }
            Effect::Answer(answer) => return member.told.push_back(answer),
            Effect::Durable(key) => Input::Durable(key),
            Effect::Fetch(id, from, to) => Input::Fetched(id, member.keep.range(&from, &to)),
            Effect::Write(_) => return,
        };
        let mut out = Outbox::default();
        member.log.handle(self.now, input, &mut out);
        self.submit(at, member, out);
    }

    /// Takes over effects, and notes what the follower writes.
    fn submit(&mut self, at: usize, member: &mut Member, mut out: Outbox<Effect>) {
        let mut noted = Outbox::default();
        for entry in out.drain() {
            if let (FOLLOWER, Entry::Write(_, Effect::Write(changes)) | Entry::Lazy(Effect::Write(changes))) =
                (at, &entry)
            {
                changes.iter().for_each(|change| apply(&mut self.content, change));
                self.diary.lazy(self.diary.now(), &self.content);
            }
            match entry {
                Entry::Free(effect) => noted.push(effect),
                Entry::Write(key, effect) => noted.write(key, effect),
                Entry::Lazy(effect) => noted.lazy(effect),
                Entry::After(key, effect) => noted.after(key, effect),
            }
        }
        member.queue.submit(&mut noted);
    }

    fn answered(&mut self, asked: &Message, answer: &Message) {
        let holds = self.holds;
        if answer.name.ends_with("Response") && !holds(asked, answer, &Pairs::new()) {
            self.diary.acknowledge(|pairs| holds(asked, answer, pairs));
        }
    }
}
