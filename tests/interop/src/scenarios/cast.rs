//! Words of a scenario as messages.

use std::net::SocketAddrV4;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tepui_bench::emulator::Subscription;
use tepui_proto::MessageField;
use tepui_proto::json::{Names, from_slice};
use tepui_proto::mesos::agent_info::capability::Type as AgentCapability;
use tepui_proto::mesos::framework_info::Capability;
use tepui_proto::mesos::resource::RevocableInfo;
use tepui_proto::mesos::scheduler::call::UpdateFramework;
use tepui_proto::mesos::scheduler::{Call, call};
use tepui_proto::mesos::{Filters, FrameworkInfo, Resource};
use tepui_resources::Resources;
use tepui_sdk::messages;

use super::script::Action;
use crate::http;

/// How long an emptied cluster may take to be empty.
const EMPTY_WITHIN: Duration = Duration::from_secs(20);
/// How often that is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How a framework describes itself.
pub struct Description {
    /// Its subscription, with its id once it has one.
    pub subscription: Subscription,
}

impl Description {
    /// `framework NAME [roles=a,b] [caps=..] [suppressed=..] [min=ROLE:cpus:1] [constraints={..}] [failover=SECONDS]`.
    /// Every framework is MULTI_ROLE, RESERVATION_REFINEMENT and PARTITION_AWARE unless `only=` lists what it is.
    pub fn read(name: &str, action: &Action) -> Result<Description> {
        let mut info = messages::framework(name, "root");
        let roles = action.list("roles");
        let only = action.get("only").map(|_| action.list("only"));
        let caps = only.clone().unwrap_or_else(|| {
            [vec!["MULTI_ROLE", "RESERVATION_REFINEMENT", "PARTITION_AWARE"], action.list("caps")].concat()
        });
        info.capabilities = caps.iter().map(|name| capability(name)).collect::<Result<_>>()?;
        info.role = None;
        info.roles = Vec::new();
        if caps.contains(&"MULTI_ROLE") {
            info.roles = if roles.is_empty() { vec!["*".to_owned()] } else { texts(&roles) };
        } else {
            info.role = roles.first().map(|role| (*role).to_owned());
        }
        info.checkpoint = Some(true);
        info.failover_timeout = Some(action.get("failover").unwrap_or("0").parse()?);
        offer_filters(&mut info, action)?;
        let mut subscription = Subscription::new(info);
        subscription.suppressed_roles = texts(&action.list("suppressed"));
        if let Some(json) = action.get("constraints") {
            subscription.offer_constraints = Some(from_slice(json.as_bytes(), Names::V1).context("the constraints")?);
        }
        Ok(Description { subscription })
    }

    /// The same description as an UPDATE_FRAMEWORK call.
    pub fn update(&self) -> Call {
        let update = UpdateFramework {
            framework_info: MessageField::some(self.subscription.info.clone()),
            suppressed_roles: self.subscription.suppressed_roles.clone(),
            offer_constraints: self.subscription.offer_constraints.clone().into(),
            ..UpdateFramework::default()
        };
        Call { r#type: Some(call::Type::UPDATE_FRAMEWORK), update_framework: update.into(), ..Call::default() }
    }
}

/// `min=ROLE:QUANTITIES`, alternatives separated by `|`: `min=a:cpus:1;mem:64|gpus:1`.
fn offer_filters(info: &mut FrameworkInfo, action: &Action) -> Result<()> {
    let Some((role, quantities)) = action.get("min").and_then(|text| text.split_once(':')) else { return Ok(()) };
    let quantities: Vec<String> = quantities
        .split('|')
        .filter(|one| !one.is_empty())
        .map(|one| {
            let pairs: Result<Vec<String>> = one.split(';').filter(|pair| !pair.is_empty()).map(quantity).collect();
            Ok(format!("{{\"quantities\":{{{}}}}}", pairs?.join(",")))
        })
        .collect::<Result<_>>()?;
    let json = format!(
        "{{\"user\":\"\",\"name\":\"\",\"offer_filters\":{{\"{role}\":{{\"min_allocatable_resources\":\
         {{\"quantities\":[{}]}}}}}}}}",
        quantities.join(",")
    );
    let read: FrameworkInfo = from_slice(json.as_bytes(), Names::V1).context("min=")?;
    info.offer_filters = read.offer_filters;
    Ok(())
}

fn quantity(pair: &str) -> Result<String> {
    let (name, value) = pair.split_once(':').with_context(|| format!("min={pair}"))?;
    Ok(format!("\"{name}\":{{\"value\":{value}}}"))
}

fn capability(name: &str) -> Result<Capability> {
    let json = format!("{{\"type\":\"{name}\"}}");
    let capability: Capability = from_slice(json.as_bytes(), Names::V1)?;
    ensure!(capability.r#type.is_some(), "{name} is no capability");
    Ok(capability)
}

/// The name of an agent's capability.
pub fn word(capability: AgentCapability) -> String {
    format!("{capability:?}")
}

/// Resources that an agent lends out until they are needed.
pub fn revocable(text: &str) -> Result<Vec<Resource>> {
    let mut resources = Resources::parse(text, "*")?.to_proto();
    for resource in &mut resources {
        resource.revocable = MessageField::some(RevocableInfo::default());
    }
    Ok(resources)
}

/// `refuse=SECONDS`
pub fn filters(seconds: &str) -> Result<Filters> {
    Ok(Filters { refuse_seconds: Some(seconds.parse()?), ..Filters::default() })
}

fn texts(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Waits until a master has no framework, and no agent but lost ones.
pub async fn until_empty(master: SocketAddrV4) -> Result<()> {
    let master = master.to_string();
    let deadline = tokio::time::Instant::now() + EMPTY_WITHIN;
    loop {
        let (agents, frameworks) =
            (http::get_json(&master, "/master/slaves")?, http::get_json(&master, "/master/frameworks")?);
        let is_active = |agent: &serde_json::Value| agent["active"] == true;
        let agents = agents["slaves"].as_array().is_some_and(|agents| agents.iter().any(is_active));
        if !agents && frameworks["frameworks"].as_array().is_none_or(Vec::is_empty) {
            return Ok(());
        }
        ensure!(tokio::time::Instant::now() < deadline, "agents or frameworks stay after their scenario");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
