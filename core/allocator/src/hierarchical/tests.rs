//! Random histories: the books stay right, and remembering who did not want what changes nothing.

use super::Hierarchical;
use crate::constraints::OfferConstraintsFilter;
use crate::input::{AgentFacts, Effect, FrameworkCapabilities, FrameworkTerms, Input, OfferedAgent, Options};
use crate::key::{AgentKey, FrameworkKey, Issuer};
use std::sync::Arc;
use std::time::Duration;
use tepui_base::machine::Entry;
use tepui_base::{Instant, Machine, Now, Outbox, Rng, Wall};
use tepui_resources::{Attributes, Disk, Persistence, Quantities, Reservation, Resource, Resources, Role};

const ROLES: [&str; 5] = ["a", "a/b", "a/b/c", "d", "d/e"];
const TOTALS: [&str; 5] = [
    "cpus:4;mem:400",
    "cpus:2;mem:1000;disk:100;ports:[1-50]",
    "cpus(a):1;mem(a):100;cpus:3;mem:300",
    "cpus:8;mem:100;gpus:1",
    "cpus(a/b):2;mem:64;disk(d):30",
];

/// A master that does something at random, with two allocators that must agree.
struct Pair {
    rng: Rng,
    now: Now,
    plain: Hierarchical,
    /// Forgets before each tick who did not want what.
    forgetful: Hierarchical,
    framework_keys: Issuer<FrameworkKey>,
    agent_keys: Issuer<AgentKey>,
    frameworks: Vec<FrameworkKey>,
    agents: Vec<AgentKey>,
    offers: Vec<(FrameworkKey, OfferedAgent)>,
    used: Vec<(FrameworkKey, OfferedAgent)>,
    /// Inverse offers that are out.
    asked: Vec<(FrameworkKey, AgentKey)>,
}

fn allocator(seed: u64) -> Hierarchical {
    let options = Options {
        interval: Duration::from_secs(1),
        min_allocatable: vec![Quantities::parse("cpus:1").unwrap(), Quantities::parse("mem:32").unwrap()],
        filter_gpu_resources: true,
        fair_sharing_excluded: Vec::new(),
        region: None,
    };
    Hierarchical::new(options, seed, Now { monotonic: Instant(0), wall: Wall(0) })
}

impl Pair {
    fn new(seed: u64) -> Pair {
        Pair {
            rng: Rng::new(seed),
            now: Now { monotonic: Instant(0), wall: Wall(0) },
            plain: allocator(seed),
            forgetful: allocator(seed),
            framework_keys: Issuer::default(),
            agent_keys: Issuer::default(),
            frameworks: Vec::new(),
            agents: Vec::new(),
            offers: Vec::new(),
            used: Vec::new(),
            asked: Vec::new(),
        }
    }

    fn below(&mut self, bound: usize) -> usize {
        self.rng.below(bound as u64) as usize
    }

    fn handle(&mut self, input: Input) {
        let mut out = Outbox::default();
        self.plain.handle(self.now, input.clone(), &mut out);
        self.forgetful.handle(self.now, input, &mut out);
        assert!(out.is_empty());
    }

    fn terms(&mut self, key: FrameworkKey) -> FrameworkTerms {
        let start = self.below(ROLES.len());
        let roles: Vec<Role> = ROLES[start..].iter().take(1 + self.below(2)).map(|role| Role::from(*role)).collect();
        let suppressed = if self.below(5) == 0 { vec![roles[0].clone()] } else { Vec::new() };
        FrameworkTerms {
            id: format!("{key:?}").into(),
            roles,
            suppressed,
            capabilities: FrameworkCapabilities {
                gpu_resources: self.below(2) == 0,
                shared_resources: self.below(2) == 0,
                revocable_resources: self.below(2) == 0,
                ..FrameworkCapabilities::default()
            },
            min_allocatable: Vec::new(),
            constraints: OfferConstraintsFilter::default(),
        }
    }

    fn total(&mut self) -> Resources {
        let mut total = Resources::parse(TOTALS[self.below(TOTALS.len())], "*").unwrap();
        if self.below(3) == 0 {
            let slack = Resources::parse("cpus:2", "*").unwrap();
            total.extend(slack.iter().map(|resource| resource.with_revocable(true)));
        }
        if self.below(3) == 0 {
            total += volume(&Resources::parse("disk(a):10", "*").unwrap().into_iter().next().unwrap());
        }
        total
    }

