//! Plays one scenario at one master: agents and frameworks that exist only for it, and what they see.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tepui_bench::emulator::{Agent, AgentSpec, CAPABILITIES, Emulator, Framework, task};
use tepui_proto::mesos::scheduler::{Event, event};
use tepui_proto::mesos::{Offer, TaskState};
use tepui_resources::Resources;
use tepui_sdk::call;

use super::cast;
use super::script::{Action, Scenario};

/// An action and what was seen until all was silent, in no order of time: what comes together has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The action's line.
    pub action: String,
    /// One line per offer, rescission or update.
    pub lines: Vec<String>,
}

/// Everything one scenario has brought to a master.
struct Stage<'a> {
    scenario: &'a Scenario,
    emulator: Emulator,
    silence: Duration,
    agents: BTreeMap<String, Agent>,
    frameworks: BTreeMap<String, Framework>,
    descriptions: BTreeMap<String, cast::Description>,
    /// Offers that stand, by framework.
    offers: BTreeMap<String, Vec<Offer>>,
    /// Where tasks run: framework and agent.
    tasks: BTreeMap<String, (String, String)>,
}

/// Plays it and takes everything away again. `silence` is how long nothing must happen before the next action.
pub async fn play(scenario: &Scenario, master: SocketAddrV4, silence: Duration) -> Result<Vec<Seen>> {
    let mut stage = Stage {
        scenario,
        emulator: Emulator::new(master),
        silence,
        agents: BTreeMap::new(),
        frameworks: BTreeMap::new(),
        descriptions: BTreeMap::new(),
        offers: BTreeMap::new(),
        tasks: BTreeMap::new(),
    };
    let seen = stage.play().await;
    stage.clear().await?;
    seen
}

