//! A cluster as an allocator sees it, driven as the master drives it.

use super::Arguments;
use super::agents::Agents;
use crate::output::say;
use anyhow::Context;
use std::sync::Arc;
use std::time::{Duration, Instant as Clock};
use tepui_allocator::{
    AgentFacts, AgentKey, Effect, FrameworkCapabilities, FrameworkKey, FrameworkTerms, Hierarchical, Input, Issuer,
    OfferConstraintsFilter, OfferedAgent, Options, RoleQuota, Sorter,
};
use tepui_base::machine::Entry;
use tepui_base::{Instant, Machine, Now, Outbox, Wall};
use tepui_resources::{Attributes, Limits, Quantities, Resources, Role};

/// An allocator and who is in it.
pub struct Cluster {
    allocator: Hierarchical,
    now: Now,
    out: Outbox<Effect>,
    frameworks: Vec<FrameworkKey>,
    agents: Vec<AgentKey>,
    roles: Vec<Role>,
    /// Of an agent without anything special.
    total: Resources,
}

/// Offers by framework.
pub type Offers = Vec<(FrameworkKey, Vec<OfferedAgent>)>;

/// Anything a step can say about itself.
pub trait Report {
    /// One line.
    fn report(&self) -> String;
}

impl Report for () {
    fn report(&self) -> String {
        String::new()
    }
}

impl Report for Offers {
    fn report(&self) -> String {
        let agents: usize = self.iter().map(|(_, offers)| offers.len()).sum();
        format!("{agents} offers to {} frameworks", self.len())
    }
}

impl Cluster {
    /// An empty cluster of the size that was asked for.
    pub fn new(arguments: &Arguments, roles: &[String]) -> anyhow::Result<Cluster> {
        let options = Options {
            min_allocatable: vec![Quantities::parse("cpus:0.01")?, Quantities::parse("mem:32")?],
            sorter: if arguments.random { Sorter::Random } else { Sorter::Drf },
            ..Options::default()
        };
        let now = Now { monotonic: Instant(0), wall: Wall(0) };
        Ok(Cluster {
            allocator: Hierarchical::new(options, arguments.seed, now),
            now,
            out: Outbox::default(),
            frameworks: Vec::new(),
            agents: Vec::new(),
            roles: roles.iter().map(|role| Role::from(role.as_str())).collect(),
            total: Resources::parse("cpus:24;mem:4096;disk:4096;ports:[31000-32000]", "*").context("total")?,
        })
    }

    /// Does one step, and prints what it took.
    pub fn timed<T: Report>(&mut self, step: &str, work: impl FnOnce(&mut Cluster) -> T) -> T {
        let (start, cpu) = (Clock::now(), cpu_millis());
        let result = work(self);
        let (wall, cpu) = (start.elapsed().as_secs_f64() * 1e3, cpu_millis() - cpu);
        let rss = resident_megabytes();
        say!("{step:<36} {wall:>9.2} ms, {cpu:>9.2} ms of cpu  rss {rss:>7.1} MB  {}", result.report());
        result
    }

    fn handle(&mut self, input: Input) {
        self.allocator.handle(self.now, input, &mut self.out);
    }

    /// Adds all frameworks, each in one role.
    pub fn add_frameworks(&mut self, arguments: &Arguments) {
        let mut keys = Issuer::default();
        for number in 0..arguments.frameworks {
            let key = keys.issue();
            self.frameworks.push(key);
            let terms = FrameworkTerms {
                id: format!("framework-{number:04}").into(),
                roles: vec![self.roles[number % self.roles.len()].clone()],
                suppressed: Vec::new(),
                capabilities: FrameworkCapabilities {
                    multi_role: true,
                    shared_resources: true,
                    ..FrameworkCapabilities::default()
                },
                min_allocatable: Vec::new(),
                constraints: OfferConstraintsFilter::default(),
            };
            self.handle(Input::AddFramework { key, terms, active: true });
        }
    }

    /// Adds all agents of that kind, and prints what that took. What they have is made up before.
    pub fn add_agents(&mut self, arguments: &Arguments, kind: Agents) -> anyhow::Result<()> {
        let role = |number: usize| &self.roles[number % arguments.frameworks % self.roles.len()];
        let resources = (0..arguments.agents).map(|number| kind.resources(number, role(number).as_str()));
        let resources = resources.collect::<anyhow::Result<Vec<_>>>()?;
        self.timed("add agents", |cluster| cluster.add(arguments, resources));
        Ok(())
    }

    fn add(&mut self, arguments: &Arguments, resources: Vec<(Resources, Resources)>) {
        let mut keys = Issuer::<AgentKey>::default();
        for (number, (total, used)) in resources.into_iter().enumerate() {
            let owner = number % arguments.frameworks;
            let used = used.allocated_to(&self.roles[owner % self.roles.len()]);
            let facts = AgentFacts {
                hostname: Arc::from(format!("agent-{number}")),
                region: None,
                zone: None,
                attributes: Attributes::default(),
                multi_role: true,
                hierarchical_role: true,
            };
            let used = if used.is_empty() { Vec::new() } else { vec![(self.frameworks[owner], used)] };
            let key = keys.issue();
            self.agents.push(key);
            self.handle(Input::AddAgent { key, facts, total, used });
        }
    }

