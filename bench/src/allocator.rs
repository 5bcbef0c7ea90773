//! Allocation cycles over a cluster of a given size, driven as the master drives them.
//!
//! The agents are those of Mesos' own `DeclineOffers` benchmark: 24 cpus, 4 GB of memory and of disk, 1001 ports, part
//! of which is in use. All frameworks are in as many roles as asked for.

use anyhow::Context;
use std::sync::Arc;
use std::time::{Duration, Instant as Clock};
use tepui_allocator::{
    AgentFacts, AgentKey, Effect, FrameworkCapabilities, FrameworkKey, FrameworkTerms, Hierarchical, Input, Issuer,
    OfferConstraintsFilter, OfferedAgent, Options,
};
use tepui_base::machine::Entry;
use tepui_base::{Instant, Machine, Now, Outbox, Wall};
use tepui_resources::{Attributes, Quantities, Resources, Role};

/// How large a cluster.
#[derive(clap::Args)]
pub struct Arguments {
    /// How many agents.
    #[arg(long, default_value_t = 10_000)]
    agents: usize,
    /// How many frameworks.
    #[arg(long, default_value_t = 500)]
    frameworks: usize,
    /// How many roles the frameworks share.
    #[arg(long, default_value_t = 1)]
    roles: usize,
    /// How many rounds of offers that are all declined.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Go on declining until every framework refuses every agent (slow: their product of declines).
    #[arg(long)]
    exhaust: bool,
    /// The seed of the order of agents.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Runs it and prints one line per step.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    println!("{} agents, {} frameworks, {} roles", arguments.agents, arguments.frameworks, arguments.roles);
    let mut cluster = Cluster::new(arguments)?;
    cluster.timed("add frameworks", |cluster| cluster.add_frameworks(arguments));
    cluster.timed("add agents", |cluster| cluster.add_agents(arguments));
    let mut offers = cluster.timed("full cycle, all free", Cluster::cycle);
    for round in 1..=arguments.rounds {
        cluster.timed(&format!("decline all, round {round}"), |cluster| cluster.decline(&offers));
        offers = cluster.timed(&format!("full cycle, round {round}"), Cluster::cycle);
    }
    cluster.timed("full cycle, nothing free", Cluster::cycle);
    cluster.timed("decline all", |cluster| cluster.decline(&offers));
    if arguments.exhaust {
        cluster.exhaust();
        cluster.timed("full cycle, all refused", Cluster::cycle);
    }
    cluster.timed("revive one framework", |cluster| cluster.revive(0));
    let offers = cluster.timed("full cycle, one framework revived", Cluster::cycle);
    cluster.single_events(&offers);
    Ok(())
}

struct Cluster {
    allocator: Hierarchical,
    now: Now,
    out: Outbox<Effect>,
    frameworks: Vec<FrameworkKey>,
    total: Resources,
    used: Resources,
}

type Offers = Vec<(FrameworkKey, Vec<OfferedAgent>)>;

/// Anything a step can say about itself.
trait Report {
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
    fn new(arguments: &Arguments) -> anyhow::Result<Cluster> {
        let options = Options {
            interval: Duration::from_secs(1),
            min_allocatable: vec![Quantities::parse("cpus:0.01")?, Quantities::parse("mem:32")?],
            filter_gpu_resources: true,
            fair_sharing_excluded: Vec::new(),
            region: None,
        };
        let now = Now { monotonic: Instant(0), wall: Wall(0) };
        Ok(Cluster {
            allocator: Hierarchical::new(options, arguments.seed, now),
            now,
            out: Outbox::default(),
            frameworks: Vec::new(),
            total: Resources::parse("cpus:24;mem:4096;disk:4096;ports:[31000-32000]", "*").context("total")?,
            used: Resources::parse("cpus:16;mem:2014;disk:1024;ports:[31126-31510]", "*").context("used")?,
        })
    }

    fn timed<T: Report>(&mut self, step: &str, work: impl FnOnce(&mut Cluster) -> T) -> T {
        let (start, cpu) = (Clock::now(), cpu_millis());
        let result = work(self);
        let (wall, cpu) = (start.elapsed().as_secs_f64() * 1e3, cpu_millis() - cpu);
        let rss = resident_megabytes();
        println!("{step:<36} {wall:>9.2} ms, {cpu:>9.2} ms of cpu  rss {rss:>7.1} MB  {}", result.report());
        result
    }

    fn handle(&mut self, input: Input) {
        self.allocator.handle(self.now, input, &mut self.out);
    }

    fn add_frameworks(&mut self, arguments: &Arguments) {
        let mut keys = Issuer::default();
        for number in 0..arguments.frameworks {
            let key = keys.issue();
            self.frameworks.push(key);
            let terms = FrameworkTerms {
                id: format!("framework-{number:04}").into(),
                roles: vec![role(number % arguments.roles)],
                suppressed: Vec::new(),
                capabilities: FrameworkCapabilities { multi_role: true, ..FrameworkCapabilities::default() },
                min_allocatable: Vec::new(),
                constraints: OfferConstraintsFilter::default(),
            };
            self.handle(Input::AddFramework { key, terms, active: true });
        }
    }

    fn add_agents(&mut self, arguments: &Arguments) {
        let mut keys = Issuer::<AgentKey>::default();
        for number in 0..arguments.agents {
            let owner = number % arguments.frameworks;
            let used = self.used.clone().allocated_to(&role(owner % arguments.roles));
            let facts = AgentFacts {
                hostname: Arc::from(format!("agent-{number}")),
                region: None,
                zone: None,
                attributes: Attributes::default(),
                multi_role: true,
                hierarchical_role: true,
            };
            let (key, total, used) = (keys.issue(), self.total.clone(), vec![(self.frameworks[owner], used)]);
            self.handle(Input::AddAgent { key, facts, total, used });
        }
    }

    /// One run over all agents.
    fn cycle(&mut self) -> Offers {
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

    fn decline(&mut self, offers: &Offers) {
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
    fn exhaust(&mut self) {
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
        println!(
            "{:<36} {millis:>10.2} ms  rss {rss:>7.1} MB  {declined} declined in {cycles} cycles",
            "decline until all refuse"
        );
    }

    fn revive(&mut self, framework: usize) {
        let framework = self.frameworks[framework];
        self.handle(Input::Revive { framework, roles: Vec::new() });
    }

    /// One freed agent at a time, offered at once.
    fn single_events(&mut self, offers: &Offers) {
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
        println!(
            "recover one, offer it at once        p50 {:.1} us  p99 {:.1} us  of {}",
            at(0.5),
            at(0.99),
            micros.len()
        );
    }
}

fn role(number: usize) -> Role {
    Role::from(format!("role-{number}").as_str())
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
