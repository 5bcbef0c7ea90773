//! A little master around the allocator: it knows names, keeps the offers that are out, and speaks in lines of text.
//!
//! ```text
//! options [min=none|cpus:1|mem:2] [gpus=open] [exclude=NAME] [region=R]     (first line only)
//! framework F roles=a,b [suppressed=a] [can=revocable,gpu,shared,multi,refined,region] [min=a@cpus:1] [inactive]
//!                               [only=role@attribute:REGEX]...
//! update F roles=...            as above            remove F | activate F | deactivate F
//! agent A RESOURCES [used=F@role@RESOURCES]... [old] [region=R] [revocable=RESOURCES] [zone=Z] [attributes=A:V;...]
//! update-agent A RESOURCES ...  as above            remove-agent A | activate-agent A | deactivate-agent A
//! decline F A [for=5s]          gives back all F was offered of A
//! accept F A RESOURCES [for=5s] uses a part of what F was offered of A (in one role), gives back the rest
//! finish F A role RESOURCES     what was used is free again
//! reserve F A role RESOURCES | share F A role RESOURCES    converts what was offered
//! suppress F [a,b] | revive F [a,b] | weight role=2 | whitelist A,B | whitelist | pause | resume
//! plan A | unplan A             A will be away, or will not       answer F A [for=5s]  ends F's inverse offer of A
//! advance 1s                    lets time pass      shares            prints each role's share
//! ```
//! Offers come out as `F role A: resources`, sorted, inverse offers as `F is asked about A`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tepui_allocator::{
    AgentFacts, AgentKey, Allocator, Effect, FrameworkCapabilities, FrameworkKey, FrameworkTerms, Hierarchical, Input,
    Issuer, OfferConstraintsFilter, OfferedAgent, Options, RegexLimits,
};
use tepui_base::machine::Entry;
use tepui_base::{Instant, Machine, Now, Outbox, Wall, duration};
use tepui_proto::mesos::scheduler::attribute_constraint::predicate::{Predicate, TextMatches};
use tepui_proto::mesos::scheduler::attribute_constraint::selector::{PseudoattributeType, Selector};
use tepui_proto::mesos::scheduler::offer_constraints::role_constraints::Group;
use tepui_proto::mesos::scheduler::{AttributeConstraint, OfferConstraints};
use tepui_resources::{Attributes, Disk, Persistence, Quantities, Reservation, Resource, Resources, Role};

/// See the module's text.
pub struct World {
    /// The machine under test.
    pub allocator: Hierarchical,
    now: Now,
    framework_keys: Issuer<FrameworkKey>,
    agent_keys: Issuer<AgentKey>,
    frameworks: BTreeMap<String, FrameworkKey>,
    agents: BTreeMap<String, AgentKey>,
    /// Offers that are out: framework, agent, role.
    offers: BTreeMap<(FrameworkKey, AgentKey, Role), Resources>,
}

/// The words of one line, after the command.
struct Words<'a>(Vec<&'a str>);

impl<'a> Words<'a> {
    fn at(&self, at: usize) -> &'a str {
        self.0.get(at).unwrap_or_else(|| panic!("a word is missing at {at} of {:?}", self.0))
    }

    fn has(&self, flag: &str) -> bool {
        self.0.contains(&flag)
    }

    fn all(&self, name: &str) -> Vec<&'a str> {
        let value = |word: &&'a str| word.strip_prefix(name).and_then(|rest| rest.strip_prefix('='));
        self.0.iter().filter_map(value).collect()
    }

    fn one(&self, name: &str) -> Option<&'a str> {
        self.all(name).first().copied()
    }

    fn list(&self, name: &str) -> Vec<&'a str> {
        self.one(name).map(|list| list.split(',').collect()).unwrap_or_default()
    }
}