    /// One run over all agents.
    pub fn cycle(&mut self) -> Offers {
        self.now.monotonic = self.now.monotonic + Duration::from_secs(1);
        self.tick()
    }

    fn tick(&mut self) -> Offers {
        self.allocator.tick(self.now, &mut self.out);
        let effects = self.out.drain().map(|entry| match entry {
            Entry::Free(Effect::Offer { framework, offers }) => (framework, offers),
            _ => unreachable!("an allocator writes nothing, and no agent is to be maintained"),
        });
        effects.collect()
    }

    /// Declines all offers, with a filter for a day.
    pub fn decline(&mut self, offers: &Offers) {
        for (framework, offered) in offers {
            for offer in offered {
                self.recover(*framework, offer);
            }
        }
    }

    fn recover(&mut self, framework: FrameworkKey, offer: &OfferedAgent) {
        let refuse = Some(Duration::from_secs(86_400));
        let (agent, resources) = (offer.agent, offer.resources.clone());
        self.handle(Input::Recover { framework, agent, resources, refuse, allocated: false });
    }

    /// Declines until nobody wants anything.
    pub fn exhaust(&mut self) {
        let (start, mut cycles, mut declined) = (Clock::now(), 0, 0);
        loop {
            let offers = self.cycle();
            if offers.is_empty() {
                break;
            }
            cycles += 1;
            declined += offers.iter().map(|(_, offers)| offers.len()).sum::<usize>();
            self.decline(&offers);
        }
        let millis = start.elapsed().as_secs_f64() * 1e3;
        let rss = resident_megabytes();
        say!(
            "{:<36} {millis:>10.2} ms  rss {rss:>7.1} MB  {declined} declined in {cycles} cycles",
            "decline until all refuse"
        );
    }

    /// A framework wants offers again.
    pub fn revive(&mut self, framework: usize) {
        let framework = self.frameworks[framework];
        self.handle(Input::Revive { framework, roles: Vec::new() });
    }

    /// Every framework wants offers again, and the allocator runs after each.
    pub fn revive_all(&mut self) {
        for framework in 0..self.frameworks.len() {
            self.revive(framework);
            self.tick();
        }
    }

    /// Frameworks want no offers.
    pub fn suppress(&mut self, frameworks: std::ops::Range<usize>) {
        for at in frameworks {
            self.handle(Input::Suppress { framework: self.frameworks[at], roles: Vec::new() });
        }
    }

    /// Every agent has some revocable cpus more.
    pub fn grow(&mut self) {
        let slack = Resources::parse("cpus:2", "*").expect("a constant");
        let mut total = self.total.clone();
        total.extend(slack.iter().map(|resource| resource.with_revocable(true)));
        for key in self.agents.clone() {
            self.handle(Input::UpdateAgent { key, facts: None, total: Some(total.clone()) });
        }
    }

    /// One agent has a little more, so that every share is another.
    pub fn disturb(&mut self) {
        let (key, total) = (self.agents[0], &self.total + &Resources::parse("cpus:1", "*").expect("a constant"));
        self.handle(Input::UpdateAgent { key, facts: None, total: Some(total) });
    }

    /// Guarantees a role that much, and no more.
    pub fn set_quota(&mut self, number: usize, amounts: &str) {
        let guarantees = Quantities::parse(amounts).expect("a constant");
        let limits = Limits::parse(amounts).expect("a constant");
        self.handle(Input::UpdateQuota(RoleQuota { role: self.roles[number].clone(), guarantees, limits }));
    }

    /// One freed agent at a time, offered at once.
    pub fn single_events(&mut self, offers: &Offers) {
        let mut micros: Vec<f64> = Vec::new();
        for (framework, offered) in offers {
            for offer in offered.iter().take(1_000) {
                let (agent, resources) = (offer.agent, offer.resources.clone());
                let start = Clock::now();
                self.handle(Input::Recover { framework: *framework, agent, resources, refuse: None, allocated: true });
                self.tick();
                micros.push(start.elapsed().as_secs_f64() * 1e6);
            }
        }
        micros.sort_by(f64::total_cmp);
        let at = |part: f64| micros.get((micros.len() as f64 * part) as usize).copied().unwrap_or(0.0);
        say!("recover one, offer it at once        p50 {:.1} us  p99 {:.1} us  of {}", at(0.5), at(0.99), micros.len());
    }
}

/// Processor time of this process so far; zero where the kernel does not tell. On a busy machine it says more than the
/// time that passed.
fn cpu_millis() -> f64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|nanos| nanos.parse::<f64>().ok()).unwrap_or(0.0) / 1e6
}

/// The resident set of this process; zero where the kernel does not tell.
fn resident_megabytes() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().split(' ').next()?.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}