impl Stage<'_> {
    async fn play(&mut self) -> Result<Vec<Seen>> {
        let mut seen = Vec::new();
        for action in &self.scenario.actions {
            let failed = || format!("{}: {}", self.scenario.name, action.line);
            self.act(action).await.with_context(failed)?;
            seen.push(Seen { action: action.line.clone(), lines: self.watch(action).await.with_context(failed)? });
        }
        Ok(seen)
    }

    async fn act(&mut self, action: &Action) -> Result<()> {
        match action.verb.as_str() {
            "agent" => self.agent(action).await,
            "leave" => self.with_agent(action, |agent| agent.unregister()),
            "return" => self.agents[action.name(0)?].register().await.map(drop),
            "break" => self.agents.remove(action.name(0)?).map(drop).context("no such agent"),
            "oversubscribe" => {
                let resources = cast::revocable(action.name(1)?)?;
                self.with_agent(action, |agent| agent.oversubscribe(resources))
            }
            "framework" => self.framework(action).await,
            "update" => self.update(action).await,
            "disconnect" => self.frameworks.remove(action.name(0)?).map(drop).context("no such framework"),
            "teardown" => self.teardown(action.name(0)?).await,
            "accept" => self.accept(action).await,
            "decline" => self.decline(action).await,
            "suppress" => Ok(self.actor(action)?.suppress(&action.list("roles")).await?),
            "revive" => Ok(self.actor(action)?.revive(&action.list("roles")).await?),
            "finish" => self.finish(action.name(0)?),
            "wait" => Ok(()),
            other => bail!("'{other}' is no action"),
        }
    }

    fn with_agent(&self, action: &Action, act: impl FnOnce(&Agent)) -> Result<()> {
        act(self.agents.get(action.name(0)?).context("no such agent")?);
        Ok(())
    }

    fn actor(&self, action: &Action) -> Result<&Framework> {
        self.frameworks.get(action.name(0)?).context("no such framework")
    }

    async fn agent(&mut self, action: &Action) -> Result<()> {
        let name = action.name(0)?;
        let mut spec =
            AgentSpec::new(name, action.name(1)?)?.attributes(action.get("attributes").unwrap_or_default())?;
        if let Some((region, zone)) = action.get("domain").and_then(|domain| domain.split_once('/')) {
            spec = spec.domain(region, zone);
        }
        let without = action.list("without");
        let has: Vec<_> =
            CAPABILITIES.into_iter().filter(|one| !without.contains(&cast::word(*one).as_str())).collect();
        let agent = self.emulator.agent_with_port(spec.capabilities(&has)).await?;
        agent.register().await?;
        self.agents.insert(name.to_owned(), agent);
        Ok(())
    }

    async fn framework(&mut self, action: &Action) -> Result<()> {
        let name = action.name(0)?;
        let mut description = cast::Description::read(name, action)?;
        if let Some(earlier) = self.descriptions.get(name) {
            description.subscription.info.id = earlier.subscription.info.id.clone();
            self.offers.remove(name);
        }
        let framework = description.subscription.clone().subscribe(self.emulator.master()).await?;
        description.subscription.info.id = framework.id().clone().into();
        self.descriptions.insert(name.to_owned(), description);
        self.frameworks.insert(name.to_owned(), framework);
        Ok(())
    }

    async fn update(&mut self, action: &Action) -> Result<()> {
        let name = action.name(0)?;
        let mut description = cast::Description::read(name, action)?;
        let framework = self.actor(action)?;
        description.subscription.info.id = framework.id().clone().into();
        framework.call(description.update()).get().await?;
        self.descriptions.insert(name.to_owned(), description);
        Ok(())
    }

    async fn teardown(&mut self, name: &str) -> Result<()> {
        let framework = self.frameworks.remove(name).context("no such framework")?;
        self.offers.remove(name);
        Ok(framework.teardown().await?)
    }

    /// `accept F AGENT [TASK=RESOURCES ...] [role=R] [refuse=SECONDS]`
    async fn accept(&mut self, action: &Action) -> Result<()> {
        let (name, agent) = (action.name(0)?.to_owned(), action.name(1)?.to_owned());
        let offers = self.take_offers(action)?;
        let offer = offers.first().context("no such offer")?;
        let mut tasks = Vec::new();
        for (id, resources) in action.settings.iter().filter(|(key, _)| key != "role" && key != "refuse") {
            tasks.push(task(id, offer, resources)?);
            self.tasks.insert(id.clone(), (name.clone(), agent.clone()));
        }
        let filters = action.get("refuse").map(cast::filters).transpose()?;
        Ok(self.actor(action)?.accept(&offers, vec![call::launch(tasks)], filters).await?)
    }

    /// `decline F AGENT|all [role=R] [refuse=SECONDS]`
    async fn decline(&mut self, action: &Action) -> Result<()> {
        let offers = self.take_offers(action)?;
        let refuse = action.get("refuse").map(str::parse).transpose()?;
        Ok(self.actor(action)?.decline(&offers, refuse).await?)
    }

    /// The standing offers an action speaks of.
    fn take_offers(&mut self, action: &Action) -> Result<Vec<Offer>> {
        let (agent, role) = (action.name(1)?.to_owned(), action.get("role").map(str::to_owned));
        let standing = self.offers.entry(action.name(0)?.to_owned()).or_default();
        let wanted = |offer: &Offer| {
            let of_role = role.as_deref().is_none_or(|role| offer.allocation_info.role.as_deref() == Some(role));
            of_role && (agent == "all" || agent == "one" || offer.hostname == agent)
        };
        let (mut taken, mut kept): (Vec<Offer>, Vec<Offer>) = standing.drain(..).partition(wanted);
        if agent == "one" {
            kept.extend(taken.drain(1.min(taken.len())..));
        }
        *standing = kept;
        if taken.is_empty() {
            bail!("no offer of {agent} stands");
        }
        Ok(taken)
    }

    fn finish(&mut self, id: &str) -> Result<()> {
        let (_, agent) = self.tasks.get(id).context("no such task")?;
        self.agents.get(agent).context("its agent is gone")?.report(id, TaskState::TASK_FINISHED);
        Ok(())
    }

    /// All that comes until nothing has come for a while. `wait SECONDS` makes that while longer.
    async fn watch(&mut self, action: &Action) -> Result<Vec<String>> {
        let more =
            if action.verb == "wait" { Duration::from_secs_f64(action.name(0)?.parse()?) } else { Duration::ZERO };
        let mut lines = Vec::new();
        let start = tokio::time::Instant::now();
        let mut until = start + more + self.silence;
        loop {
            ensure!(start.elapsed() < more + SILENT_WITHIN, "it is never silent; the last was: {:?}", lines.last());
            let names: Vec<String> = self.frameworks.keys().cloned().collect();
            let mut heard = false;
            for name in names {
                if let Some(event) = self.next(&name).await {
                    heard = true;
                    lines.extend(self.heard(&name, event));
                }
            }
            if heard {
                until = until.max(tokio::time::Instant::now() + self.silence);
            } else if tokio::time::Instant::now() >= until {
                lines.sort();
                return Ok(lines);
            } else {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
    }

    /// An event that has come already. A stream that has ended has none; its ERROR event was heard.
    async fn next(&mut self, name: &str) -> Option<Event> {
        self.frameworks.get_mut(name)?.event_within(Duration::ZERO).await.ok().flatten()
    }

    /// What an event says, in words that are the same at every master.
    fn heard(&mut self, name: &str, event: Event) -> Vec<String> {
        match event.r#type {
            Some(event::Type::OFFERS) => {
                let offers = event.offers.into_option().unwrap_or_default().offers;
                let lines = offers.iter().map(|offer| format!("{name} + {}", self.describe(offer))).collect();
                self.offers.entry(name.to_owned()).or_default().extend(offers);
                lines
            }
            Some(event::Type::RESCIND) => {
                let id = event.rescind.offer_id.value.clone();
                let standing = self.offers.entry(name.to_owned()).or_default();
                let (gone, kept): (Vec<Offer>, Vec<Offer>) = standing.drain(..).partition(|offer| offer.id.value == id);
                *standing = kept;
                gone.iter().map(|offer| format!("{name} - {}", self.describe(offer))).collect()
            }
            Some(event::Type::UPDATE) => {
                let status = &event.update.status;
                if let Some(framework) = self.frameworks.get(name) {
                    framework.acknowledge(status);
                }
                vec![format!("{name} {} {:?}", status.task_id.value, status.state)]
            }
            kind => vec![format!("{name} {kind:?}")],
        }
    }

    /// Role, agent and resources of an offer.
    fn describe(&self, offer: &Offer) -> String {
        let agent = if self.scenario.any_agent { "*" } else { &offer.hostname };
        let role = offer.allocation_info.role.as_deref().unwrap_or("");
        let resources = Resources::from_proto(&offer.resources).unallocated();
        let mut parts: Vec<String> = resources.iter().map(ToString::to_string).collect();
        parts.sort();
        format!("{role} {agent} {}", parts.join(";"))
    }

    /// Frameworks are torn down and agents unregistered, so that the next scenario finds an empty cluster.
    async fn clear(mut self) -> Result<()> {
        for (name, description) in std::mem::take(&mut self.descriptions) {
            let framework = match self.frameworks.remove(&name) {
                Some(framework) => framework,
                None => match description.subscription.subscribe(self.emulator.master()).await {
                    Ok(framework) => framework,
                    Err(_) => continue,
                },
            };
            framework.teardown().await?;
        }
        self.agents.values().for_each(Agent::unregister);
        cast::until_empty(self.emulator.master()).await
    }
}

/// After so long without silence a scenario goes round in circles.
const SILENT_WITHIN: Duration = Duration::from_secs(30);
/// How often events are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(5);