fn resources(text: &str) -> Resources {
    Resources::parse(text, "*").unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn roles(list: &[&str]) -> Vec<Role> {
    list.iter().map(|role| Role::from(*role)).collect()
}

fn quantities(text: &str) -> Vec<Quantities> {
    let parts = text.split('|').filter(|part| *part != "none");
    parts.map(|part| Quantities::parse(part).unwrap_or_else(|error| panic!("{part}: {error}"))).collect()
}

fn time(text: &str) -> Duration {
    duration::parse(&text.replace('s', "secs").replace("msecs", "ms")).unwrap_or_else(|error| panic!("{error}"))
}

impl World {
    /// With the defaults of Mesos.
    pub fn new() -> World {
        World::with(&Words(Vec::new()))
    }

    fn with(words: &Words) -> World {
        let options = Options {
            interval: Duration::from_secs(1),
            min_allocatable: quantities(words.one("min").unwrap_or("cpus:0.01|mem:32")),
            filter_gpu_resources: words.one("gpus") != Some("open"),
            fair_sharing_excluded: words.list("exclude").iter().map(|name| (*name).to_owned()).collect(),
            region: words.one("region").map(Arc::from),
        };
        let now = Now { monotonic: Instant(0), wall: Wall(0) };
        World {
            allocator: Hierarchical::new(options, 7, now),
            now,
            framework_keys: Issuer::default(),
            agent_keys: Issuer::default(),
            frameworks: BTreeMap::new(),
            agents: BTreeMap::new(),
            offers: BTreeMap::new(),
        }
    }

    /// Does what one line says and returns what came of it.
    pub fn perform(&mut self, line: &str) -> String {
        let mut words = line.split_whitespace();
        let command = words.next().unwrap_or_default();
        let words = Words(words.collect());
        match command {
            "options" => *self = World::with(&words),
            "advance" => return self.advance(time(words.at(0))),
            "shares" => return self.shares(),
            "decline" => self.decline(&words),
            "accept" => self.accept(&words),
            "reserve" | "share" => self.convert(command, &words),
            _ => {
                let input = self.input(command, &words);
                self.handle(input);
            }
        }
        self.tick_if_due()
    }

    fn handle(&mut self, input: Input) {
        let mut out = Outbox::default();
        self.allocator.handle(self.now, input, &mut out);
        assert!(out.is_empty(), "offers are made by ticks");
    }

    fn input(&mut self, command: &str, words: &Words) -> Input {
        match command {
            "framework" => {
                let key = self.framework_key(words.at(0));
                Input::AddFramework { key, terms: terms(words), active: !words.has("inactive") }
            }
            "update" => Input::UpdateFramework { key: self.framework_key(words.at(0)), terms: terms(words) },
            "remove" => Input::RemoveFramework(self.remove_framework(words.at(0))),
            "activate" => Input::ActivateFramework(self.framework_key(words.at(0))),
            "deactivate" => Input::DeactivateFramework(self.framework_key(words.at(0))),
            "agent" => self.add_agent(words),
            "update-agent" => {
                let key = self.agents[words.at(0)];
                Input::UpdateAgent { key, facts: Some(facts(words)), total: Some(total(words)) }
            }
            "remove-agent" => Input::RemoveAgent(self.remove_agent(words.at(0))),
            "activate-agent" => Input::ActivateAgent(self.agents[words.at(0)]),
            "deactivate-agent" => Input::DeactivateAgent(self.agents[words.at(0)]),
            "finish" => self.finish(words),
            "suppress" => Input::Suppress { framework: self.frameworks[words.at(0)], roles: role_list(words) },
            "revive" => Input::Revive { framework: self.frameworks[words.at(0)], roles: role_list(words) },
            "weight" => {
                let (role, weight) = words.at(0).split_once('=').expect("role=weight");
                Input::UpdateWeights(vec![(Role::from(role), weight.parse().expect("a weight"))])
            }
            "whitelist" => {
                let names = words.0.first().map(|list| list.split(',').map(str::to_owned).collect());
                Input::UpdateWhitelist(names)
            }
            "plan" | "unplan" => {
                Input::UpdateUnavailability { agent: self.agents[words.at(0)], planned: command == "plan" }
            }
            "answer" => {
                let (framework, agent) = (self.frameworks[words.at(0)], self.agents[words.at(1)]);
                Input::EndInverseOffer { framework, agent, refuse: words.one("for").map(time) }
            }
            "pause" => Input::Pause,
            "resume" => Input::Resume,
            other => panic!("no such command: {other}"),
        }
    }

    fn add_agent(&mut self, words: &Words) -> Input {
        let key = self.agent_keys.issue();
        self.agents.insert(words.at(0).to_owned(), key);
        let used = words.all("used").into_iter().map(|used| {
            let mut parts = used.splitn(3, '@');
            let (framework, role) = (parts.next().expect("F@role@R"), parts.next().expect("F@role@R"));
            let held = resources(parts.next().expect("F@role@R")).allocated_to(&Role::from(role));
            (self.framework_key(framework), held)
        });
        let used = used.collect();
        Input::AddAgent { key, facts: facts(words), total: total(words), used }
    }

    /// The key of a name, issued when the name is first heard (a framework may be known from its tasks first).
    fn framework_key(&mut self, name: &str) -> FrameworkKey {
        let keys = &mut self.framework_keys;
        *self.frameworks.entry(name.to_owned()).or_insert_with(|| keys.issue())
    }

    fn remove_framework(&mut self, name: &str) -> FrameworkKey {
        let key = self.frameworks.remove(name).expect("a framework of that name");
        self.framework_keys.retire(key);
        self.offers.retain(|(framework, _, _), _| *framework != key);
        key
    }

    fn remove_agent(&mut self, name: &str) -> AgentKey {
        let key = self.agents.remove(name).expect("an agent of that name");
        self.agent_keys.retire(key);
        self.offers.retain(|(_, agent, _), _| *agent != key);
        key
    }

    fn finish(&mut self, words: &Words) -> Input {
        let (framework, agent) = (self.frameworks[words.at(0)], self.agents[words.at(1)]);
        let resources = resources(words.at(3)).allocated_to(&Role::from(words.at(2)));
        Input::Recover { framework, agent, resources, refuse: None, allocated: true }
    }

    fn take_offers(&mut self, words: &Words) -> Vec<(FrameworkKey, AgentKey, Resources)> {
        let (framework, agent) = (self.frameworks[words.at(0)], self.agents[words.at(1)]);
        let mine = self.offers.extract_if(.., |(of, on, _), _| *of == framework && *on == agent);
        let mine: Vec<_> = mine.map(|(_, resources)| (framework, agent, resources)).collect();
        assert!(!mine.is_empty(), "{:?} has no such offer", words.0);
        mine
    }

    fn decline(&mut self, words: &Words) {
        let refuse = words.one("for").map(time);
        for (framework, agent, resources) in self.take_offers(words) {
            self.handle(Input::Recover { framework, agent, resources, refuse, allocated: false });
        }
    }

    fn accept(&mut self, words: &Words) {
        let refuse = words.one("for").map(time);
        for (framework, agent, offered) in self.take_offers(words) {
            let role = offered.iter().find_map(Resource::allocation_role).expect("offers are allocated").clone();
            let used = resources(words.at(2)).allocated_to(&role);
            assert!(offered.contains(&used), "{offered} has no {used}");
            let resources = &offered - &used;
            if !resources.is_empty() {
                self.handle(Input::Recover { framework, agent, resources, refuse, allocated: false });
            }
        }
    }

    /// Turns a part of an offer into something else, and keeps the offer.
    fn convert(&mut self, how: &str, words: &Words) {
        let (framework, agent) = (self.frameworks[words.at(0)], self.agents[words.at(1)]);
        let role = Role::from(words.at(2));
        let key = (framework, agent, role.clone());
        let offered = self.offers[&key].clone();
        let consumed = resources(words.at(3)).allocated_to(&role);
        let converted = match how {
            "reserve" => consumed.push_reservation(&Reservation::dynamic(role.as_str(), None)).expect("reservable"),
            _ => consumed.iter().map(volume).collect(),
        };
        self.offers.insert(key, &(&offered - &consumed) + &converted);
        let conversions = vec![(consumed, converted)];
        self.handle(Input::UpdateAllocation { framework, agent, offered, conversions });
    }

    fn advance(&mut self, by: Duration) -> String {
        let (until, mut output) = (self.now.monotonic + by, String::new());
        while let Some(due) = self.allocator.deadline().filter(|due| *due <= until) {
            self.now.monotonic = due.max(self.now.monotonic);
            output.push_str(&self.tick());
        }
        self.now.monotonic = until;
        output
    }

    fn tick_if_due(&mut self) -> String {
        match self.allocator.deadline() {
            Some(due) if due <= self.now.monotonic => self.tick(),
            _ => String::new(),
        }
    }

    fn tick(&mut self) -> String {
        let mut out = Outbox::default();
        self.allocator.tick(self.now, &mut out);
        let mut lines = Vec::new();
        for entry in out.drain() {
            let Entry::Free(effect) = entry else { panic!("an allocator writes nothing") };
            match effect {
                Effect::Offer { framework, offers } => {
                    lines.extend(offers.into_iter().map(|offer| self.note(framework, offer)));
                }
                Effect::InverseOffer { framework, agents } => {
                    let of = name(&self.frameworks, framework);
                    lines.extend(agents.iter().map(|on| format!("{of} is asked about {}\n", name(&self.agents, *on))));
                }
            }
        }
        lines.sort();
        lines.concat()
    }

    /// Keeps an offer, and says what it is.
    fn note(&mut self, framework: FrameworkKey, offer: OfferedAgent) -> String {
        let (of, on) = (name(&self.frameworks, framework), name(&self.agents, offer.agent));
        let line = format!("{of} {} {on}: {}\n", offer.role, offer.resources.clone().unallocated());
        let key = (framework, offer.agent, offer.role);
        let held = self.offers.remove(&key).unwrap_or_default();
        self.offers.insert(key, &held + &offer.resources);
        line
    }

    fn shares(&self) -> String {
        let figures = self.allocator.metrics().roles;
        figures.iter().map(|figures| format!("{} {:.3}\n", figures.role, figures.dominant_share)).collect()
    }
}

fn name<K: PartialEq>(names: &BTreeMap<String, K>, key: K) -> &str {
    names.iter().find(|(_, other)| **other == key).map_or("?", |(name, _)| name)
}

fn role_list(words: &Words) -> Vec<Role> {
    words.0.get(1).map(|list| roles(&list.split(',').collect::<Vec<_>>())).unwrap_or_default()
}

fn terms(words: &Words) -> FrameworkTerms {
    let can = words.list("can");
    let minimum = |text: &&str| {
        let (role, minimum) = text.split_once('@').expect("role@quantities");
        (Role::from(role), quantities(minimum))
    };
    FrameworkTerms {
        id: words.at(0).into(),
        roles: roles(&words.list("roles")),
        suppressed: roles(&words.list("suppressed")),
        capabilities: FrameworkCapabilities {
            revocable_resources: can.contains(&"revocable"),
            gpu_resources: can.contains(&"gpu"),
            shared_resources: can.contains(&"shared"),
            multi_role: can.contains(&"multi"),
            reservation_refinement: can.contains(&"refined"),
            region_aware: can.contains(&"region"),
        },
        min_allocatable: words.all("min").iter().map(minimum).collect(),
        constraints: constraints(words),
    }
}

/// `role@name:text`, where the text is a regular expression and the name one of `hostname`, `region`, `zone` or that of
/// an attribute. One group per word.
fn constraints(words: &Words) -> OfferConstraintsFilter {
    let mut proto = OfferConstraints::default();
    for word in words.all("only") {
        let (role, constraint) = word.split_once('@').expect("role@name:regex");
        let (name, regex) = constraint.split_once(':').expect("role@name:regex");
        let selector = match name {
            "hostname" => Selector::PseudoattributeType(PseudoattributeType::HOSTNAME),
            "region" => Selector::PseudoattributeType(PseudoattributeType::REGION),
            "zone" => Selector::PseudoattributeType(PseudoattributeType::ZONE),
            name => Selector::AttributeName(name.to_owned()),
        };
        let matches = TextMatches { regex: regex.to_owned(), ..TextMatches::default() };
        let mut constraint = AttributeConstraint::default();
        constraint.selector.get_or_insert_default().selector = Some(selector);
        constraint.predicate.get_or_insert_default().predicate = Some(Predicate::TextMatches(Box::new(matches)));
        let groups = &mut proto.role_constraints.entry(role.to_owned()).or_default().groups;
        groups.push(Group { attribute_constraints: vec![constraint], ..Group::default() });
    }
    OfferConstraintsFilter::new(&proto, RegexLimits::default()).unwrap_or_else(|error| panic!("{error}"))
}

fn facts(words: &Words) -> AgentFacts {
    AgentFacts {
        hostname: Arc::from(words.at(0)),
        region: words.one("region").map(Arc::from),
        zone: words.one("zone").map(Arc::from),
        attributes: Attributes::parse(words.one("attributes").unwrap_or_default())
            .unwrap_or_else(|error| panic!("{error}")),
        multi_role: !words.has("old"),
        hierarchical_role: !words.has("old"),
    }
}

fn total(words: &Words) -> Resources {
    let mut total = resources(words.at(1));
    for revocable in words.all("revocable") {
        total.extend(resources(revocable).iter().map(|resource| resource.with_revocable(true)));
    }
    total.extend(words.all("shared").into_iter().flat_map(resources).map(|resource| volume(&resource)));
    total
}

/// A shared persistent volume made of some disk.
fn volume(resource: &Resource) -> Resource {
    let disk = Disk { persistence: Some(Persistence { id: "v".into(), principal: None }), ..Disk::default() };
    resource.with_disk(Some(disk)).with_shared(true)
}