    fn facts(&mut self) -> AgentFacts {
        AgentFacts {
            hostname: Arc::from("host"),
            region: None,
            zone: None,
            attributes: Attributes::default(),
            multi_role: true,
            hierarchical_role: self.below(4) > 0,
        }
    }

    fn step(&mut self) {
        match self.below(20) {
            0..=1 => self.add_framework(),
            2..=3 => self.add_agent(),
            4 => self.with_framework(|pair, key| {
                let terms = pair.terms(key);
                pair.handle(Input::UpdateFramework { key, terms });
            }),
            5 => self.with_framework(|pair, key| pair.handle(Input::DeactivateFramework(key))),
            6 => self.with_framework(|pair, key| pair.handle(Input::ActivateFramework(key))),
            7 => self.with_framework(|pair, framework| pair.handle(Input::Revive { framework, roles: Vec::new() })),
            8 => self.with_framework(|pair, framework| pair.handle(Input::Suppress { framework, roles: Vec::new() })),
            9 if self.below(3) == 0 => self.remove_framework(),
            10 if self.below(3) == 0 => self.remove_agent(),
            11 => self.update_agent(),
            12..=14 => self.answer(),
            15 => self.finish(),
            16 => self.operate(),
            17 => self.plan(),
            _ => self.wait(),
        }
        self.tick();
        self.plain.audit();
    }

    fn add_framework(&mut self) {
        let key = self.framework_keys.issue();
        self.frameworks.push(key);
        let (terms, active) = (self.terms(key), self.below(5) > 0);
        self.handle(Input::AddFramework { key, terms, active });
    }

    fn add_agent(&mut self) {
        let key = self.agent_keys.issue();
        self.agents.push(key);
        let (facts, total, used) = (self.facts(), self.total(), Vec::new());
        self.handle(Input::AddAgent { key, facts, total, used });
    }

    fn with_framework(&mut self, act: impl FnOnce(&mut Pair, FrameworkKey)) {
        if !self.frameworks.is_empty() {
            let at = self.below(self.frameworks.len());
            act(self, self.frameworks[at]);
        }
    }

    fn remove_framework(&mut self) {
        self.with_framework(|pair, key| {
            pair.frameworks.retain(|other| *other != key);
            pair.framework_keys.retire(key);
            // Half of the time the master gives back what it had before it hears that the framework is gone.
            pair.handle(Input::RemoveFramework(key));
            if pair.below(2) == 0 {
                pair.offers.retain(|(framework, _)| *framework != key);
            }
            pair.used.retain(|(framework, _)| *framework != key);
            pair.asked.retain(|(framework, _)| *framework != key);
        });
    }

    fn remove_agent(&mut self) {
        if self.agents.is_empty() {
            return;
        }
        let at = self.below(self.agents.len());
        let key = self.agents.swap_remove(at);
        self.agent_keys.retire(key);
        self.handle(Input::RemoveAgent(key));
        self.used.retain(|(_, offer)| offer.agent != key);
        self.asked.retain(|(_, agent)| *agent != key);
    }

    fn update_agent(&mut self) {
        if self.agents.is_empty() {
            return;
        }
        let at = self.below(self.agents.len());
        let key = self.agents[at];
        // A total of another kind must still hold what was reserved and made volumes there.
        let total = (self.below(2) == 0).then(|| self.total());
        let facts = Some(self.facts());
        self.handle(Input::UpdateAgent { key, facts, total });
    }

    /// Declines an offer or uses a part of it.
    fn answer(&mut self) {
        if self.offers.is_empty() {
            return;
        }
        let at = self.below(self.offers.len());
        let (framework, offer) = self.offers.swap_remove(at);
        let keep = self.below(4);
        let kept: Resources = offer.resources.iter().filter(|_| self.rng.below(4) < keep as u64).collect();
        let resources = &offer.resources - &kept;
        let refuse = [None, Some(0), Some(3), Some(100)][self.below(4)].map(Duration::from_secs);
        let agent = offer.agent;
        if !kept.is_empty() && self.frameworks.contains(&framework) && self.agents.contains(&agent) {
            self.used.push((framework, OfferedAgent { resources: kept, ..offer }));
            self.handle(Input::Recover { framework, agent, resources, refuse, allocated: false });
        } else {
            self.handle(Input::Recover { framework, agent, resources: offer.resources, refuse, allocated: false });
        }
    }

