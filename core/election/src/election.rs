//! The election: who leads, and whether that is us.
//!
//! The lowest member of the group leads; its data says who it is. A contender leads when the lowest member is its own, and
//! as long as its session is sure to live: the moment until which that is so comes in with each answer of the group's
//! servers, and passing it ends the leadership whether or not anybody has said so.
//!
//! Source: Mesos `src/zookeeper/{contender,detector}.cpp`, `src/master/{contender,detector}/zookeeper.cpp`,
//! `Master::{contended,lostCandidacy,detected}`. A master of Mesos that stops leading ends its process; here it is told, and
//! may contend again.

use crate::info;
use crate::member::{Member, Members};
use bytes::Bytes;
use std::sync::Arc;
use tepui_base::{Instant, Machine, Now, Outbox};
use tepui_proto::mesos::MasterInfo;

/// What an election learns.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// Contend as this master, and no longer as the one before.
    Contend(Arc<MasterInfo>),
    /// Contend no longer.
    Withdraw,
    /// The member that was asked for is there.
    Joined(Member),
    /// It will never be.
    JoinFailed(String),
    /// Who is in the group now; nobody also when the session is over.
    Members(Members),
    /// The data of a member that was asked for; none if the member is gone.
    Data(Member, Result<Option<Bytes>, String>),
    /// A membership of ours has ended without being asked to.
    Cancelled(Member),
    /// The session is sure to live until then.
    Confirmed(Instant),
    /// The group cannot be used, and never will.
    GroupFailed(String),
}

/// What an election wants done, or has to tell.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Join the group with this data, under [`info::JSON_LABEL`].
    Join(Bytes),
    /// End this membership of ours.
    Cancel(Member),
    /// Ask for this member's data.
    Fetch(Member),
    /// We lead, until then if nothing else is said.
    Elected(Instant),
    /// We lead until then.
    Extended(Instant),
    /// Another master leads, or nobody does. After [`Effect::Elected`] this says that it is over, and that nothing is
    /// done before [`Input::Contend`] comes.
    Leader(Option<Arc<MasterInfo>>),
    /// The lowest member does not say who it is in a way we understand. Nobody leads until that changes.
    Unreadable(String),
    /// There is no way to go on; why.
    Failed(String),
    /// For the log.
    Note(String),
}

/// Where our own membership stands.
#[derive(Debug)]
enum Candidacy {
    /// Not wanted, or lost while leading.
    None,
    /// Asked for. What was wanted meanwhile follows: another name, or none.
    Joining { info: Arc<MasterInfo>, then: Option<Option<Arc<MasterInfo>>> },
    /// There.
    Member { info: Arc<MasterInfo>, member: Member },
}

/// What was told last.
#[derive(Debug)]
enum Told {
    Leader(Option<Arc<MasterInfo>>),
    Elected,
}

/// See the module's text. It detects from the start, and contends once it is told to.
#[derive(Debug)]
pub struct Election {
    candidacy: Candidacy,
    /// Who we said we were last.
    own: Option<Arc<MasterInfo>>,
    /// The lowest member, and who it says it is, once that is known.
    lowest: Option<Member>,
    leader: Option<Arc<MasterInfo>>,
    until: Instant,
    told: Told,
    failed: bool,
}

impl Default for Election {
    fn default() -> Self {
        Election {
            candidacy: Candidacy::None,
            own: None,
            lowest: None,
            leader: None,
            until: Instant(0),
            told: Told::Leader(None),
            failed: false,
        }
    }
}

impl Machine for Election {
    type Input = Input;
    type Effect = Effect;

    fn handle(&mut self, now: Now, input: Input, out: &mut Outbox<Effect>) {
        if self.failed {
            return;
        }
        // What has come due comes first, whatever arrived before it was noticed.
        self.settle(now.monotonic, out);
        match input {
            Input::Contend(info) => self.contend(info, out),
            Input::Withdraw => self.withdraw(out),
            Input::Joined(member) => self.joined(member, out),
            Input::JoinFailed(why) => self.fail(format!("Failed to contend: {why}"), out),
            Input::Members(members) => self.members(&members, out),
            Input::Data(member, data) => self.data(&member, data, out),
            Input::Cancelled(member) => self.cancelled(&member, out),
            Input::Confirmed(until) => self.confirmed(until, out),
            Input::GroupFailed(why) => self.fail(why, out),
        }
        self.settle(now.monotonic, out);
    }

    fn tick(&mut self, now: Now, out: &mut Outbox<Effect>) {
        if !self.failed {
            self.settle(now.monotonic, out);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        matches!(self.told, Told::Elected).then_some(self.until)
    }
}

impl Election {
    /// Whether we lead at this moment.
    pub fn leads(&self, now: Instant) -> bool {
        matches!(self.told, Told::Elected) && now < self.until
    }

    fn contend(&mut self, info: Arc<MasterInfo>, out: &mut Outbox<Effect>) {
        self.own = Some(info.clone());
        match &mut self.candidacy {
            Candidacy::Joining { then, .. } => *then = Some(Some(info)),
            Candidacy::None => self.join(info, out),
            Candidacy::Member { member, .. } => {
                out.push(Effect::Note("Withdrawing the previous membership before recontending".to_owned()));
                out.push(Effect::Cancel(member.clone()));
                self.join(info, out);
            }
        }
    }

    fn join(&mut self, info: Arc<MasterInfo>, out: &mut Outbox<Effect>) {
        out.push(Effect::Join(info::to_json(&info)));
        self.candidacy = Candidacy::Joining { info, then: None };
    }

