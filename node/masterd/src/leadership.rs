//! Terms one after the other: elected, a master leads; when its authority is over, all of it is dropped, and the process
//! follows and contends again. Mesos 1.11 ends the process instead.

use crate::Error;
use crate::authority::Authority;
use crate::daemon::Daemon;
use crate::elections::{Change, Elections};
use crate::following::Following;
use crate::term::Term;
use std::sync::Arc;
use tepui_driver::{Mailbox, Place};
use tepui_master::{Master, master_info};
use tepui_net::Inbox;
use tepui_wire::NetInput;
use tokio::sync::{oneshot, watch};

/// What the process is at present.
enum Office {
    Leader(Term),
    Follower(Following),
}

impl Office {
    /// Waits until there is room for an input.
    async fn place(&self, bytes: usize) -> Place {
        match self {
            Office::Leader(term) => term.mailbox().place(bytes).await,
            Office::Follower(following) => following.mailbox().place(bytes).await,
        }
    }

    fn take(&self, input: NetInput, place: Place) {
        match self {
            Office::Leader(term) => term.take(input, place),
            Office::Follower(following) => following.take(input, place),
        }
    }

    /// Returns when it ends by itself.
    async fn over(&self) {
        match self {
            Office::Leader(term) => term.over().await,
            Office::Follower(_) => std::future::pending().await,
        }
    }
}

/// The process as a candidate.
pub(crate) struct Leadership {
    daemon: Daemon,
    intake: Intake,
    elections: Elections,
    /// Told of the machine that leads, and that none does.
    leading: watch::Sender<Option<Mailbox<Master>>>,
    office: Office,
    /// What the next term, or this one, draws its id from.
    seed: u64,
    /// How many terms there were.
    terms: u64,
}

impl Leadership {
    /// A process that follows, and contends.
    pub fn new(
        daemon: Daemon,
        inbox: Inbox,
        elections: Elections,
        leading: watch::Sender<Option<Mailbox<Master>>>,
    ) -> Result<Leadership, Error> {
        let seed = getrandom::u64().map_err(Error::Random)?;
        let office = Office::Follower(Following::begin(&daemon, seed));
        let intake = Intake { inbox, held: None };
        let mut this = Leadership { daemon, intake, elections, leading, office, seed, terms: 0 };
        this.contend();
        Ok(this)
    }

    /// Runs until it is told to end, or cannot go on; then the reason is told to who waits for it.
    pub async fn run(mut self, ended: oneshot::Receiver<()>) {
        tokio::select! {
            result = self.terms() => if let Err(error) = result {
                self.daemon.exit.send_replace(Some(error.to_string()));
            },
            // Nothing is ever sent.
            _ = ended => {}
        }
        if let Office::Leader(term) = self.office {
            term.resign(&self.daemon);
        }
        self.elections.close().await;
    }

    async fn terms(&mut self) -> Result<(), Error> {
        loop {
            let change = tokio::select! {
                biased;
                () = self.office.over() => Change::Leader(None),
                change = self.elections.next() => change,
                () = self.intake.run(&self.office) => unreachable!("the intake has no end"),
            };
            match (change, &self.office) {
                (Change::Elected(authority), Office::Follower(_)) => self.lead(authority)?,
                // It leads already: the election has only confirmed it.
                (Change::Elected(_), Office::Leader(_)) => {}
                (Change::Leader(leader), Office::Follower(following)) => following.follow(leader),
                (Change::Leader(leader), Office::Leader(_)) => {
                    self.step_down()?;
                    if let Office::Follower(following) = &self.office {
                        following.follow(leader);
                    }
                }
                (Change::Failed(why), _) => return Err(Error::Election(why)),
            }
        }
    }

    fn contend(&mut self) {
        self.elections.contend(Arc::new(master_info(&self.daemon.config, self.seed)));
    }

    fn lead(&mut self, authority: Arc<Authority>) -> Result<(), Error> {
        self.terms += 1;
        tracing::info!(term = self.terms, "Elected as the leading master!");
        let term = Term::begin(&self.daemon, self.terms, self.seed, authority)?;
        self.leading.send_replace(Some(term.mailbox().clone()));
        self.office = Office::Leader(term);
        self.elections.took_office();
        Ok(())
    }

    /// What was decided in the term is over with it; what was sent to it is not answered.
    fn step_down(&mut self) -> Result<(), Error> {
        self.seed = getrandom::u64().map_err(Error::Random)?;
        let following = Office::Follower(Following::begin(&self.daemon, self.seed));
        self.leading.send_replace(None);
        if let Office::Leader(term) = std::mem::replace(&mut self.office, following) {
            tracing::warn!(term = self.terms, "Lost leadership; stepping down, and contending again");
            term.end(&self.daemon);
        }
        self.intake.drop_all();
        self.contend();
        Ok(())
    }
}

/// What arrives, one input at a time.
struct Intake {
    inbox: Inbox,
    /// Arrived, and waits for room.
    held: Option<NetInput>,
}

impl Intake {
    /// Hands on what arrives, for ever. It can be given up at any moment, and nothing is lost.
    async fn run(&mut self, office: &Office) {
        loop {
            let bytes = match &self.held {
                Some(input) => input.body_bytes(),
                None => self.held.insert(self.inbox.recv().await).body_bytes(),
            };
            let place = office.place(bytes).await;
            if let Some(input) = self.held.take() {
                office.take(input, place);
            }
        }
    }

    /// What has arrived was for somebody else.
    fn drop_all(&mut self) {
        self.held = None;
        while self.inbox.try_recv().is_some() {}
    }
}

#[cfg(test)]
mod tests;
