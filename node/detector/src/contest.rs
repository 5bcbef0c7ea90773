//! An election among the members of a group in ZooKeeper: the machine of `core/election`, and the group of
//! `io/coordination`.

use std::sync::Arc;
use std::time::Duration;
use tepui_base::machine::Entry;
use tepui_base::{Instant, Machine, Outbox};
use tepui_coordination::{Group, GroupEvent, Url};
use tepui_driver::Clock;
use tepui_election::info::JSON_LABEL;
use tepui_election::{Effect, Election, Input, Member};
use tepui_proto::mesos::MasterInfo;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::sleep_until;

/// What becomes of an election.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// We lead, until then if nothing else is said.
    Elected(Instant),
    /// We lead until then.
    Extended(Instant),
    /// Another master leads, or nobody does. After [`Change::Elected`] this says that it is over; then nothing is contended
    /// for before the next [`Contest::contend`].
    Leader(Option<Arc<MasterInfo>>),
    /// The lowest member does not say who it is in a way we understand. Nobody leads until that changes.
    Unreadable(String),
    /// There is no way to go on; why.
    Failed(String),
}

/// An election that goes on. Dropping it ends our session, and with it our candidacy.
#[derive(Debug)]
pub struct Contest {
    commands: mpsc::UnboundedSender<Input>,
    changes: mpsc::UnboundedReceiver<Change>,
    runner: JoinHandle<()>,
}

impl Contest {
    /// Follows the election at `url`, in sessions of this timeout. Moments are told by `clock`.
    pub fn open(url: &Url, session_timeout: Duration, clock: Clock) -> Contest {
        let (group, events) = Group::open(url, session_timeout);
        let (commands, inputs) = mpsc::unbounded_channel();
        let (told, changes) = mpsc::unbounded_channel();
        let runner = Runner { clock, group, election: Election::default(), changes: told };
        Contest { commands, changes, runner: tokio::spawn(runner.run(events, inputs)) }
    }

    /// Contends as this master from now on, and no longer under the name before.
    pub fn contend(&self, info: Arc<MasterInfo>) {
        self.command(Input::Contend(info));
    }

    /// Contends no longer.
    pub fn withdraw(&self) {
        self.command(Input::Withdraw);
    }

    fn command(&self, input: Input) {
        // The runner ends only with this value, or after it has told that there is no way to go on.
        let _ = self.commands.send(input);
    }

    /// The next change; waiting for it can be given up. After [`Change::Failed`] there is none.
    pub async fn next(&mut self) -> Change {
        match self.changes.recv().await {
            Some(change) => change,
            None => std::future::pending().await,
        }
    }

    /// Ends our session and waits until ZooKeeper knows, so that the next master leads at once.
    pub async fn close(self) {
        let Contest { commands, runner, changes } = self;
        drop((commands, changes));
        // It fails only if the runner panicked, and then there is nothing left to end.
        let _ = runner.await;
    }
}

struct Runner {
    clock: Clock,
    group: Group,
    election: Election,
    changes: mpsc::UnboundedSender<Change>,
}

impl Runner {
    async fn run(
        mut self,
        mut events: mpsc::UnboundedReceiver<GroupEvent>,
        mut commands: mpsc::UnboundedReceiver<Input>,
    ) {
        let (answers, mut answered) = mpsc::unbounded_channel();
        loop {
            let deadline = self.election.deadline().map(|at| self.clock.at(at));
            let input = tokio::select! {
                biased;
                () = due(deadline) => None,
                event = events.recv() => match event {
                    Some(event) => Some(self.input(event)),
                    None => return,
                },
                Some(answer) = answered.recv() => Some(answer),
                command = commands.recv() => match command {
                    Some(command) => Some(command),
                    None => return self.group.close().await,
                },
            };
            let (now, mut out) = (self.clock.now(), Outbox::default());
            match input {
                Some(input) => self.election.handle(now, input, &mut out),
                None => self.election.tick(now, &mut out),
            }
            for entry in out.drain() {
                let (Entry::Free(effect) | Entry::Write(_, effect) | Entry::Lazy(effect) | Entry::After(_, effect)) =
                    entry;
                self.apply(effect, &answers);
            }
        }
    }

    fn input(&self, event: GroupEvent) -> Input {
        match event {
            GroupEvent::Joined(member) => Input::Joined(of_group(member)),
            GroupEvent::Members(members) => Input::Members(members.into_iter().map(of_group).collect()),
            GroupEvent::Confirmed(until) => Input::Confirmed(self.clock.instant(until)),
            GroupEvent::Cancelled(member) => Input::Cancelled(of_group(member)),
            GroupEvent::Failed(error) => Input::GroupFailed(error.to_string()),
        }
    }

    fn apply(&self, effect: Effect, answers: &mpsc::UnboundedSender<Input>) {
        let answers = answers.clone();
        match effect {
            Effect::Join(data) => {
                let joined = self.group.join(data, Some(JSON_LABEL));
                tokio::spawn(async move {
                    // That it has joined is told by the group, in order with what becomes of the member.
                    if let Err(error) = joined.await {
                        let _ = answers.send(Input::JoinFailed(error.to_string()));
                    }
                });
            }
            Effect::Cancel(member) => drop(self.group.cancel(&to_group(&member))),
            Effect::Fetch(member) => {
                let data = self.group.data(&to_group(&member));
                tokio::spawn(async move {
                    let _ = answers.send(Input::Data(member, data.await.map_err(|error| error.to_string())));
                });
            }
            Effect::Elected(until) => self.tell(Change::Elected(until)),
            Effect::Extended(until) => self.tell(Change::Extended(until)),
            Effect::Leader(leader) => self.tell(Change::Leader(leader)),
            Effect::Unreadable(why) => self.tell(Change::Unreadable(why)),
            Effect::Failed(why) => self.tell(Change::Failed(why)),
            Effect::Note(text) => tracing::info!("{text}"),
        }
    }

    fn tell(&self, change: Change) {
        // Nobody listens any more when the contest is being closed.
        let _ = self.changes.send(change);
    }
}

fn of_group(member: tepui_coordination::Member) -> Member {
    Member { sequence: member.sequence, label: member.label, name: member.node }
}

fn to_group(member: &Member) -> tepui_coordination::Member {
    tepui_coordination::Member { sequence: member.sequence, label: member.label.clone(), node: member.name.clone() }
}

async fn due(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