    fn withdraw(&mut self, out: &mut Outbox<Effect>) {
        match &mut self.candidacy {
            Candidacy::Joining { then, .. } => *then = Some(None),
            Candidacy::None => {}
            Candidacy::Member { member, .. } => {
                out.push(Effect::Cancel(member.clone()));
                self.candidacy = Candidacy::None;
            }
        }
    }

    fn joined(&mut self, member: Member, out: &mut Outbox<Effect>) {
        match std::mem::replace(&mut self.candidacy, Candidacy::None) {
            Candidacy::Joining { info, then: None } => {
                out.push(Effect::Note(format!("New candidate (id='{}') has entered the contest", member.sequence)));
                self.candidacy = Candidacy::Member { info, member };
            }
            Candidacy::Joining { then: Some(then), .. } => {
                out.push(Effect::Cancel(member));
                if let Some(info) = then {
                    self.join(info, out);
                }
            }
            other => self.candidacy = other,
        }
    }

    fn members(&mut self, members: &Members, out: &mut Outbox<Effect>) {
        let lowest = members.first();
        if lowest != self.lowest.as_ref() {
            self.lowest = lowest.cloned();
            // Who led is no longer the lowest; until it is known who is, the old one is the best that is known of another.
            match &self.lowest {
                Some(member) => out.push(Effect::Fetch(member.clone())),
                None => self.leader = None,
            }
        }
    }

    fn data(&mut self, member: &Member, data: Result<Option<Bytes>, String>, out: &mut Outbox<Effect>) {
        if self.lowest.as_ref() != Some(member) {
            return;
        }
        let parse = |data: Option<Bytes>| {
            data.map(|data| info::parse(member.label.as_deref(), &data)).transpose().map_err(|error| error.to_string())
        };
        self.leader = match data.and_then(parse) {
            Ok(info) => info.map(Arc::new),
            Err(why) => {
                out.push(Effect::Unreadable(why));
                None
            }
        };
    }

    fn cancelled(&mut self, member: &Member, out: &mut Outbox<Effect>) {
        let Candidacy::Member { info, member: own } = &self.candidacy else { return };
        if own == member {
            let (info, led) = (info.clone(), matches!(self.told, Told::Elected));
            self.candidacy = Candidacy::None;
            if !led {
                out.push(Effect::Note("Lost candidacy as a follower... Contend again".to_owned()));
                self.join(info, out);
            }
        }
    }

    fn confirmed(&mut self, until: Instant, out: &mut Outbox<Effect>) {
        if until > self.until {
            self.until = until;
            if matches!(self.told, Told::Elected) {
                out.push(Effect::Extended(until));
            }
        }
    }

    fn fail(&mut self, why: String, out: &mut Outbox<Effect>) {
        self.failed = true;
        if !matches!(self.told, Told::Leader(None)) {
            self.told = Told::Leader(None);
            out.push(Effect::Leader(None));
        }
        out.push(Effect::Failed(why));
    }

    /// Tells what has changed.
    fn settle(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        if self.failed {
            return;
        }
        match (&self.told, self.is_elected(now)) {
            (Told::Elected, true) => {}
            (Told::Elected, false) => self.concede(out),
            (Told::Leader(_), true) => {
                self.told = Told::Elected;
                out.push(Effect::Elected(self.until));
            }
            (Told::Leader(told), false) => {
                let leader = self.other();
                if !is_same(told.as_ref(), leader.as_ref()) {
                    self.tell(leader, out);
                }
            }
        }
    }

    /// Whether the lowest member is ours, and its session sure to live.
    fn is_elected(&self, now: Instant) -> bool {
        let Candidacy::Member { info, member } = &self.candidacy else { return false };
        let leader = self.leader.as_ref().filter(|_| self.lowest.as_ref() == Some(member));
        now < self.until && leader.is_some_and(|leader| info::is_same(leader, info))
    }

    /// Leads no longer. The membership must not stay: to everybody else it would go on leading.
    fn concede(&mut self, out: &mut Outbox<Effect>) {
        if let Candidacy::Member { member, .. } = &self.candidacy {
            out.push(Effect::Cancel(member.clone()));
            self.candidacy = Candidacy::None;
        }
        let leader = self.other();
        self.tell(leader, out);
    }

    /// Who leads, if it is not us. What is left of a membership of ours (of a session that is over, or of an earlier
    /// term) is nobody: it does not lead, and to send others there would be to send them to ourselves.
    fn other(&self) -> Option<Arc<MasterInfo>> {
        let ours = |leader: &Arc<MasterInfo>| self.own.as_ref().is_some_and(|own| own.pid == leader.pid);
        self.leader.clone().filter(|leader| !ours(leader))
    }

    fn tell(&mut self, leader: Option<Arc<MasterInfo>>, out: &mut Outbox<Effect>) {
        self.told = Told::Leader(leader.clone());
        if let Some(info) = &leader {
            let pid = info.pid.as_deref().unwrap_or_default();
            out.push(Effect::Note(format!("A new leading master (UPID={pid}) is detected")));
        }
        let conflict =
            leader.as_ref().zip(self.own.as_ref()).and_then(|(leader, own)| info::region_conflict(leader, own));
        out.push(Effect::Leader(leader));
        if let Some(conflict) = conflict {
            self.fail(conflict, out);
        }
    }
}

fn is_same(a: Option<&Arc<MasterInfo>>, b: Option<&Arc<MasterInfo>>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => info::is_same(a, b),
        (None, None) => true,
        _ => false,
    }
}
