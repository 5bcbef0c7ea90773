//! The leader's side: asking for the lease, and knowing until when it has authority.

use super::candidate::Candidacy;
use super::wire::LeaseMessage;
use super::{Lease, RENEW_EVERY, Told};
use crate::log::{Log, answer};
use crate::{Answer, Effect};
use std::collections::BTreeMap;
use tepui_base::{Instant, Outbox};
use tepui_wire::Upid;

/// A writer that leads, or is about to.
#[derive(Debug)]
pub(super) struct Leading {
    epoch: u64,
    /// Whether it is elected.
    serves: bool,
    /// Whether the client was told that it leads.
    is_told: bool,
    /// For each member the latest moment at which a request was sent that it granted.
    confirmed: BTreeMap<Upid, Instant>,
    renew_at: Instant,
    until: Instant,
}

impl Leading {
    pub fn deadline(&self) -> Instant {
        self.renew_at.min(self.until)
    }

    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The moment that a quorum has confirmed.
    fn confirmed_by(&self, quorum: usize) -> Option<Instant> {
        let mut moments: Vec<Instant> = self.confirmed.values().copied().collect();
        moments.sort_unstable_by(|a, b| b.cmp(a));
        moments.get(quorum.checked_sub(1)?).copied()
    }
}

impl Log {
    /// A quorum has promised everything to this master's writer, which was asked for at `asked`. It has no authority before it
    /// serves, but nobody else can be promised anything while it gets there.
    pub(crate) fn lease_won(&mut self, epoch: u64, asked: Instant, now: Instant, out: &mut Outbox<Effect>) {
        let Some(lease) = &mut self.lease else { return };
        let until = asked + lease.authority();
        lease.leading =
            Some(Leading { epoch, serves: false, is_told: false, confirmed: BTreeMap::new(), renew_at: now, until });
        lease.candidacy = Candidacy::Resting;
        self.lead_on(now, out);
    }

    /// The writer is elected: everything that was decided is known to it.
    pub(crate) fn lease_serves(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        let Some(leading) = self.lease.as_mut().and_then(|lease| lease.leading.as_mut()) else { return };
        // What a quorum has granted meanwhile gives it authority, or what it is granted now.
        leading.serves = true;
        leading.renew_at = now;
        self.lead_on(now, out);
    }

    /// Asks for the lease again when it is time, and ends when it is over.
    pub(super) fn lead_on(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        let promised = self.replica.promised();
        let Some(lease) = &mut self.lease else { return };
        let Some(leading) = &mut lease.leading else { return };
        if leading.until <= now {
            return self.lapse(out);
        }
        if now < leading.renew_at {
            return;
        }
        leading.renew_at = now + RENEW_EVERY;
        let (epoch, serves) = (leading.epoch, leading.serves);
        if lease.grant(&self.config.pid, epoch, promised, now)
            && let Some(leading) = &mut lease.leading
        {
            leading.confirmed.insert(self.config.pid.clone(), now);
        }
        // Nobody is sent to a leader that has no authority yet.
        let leader = lease.contending.clone().filter(|_| serves && lease.told == Told::Leads);
        let request = LeaseMessage::Request { group: lease.group, epoch, sent: now.0, leader };
        for to in self.others() {
            self.send_lease(&to, &request, out);
        }
        self.extend(now, out);
    }

    pub(super) fn lease_granted(&mut self, from: &Upid, epoch: u64, sent: u64, now: Instant, out: &mut Outbox<Effect>) {
        let leading = self.lease.as_mut().and_then(|lease| lease.leading.as_mut());
        let Some(leading) = leading.filter(|leading| leading.epoch == epoch) else { return };
        let sent = Instant(sent);
        if sent > now {
            return;
        }
        let confirmed = leading.confirmed.entry(from.clone()).or_insert(sent);
        *confirmed = sent.max(*confirmed);
        self.extend(now, out);
    }

    /// Tells the client how long it leads, if that is longer than before.
    fn extend(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        let quorum = self.rounds.quorum();
        let Some(lease) = &mut self.lease else { return };
        let authority = lease.authority();
        let Some(leading) = &mut lease.leading else { return };
        let Some(confirmed) = leading.confirmed_by(quorum) else { return };
        let until = confirmed + authority;
        if until <= leading.until && lease.told == Told::Leads {
            return;
        }
        leading.until = until.max(leading.until);
        // A grant that came too late says nothing: the place may be another's by now.
        if leading.serves && now < until {
            if lease.told != Told::Leads {
                // Everybody is to hear of it at once.
                leading.renew_at = now;
            }
            leading.is_told = true;
            let (epoch, until) = (leading.epoch, leading.until);
            lease.tell(Told::Leads, out);
            answer(Answer::Leads { epoch, until }, out);
        }
    }

    /// Nobody has confirmed the lease for too long. A master that was told it leads has to say that it wants to lead again: it has
    /// much to forget first.
    fn lapse(&mut self, out: &mut Outbox<Effect>) {
        self.end_writing(out);
        self.lease_lost(out);
    }

    /// The writer has ended. What replicas have granted is left to run out: the client may not have heard yet.
    pub(crate) fn lease_lost(&mut self, out: &mut Outbox<Effect>) {
        let Some(lease) = &mut self.lease else { return };
        lease.candidacy = Candidacy::Resting;
        let Some(leading) = lease.leading.take().filter(|leading| leading.serves) else { return };
        // Who was not told that it leads does not know that this is over either, and contends on.
        if leading.is_told {
            lease.contending = None;
        }
        lease.tell(Told::NoLeader, out);
    }

    /// Whoever granted a lease to this master need not wait for its end.
    pub(crate) fn release(&mut self, epoch: u64, out: &mut Outbox<Effect>) {
        let Some(lease) = &mut self.lease else { return };
        let own = Some(self.config.pid.address());
        if lease.granted.holder == own && lease.granted.epoch <= epoch {
            lease.granted.until = Instant(0);
        }
        let release = LeaseMessage::Release { group: lease.group, epoch };
        for to in self.others() {
            self.send_lease(&to, &release, out);
        }
    }
}

impl Lease {
    /// Whether this master is the writer or about to be.
    pub(super) fn is_leading(&self) -> bool {
        self.leading.is_some()
    }
}
