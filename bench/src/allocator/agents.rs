//! What agents of the recipes have, and what of it is in use.

use super::Shared;
use anyhow::{Context, Result};
use tepui_proto::json::{self, Names};
use tepui_proto::mesos;
use tepui_resources::Resources;

/// The last port of an agent.
const LAST_PORT: u32 = 32_000;
/// The ports in use are in so many pieces, where they are.
const PIECES: u32 = 16;
/// Labels that both reservations of an agent have, beside one that only one has.
const LABELS: usize = 11;

/// Agents of one kind.
#[derive(Clone, Copy)]
pub enum Agents {
    /// Unreserved, part of it in use.
    Plain,
    /// The same, idle.
    Idle,
    /// Reserved, with a persistent volume each.
    Volumes(Shared),
    /// Half of the cpus in two reservations whose labels differ in the last place only, and from agent to agent.
    Labels,
}

impl Agents {
    /// All that the agent of that number has, and what is in use there, for a framework in `role`.
    pub fn resources(self, number: usize, role: &str) -> Result<(Resources, Resources)> {
        let plain = "cpus:24;mem:4096;disk:4096;ports:[31000-32000]";
        match self {
            Agents::Plain => Ok((parse(plain)?, parse("cpus:16;mem:2014;disk:1024;ports:[31126-31510]")?)),
            Agents::Idle => Ok((parse(plain)?, Resources::new())),
            Agents::Volumes(shared) => volumes(number, role, shared),
            Agents::Labels => labels(number, role),
        }
    }
}

fn parse(text: &str) -> Result<Resources> {
    Resources::parse(text, "*").with_context(|| text.to_owned())
}

/// `31000-31031,31062-31093,...`: every second piece of the ports.
fn pieces() -> String {
    let length = (LAST_PORT - 31_000) / (2 * PIECES);
    let piece = |number| 31_000 + number * 2 * length;
    (0..PIECES).map(|number| format!("{}-{}", piece(number), piece(number) + length)).collect::<Vec<_>>().join(",")
}

fn volumes(number: usize, role: &str, shared: Shared) -> Result<(Resources, Resources)> {
    let is_shared = match shared {
        Shared::Regular => false,
        Shared::Shared => true,
        Shared::Mixed => number.is_multiple_of(2),
    };
    let volume = format!(
        r#"{{"name": "disk", "type": "SCALAR", "scalar": {{"value": 1024}},
            "reservations": [{{"type": "STATIC", "role": "{role}"}}],
            "disk": {{"persistence": {{"id": "id{number}"}}, "volume": {{"container_path": "path{number}", "mode": "RW"}}}}
            {}}}"#,
        if is_shared { r#", "shared": {}"# } else { "" }
    );
    let total = format!("cpus({role}):24;mem({role}):4096;disk({role}):3072;ports({role}):[31000-{LAST_PORT}]");
    let used = format!("cpus({role}):16;mem({role}):1024;disk({role}):1024;ports({role}):[{}]", pieces());
    Ok((&parse(&total)? + &message(&volume)?, parse(&used)?))
}

fn labels(number: usize, role: &str) -> Result<(Resources, Resources)> {
    let reserved = |key: &str| {
        let common = r#"{"key": "key", "value": "value"}, "#.repeat(LABELS);
        message(&format!(
            r#"{{"name": "cpus", "type": "SCALAR", "scalar": {{"value": 8}}, "reservations": [{{"type": "DYNAMIC",
                "role": "{role}", "principal": "principal", "labels": {{"labels": [{common}
                {{"key": "{key}", "value": "value_{number}"}}]}}}}]}}"#
        ))
    };
    let reserved = &reserved("unique_key_1")? + &reserved("unique_key_2")?;
    let total = &parse(&format!("cpus:8;mem:4096;disk:4096;ports:[31000-{LAST_PORT}]"))? + &reserved;
    Ok((total, &parse(&format!("mem:2014;disk:1024;ports:[{}]", pieces()))? + &reserved))
}

fn message(text: &str) -> Result<Resources> {
    let message: mesos::Resource = json::from_slice(text.as_bytes(), Names::V1).with_context(|| text.to_owned())?;
    Ok(Resources::from_proto(&[message]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_has_what_is_in_use_on_it() {
        let kinds = [Shared::Regular, Shared::Shared, Shared::Mixed].map(Agents::Volumes);
        for kind in kinds.into_iter().chain([Agents::Plain, Agents::Idle, Agents::Labels]) {
            let (total, used) = kind.resources(1, "role-0").unwrap();
            assert!(total.contains(&used), "{total} and {used}");
        }
        let volume = |shared, number| {
            let (total, _) = Agents::Volumes(shared).resources(number, "role-0").unwrap();
            total.iter().find(|resource| resource.is_persistent_volume()).unwrap().is_shared()
        };
        assert_eq!([0, 1].map(|number| volume(Shared::Mixed, number)), [true, false]);
        assert!(volume(Shared::Shared, 1) && !volume(Shared::Regular, 0));
        let (one, _) = Agents::Labels.resources(1, "role-0").unwrap();
        assert_eq!(one.iter().filter(|resource| resource.is_dynamically_reserved()).count(), 2, "never added up");
    }
}