    fn finish(&mut self) {
        if !self.used.is_empty() {
            let at = self.below(self.used.len());
            let (framework, OfferedAgent { agent, resources, .. }) = self.used.swap_remove(at);
            self.handle(Input::Recover { framework, agent, resources, refuse: None, allocated: true });
        }
    }

    /// Reserves the unreserved part of an offer.
    fn operate(&mut self) {
        if self.offers.is_empty() {
            return;
        }
        let at = self.below(self.offers.len());
        let (framework, offer) = self.offers[at].clone();
        // The agent may have shrunk under the offer; then the master would refuse the operation.
        let consumed = offer.resources.filter(|r| r.is_unreserved() && !r.is_revocable() && r.disk().is_none());
        let total = self.plain.agents.get(offer.agent).map(|agent| agent.total().clone()).unwrap_or_default();
        if consumed.is_empty() || !total.contains(&consumed.clone().unallocated()) {
            return;
        }
        if self.plain.frameworks.get(framework).is_none() {
            return;
        }
        let converted = consumed.push_reservation(&Reservation::dynamic(offer.role.as_str(), None)).unwrap();
        self.offers[at].1.resources = &(&offer.resources - &consumed) + &converted;
        let (agent, offered, conversions) = (offer.agent, offer.resources, vec![(consumed, converted)]);
        self.handle(Input::UpdateAllocation { framework, agent, offered, conversions });
    }

    /// A window for an agent, or an answer to what was asked about one.
    fn plan(&mut self) {
        if !self.asked.is_empty() && self.below(2) == 0 {
            let at = self.below(self.asked.len());
            let (framework, agent) = self.asked.swap_remove(at);
            let refuse = [None, Some(0), Some(3)][self.below(3)].map(Duration::from_secs);
            self.handle(Input::EndInverseOffer { framework, agent, refuse });
        } else if !self.agents.is_empty() {
            let at = self.below(self.agents.len());
            let (agent, planned) = (self.agents[at], self.below(3) > 0);
            self.asked.retain(|(_, of)| *of != agent);
            self.handle(Input::UpdateUnavailability { agent, planned });
        }
    }

    fn wait(&mut self) {
        let by = Duration::from_millis(300 * (1 + self.rng.below(5)));
        self.now.monotonic = self.now.monotonic + by;
    }

    fn tick(&mut self) {
        for (_, agent) in self.forgetful.agents.iter_mut() {
            agent.reconsider();
        }
        let (mut plain, mut forgetful) = (Outbox::default(), Outbox::default());
        self.plain.tick(self.now, &mut plain);
        self.forgetful.tick(self.now, &mut forgetful);
        let (plain, forgetful) = (decisions(&mut plain), decisions(&mut forgetful));
        assert_eq!(plain, forgetful, "remembering changes nothing");
        self.offers.extend(plain.0);
        for asked in plain.1 {
            assert!(!self.asked.contains(&asked), "a framework is asked once about an agent");
            self.asked.push(asked);
        }
    }

    /// Everybody leaves.
    fn leave(&mut self) {
        for key in std::mem::take(&mut self.frameworks) {
            self.handle(Input::RemoveFramework(key));
        }
        self.plain.audit();
        for key in std::mem::take(&mut self.agents) {
            self.handle(Input::RemoveAgent(key));
        }
        self.plain.audit();
        assert!(self.plain.is_empty(), "nothing is left when everybody is gone");
    }
}

/// Offers, and who is asked about which agent.
type Decisions = (Vec<(FrameworkKey, OfferedAgent)>, Vec<(FrameworkKey, AgentKey)>);

fn decisions(out: &mut Outbox<Effect>) -> Decisions {
    let mut all = Decisions::default();
    for entry in out.drain() {
        match entry {
            Entry::Free(Effect::Offer { framework, offers }) => {
                all.0.extend(offers.into_iter().map(|offer| (framework, offer)));
            }
            Entry::Free(Effect::InverseOffer { framework, agents }) => {
                all.1.extend(agents.into_iter().map(|agent| (framework, agent)));
            }
            other => panic!("an allocator writes nothing: {other:?}"),
        }
    }
    all
}

fn volume(resource: &Resource) -> Resource {
    let disk = Disk { persistence: Some(Persistence { id: "v".into(), principal: None }), ..Disk::default() };
    resource.with_disk(Some(disk)).with_shared(true)
}

#[test]
fn books_stay_right_and_memory_changes_nothing() {
    for seed in 0..60 {
        let mut pair = Pair::new(seed);
        for _ in 0..300 {
            pair.step();
        }
        pair.leave();
    }
}
