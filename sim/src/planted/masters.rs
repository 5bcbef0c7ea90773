//! Bugs of masters among several, and of their replicas.

use super::Planted;
use tepui_base::Now;
use tepui_log::LEASE;
use tepui_registry::{Input, Output, State};
use tepui_wire::Message;

crate::kind::bugs! {
    ActsAfterTheEnd "acts-after-the-end" "A master goes on when its session or its lease is over.",
    AcknowledgedUnwritten "acknowledged-unwritten" "One of five changes of the registry is confirmed and not written.",
    ClocksWild "clocks-wild" "Clocks are wrong by twenty times what masters reckon with.",
    EndsTooLate "ends-too-late" "A master believes its session or its lease to last a second longer.",
    EpochUnsaid "epoch-unsaid" "One of a hundred messages of the master carries no epoch.",
    NamesItself "names-itself" "A master names itself the leader when its lease is over.",
    PromiseNotWithheld "promise-not-withheld" "Replicas promise and grant to others before a lease that they granted is over.",
    RegistryStale "registry-stale" "A master that leads again goes on from the registry that it has read before.",
    ResignsTooEarly "resigns-too-early" "A leader releases the others before it has ceased to act.",
    SyncedLate "synced-late" "Replicas answer a minute before their disks have what they say.",
}

/// How much longer [`Bug::EndsTooLate`] makes it.
const LATE_NANOS: u64 = 1_000_000_000;
/// When a disk has what [`Bug::SyncedLate`] says.
const SYNC_NANOS: u64 = 60_000_000_000;
/// What clocks are wrong by with [`Bug::ClocksWild`], in thousandths.
const WILD: u32 = 200;

const WANT_PROMISES: [&str; 2] = ["mesos.internal.log.PromiseRequest", "tepui.internal.log.CandidateRequest"];
const WANTS_LEASE: &str = "tepui.internal.log.LeaseRequest";

impl Planted {
    /// With this bug, in a world of several masters.
    pub fn in_masters(bug: Option<Bug>) -> Planted {
        Planted { of_masters: bug, ..Planted::default() }
    }

    fn has(&self, bug: Bug) -> bool {
        self.of_masters == Some(bug)
    }

    /// Whether a master speaks on whatever its clock shows.
    pub fn acts_after_the_end(&self) -> bool {
        self.has(Bug::ActsAfterTheEnd)
    }

    /// The epoch a message carries.
    pub fn epoch_said(&mut self, epoch: Option<u64>) -> Option<u64> {
        epoch.filter(|_| !self.has(Bug::EpochUnsaid) || !self.every(100))
    }

    /// Until when a master is told to lead.
    pub fn until(&self, until: u64) -> u64 {
        if self.has(Bug::EndsTooLate) { until + LATE_NANOS } else { until }
    }

    /// Whether a leader gives its place up that has just been confirmed.
    pub fn resigns_too_early(&mut self) -> bool {
        self.has(Bug::ResignsTooEarly) && self.every(100)
    }

    /// Whether it then does not hear that it has lost its place.
    pub fn ignores_demotion(&self) -> bool {
        self.has(Bug::ResignsTooEarly)
    }

    /// Whether a replica names its own master for ever.
    pub fn names_itself(&self) -> bool {
        self.has(Bug::NamesItself)
    }

    /// What a term is given for the registry, when this was read the last time.
    pub fn read_again(&self, last: Option<State>) -> Option<State> {
        last.filter(|_| self.has(Bug::RegistryStale))
    }

    /// The answer to a change that nobody makes.
    pub fn not_written(&mut self, input: &Input) -> Option<Output> {
        match input {
            Input::Apply(id, _) if self.has(Bug::AcknowledgedUnwritten) && self.every(5) => {
                Some(Output::Applied(*id, Ok(true)))
            }
            _ => None,
        }
    }

    /// How much later than it says a disk has what it was given.
    pub fn synced_late(&self) -> Option<u64> {
        self.has(Bug::SyncedLate).then_some(SYNC_NANOS)
    }

    /// How much clocks are wrong, in thousandths, if not as much as they may.
    pub fn clock_error(&self) -> Option<u32> {
        self.has(Bug::ClocksWild).then_some(WILD)
    }

    /// What a replica's clock shows when this message comes. To promise too early alone takes a leader its place and lets nobody
    /// lead, so the first request of another leader finds the lease over too.
    pub fn clock_at(&mut self, now: Now, message: &Message) -> Now {
        if !self.has(Bug::PromiseNotWithheld) {
            return now;
        }
        let is_other = message.name == WANTS_LEASE
            && self.holders.insert(message.to.clone(), message.from.clone()).is_some_and(|last| last != message.from);
        if is_other || WANT_PROMISES.contains(&message.name.as_str()) {
            return Now { monotonic: now.monotonic + LEASE, ..now };
        }
        now
    }
}
