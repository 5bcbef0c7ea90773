//! Every operation on a registry, and what of it is stored.

use std::sync::Arc;
use tepui_base::AgentId;
use tepui_proto::mesos::internal::Registry;
use tepui_proto::mesos::master_info::{Capability, capability};
use tepui_proto::mesos::quota::QuotaConfig;
use tepui_proto::mesos::resource::{ReservationInfo, reservation_info};
use tepui_proto::mesos::value::Scalar;
use tepui_proto::mesos::{AgentID, AgentInfo, DrainState, DurationInfo, MasterInfo, Resource, WeightInfo, value};
use tepui_proto::{Message, MessageField, codec};
use tepui_registry::{Error, Operation, State};

fn agent(id: &str) -> Arc<AgentInfo> {
    described(id, "host")
}

fn described(id: &str, hostname: &str) -> Arc<AgentInfo> {
    let id = MessageField::some(AgentID { value: id.to_owned(), ..Default::default() });
    Arc::new(AgentInfo { hostname: hostname.to_owned(), id, ..Default::default() })
}

fn id(id: &str) -> AgentId {
    AgentId::from(id)
}

/// The lists as text: admitted, unreachable, gone; an agent that drains, has drained or is deactivated with a letter.
fn lists(state: &State) -> String {
    let mark = |standing: &tepui_registry::Standing| {
        let drain = match standing.drain_info.as_ref().map(|info| info.state) {
            None => "",
            Some(DrainState::DRAINING) => "+draining",
            Some(DrainState::DRAINED) => "+drained",
            Some(DrainState::UNKNOWN) => "+unknown",
        };
        format!("{drain}{}", if standing.deactivated { "-" } else { "" })
    };
    let admitted = state.admitted.iter().map(|(id, one)| format!("{id}{}", mark(&one.standing)));
    let unreachable = state.unreachable.iter().map(|(id, one)| format!("{id}@{}{}", one.since, mark(&one.standing)));
    let gone = state.gone.iter().map(|(id, one)| format!("{id}@{}", one.since));
    let join = |texts: Vec<String>| texts.join(" ");
    format!("{} | {} | {}", join(admitted.collect()), join(unreachable.collect()), join(gone.collect()))
}

/// Applies an operation, and checks that what is stored reads back as what is in memory.
fn apply(state: &mut State, operation: &Operation) -> Result<bool, Error> {
    let before = state.clone();
    let result = operation.perform(state);
    if result.is_err() {
        assert_eq!(*state, before, "a refused operation changes nothing");
    }
    let bytes = state.to_bytes();
    let read = State::from_bytes(&bytes).unwrap();
    assert_eq!((&read, read.to_bytes()), (&*state, bytes.clone()));
    assert_eq!(codec::encode(&codec::decode::<Registry>(&bytes).unwrap()).len(), bytes.len(), "each field once");
    result
}

fn check(state: &mut State, steps: &[(Operation, Result<bool, Error>, &str)]) {
    for (operation, result, expected) in steps {
        assert_eq!(apply(state, operation), *result, "{operation:?}");
        assert_eq!(lists(state), *expected, "{operation:?}");
    }
}

#[test]
fn an_agent_is_in_one_list_only() {
    let mut state = State::default();
    let prune = |unreachable: &[&str], gone: &[&str]| Operation::Prune {
        unreachable: unreachable.iter().map(|one| id(one)).collect(),
        gone: gone.iter().map(|one| id(one)).collect(),
    };
    let steps = [
        (Operation::AdmitAgent(agent("c")), Ok(true), "c |  | "),
        (Operation::AdmitAgent(agent("c")), Err(Error::AlreadyAdmitted), "c |  | "),
        (Operation::AdmitAgent(agent("a")), Ok(true), "c a |  | "),
        (Operation::MarkAgentReachable(agent("b")), Ok(true), "c a b |  | "),
        (Operation::MarkAgentReachable(agent("b")), Ok(false), "c a b |  | "),
        (Operation::MarkAgentUnreachable(agent("c"), 7), Ok(true), "a b | c@7 | "),
        (Operation::MarkAgentUnreachable(agent("c"), 8), Err(Error::NotAdmitted), "a b | c@7 | "),
        (Operation::MarkAgentUnreachable(agent("a"), 9), Ok(true), "b | c@7 a@9 | "),
        (Operation::MarkAgentReachable(agent("c")), Ok(true), "b c | a@9 | "),
        (Operation::MarkAgentGone(id("a"), 10), Ok(true), "b c |  | a@10"),
        (Operation::MarkAgentGone(id("a"), 11), Err(Error::AlreadyGone(id("a"))), "b c |  | a@10"),
        (Operation::MarkAgentGone(id("x"), 11), Err(Error::Unknown(id("x"))), "b c |  | a@10"),
        (Operation::MarkAgentGone(id("c"), 12), Ok(true), "b |  | a@10 c@12"),
        (Operation::RemoveAgent(agent("b")), Ok(true), " |  | a@10 c@12"),
        (Operation::RemoveAgent(agent("b")), Err(Error::NotAdmitted), " |  | a@10 c@12"),
        (prune(&["a"], &["b"]), Ok(false), " |  | a@10 c@12"),
        (prune(&[], &["a", "x"]), Ok(true), " |  | c@12"),
    ];
    check(&mut state, &steps);
}

/// 1.11 forgets neighbours of what it prunes.
#[test]
fn only_what_is_named_is_pruned() {
    let mut state = State::default();
    for (at, name) in ["a", "b", "c", "d", "e"].into_iter().enumerate() {
        Operation::AdmitAgent(agent(name)).perform(&mut state).unwrap();
        Operation::MarkAgentUnreachable(agent(name), at as i64).perform(&mut state).unwrap();
    }
    let prune = Operation::Prune { unreachable: vec![id("b"), id("d")], gone: vec![] };
    check(&mut state, &[(prune, Ok(true), " | a@0 c@2 e@4 | ")]);
}

#[test]
fn an_update_says_whether_it_changed_anything() {
    let mut state = State::default();
    let steps = [
        (Operation::UpdateAgent(agent("a")), Err(Error::NotAdmitted), " |  | "),
        (Operation::AdmitAgent(agent("a")), Ok(true), "a |  | "),
        (Operation::UpdateAgent(agent("a")), Ok(false), "a |  | "),
        (Operation::DeactivateAgent(id("a")), Ok(true), "a- |  | "),
        (Operation::UpdateAgent(described("a", "other")), Ok(true), "a- |  | "),
    ];
    check(&mut state, &steps);
    assert_eq!(state.to_proto().agents.agents[0].info.hostname, "other");
}

fn required(state: &State) -> Vec<&str> {
    state.minimum_capabilities().collect()
}

fn drain(name: &str, grace: Option<i64>, mark_gone: bool) -> Operation {
    let max_grace_period = grace.map(|nanoseconds| DurationInfo { nanoseconds, ..Default::default() });
    Operation::DrainAgent { id: id(name), max_grace_period, mark_gone }
}

#[test]
fn draining_outlives_being_unreachable() {
    let mut state = State::default();
    let steps = [
        (drain("a", None, false), Ok(false), " |  | "),
        (Operation::AdmitAgent(agent("a")), Ok(true), "a |  | "),
        (Operation::AdmitAgent(agent("b")), Ok(true), "a b |  | "),
        (Operation::MarkAgentDrained(id("a")), Err(Error::NotDraining(id("a"))), "a b |  | "),
        (Operation::MarkAgentDrained(id("x")), Ok(false), "a b |  | "),
        (drain("a", Some(5), true), Ok(true), "a+draining- b |  | "),
        (Operation::MarkAgentUnreachable(agent("a"), 7), Ok(true), "b | a@7+draining- | "),
        (Operation::MarkAgentDrained(id("a")), Ok(true), "b | a@7+drained- | "),
        (Operation::MarkAgentReachable(agent("a")), Ok(true), "b a+drained- |  | "),
    ];
    check(&mut state, &steps);
    let config = state.to_proto().agents.agents[1].drain_info.config.clone();
    assert_eq!((config.max_grace_period.nanoseconds, config.mark_gone), (5, Some(true)));
    assert_eq!(required(&state), ["AGENT_DRAINING"]);
    let steps = [
        (Operation::MarkAgentUnreachable(agent("b"), 8), Ok(true), "a+drained- | b@8 | "),
        (Operation::DeactivateAgent(id("b")), Ok(true), "a+drained- | b@8- | "),
        (Operation::ReactivateAgent(id("a")), Ok(true), "a | b@8- | "),
    ];
    check(&mut state, &steps);
    assert_eq!(required(&state), ["AGENT_DRAINING"], "b is deactivated still");
    let steps = [
        (Operation::ReactivateAgent(id("x")), Ok(false), "a | b@8- | "),
        (Operation::ReactivateAgent(id("b")), Ok(true), "a | b@8 | "),
    ];
    check(&mut state, &steps);
    assert!(required(&state).is_empty());
}

fn quota(role: &str, guarantee: f64, limit: f64) -> QuotaConfig {
    let amounts = |value| [("cpus".to_owned(), Scalar { value, ..Default::default() })].into_iter().collect();
    let mut config = QuotaConfig { role: role.to_owned(), guarantees: amounts(guarantee), ..Default::default() };
    if limit >= 0.0 {
        config.limits = amounts(limit);
    }
    config
}

#[test]
fn quotas_are_set_and_taken_away() {
    use tepui_proto::mesos::{internal::registry, quota::QuotaInfo};
    let info = MessageField::some(QuotaInfo { role: Some("a".to_owned()), ..Default::default() });
    let old = registry::Quota { info, ..Default::default() };
    let mut state = State::from_proto(Registry { quotas: vec![old], ..Default::default() });
    let roles = |state: &State| state.quota_configs().iter().map(|config| config.role.clone()).collect::<Vec<_>>();
    assert_eq!(state.old_quotas().count(), 1);
    let update = |configs: &[QuotaConfig]| Operation::UpdateQuota(configs.to_vec());
    assert_eq!(apply(&mut state, &update(&[quota("b", 1.0, 2.0), quota("a", 1.0, -1.0)])), Ok(true));
    assert_eq!((roles(&state), state.old_quotas().count()), (vec!["b".to_owned(), "a".to_owned()], 0));
    assert_eq!(required(&state), ["QUOTA_V2"]);
    for (config, why) in [
        (quota("b", 3.0, 2.0), "is not contained within"),
        (quota("b", -1.0, 2.0), "Negative values not supported"),
        (quota("b", 1e13, -1.0), "values greater than 1 trillion (1000000000000) are not supported"),
        (quota("/", 1.0, 2.0), "Invalid 'QuotaConfig.role'"),
    ] {
        let error = apply(&mut state, &update(&[quota("c", 1.0, 2.0), config])).unwrap_err().to_string();
        assert!(error.starts_with("Invalid quota config '{") && error.contains(why), "{error}");
    }
    assert_eq!(apply(&mut state, &update(&[quota("a", 0.0, -1.0), quota("b", 0.0, -1.0)])), Ok(true));
    assert!(roles(&state).is_empty() && required(&state).is_empty());
}

#[test]
fn weights_are_changed_in_place() {
    let weight = |role: &str, weight| WeightInfo { weight, role: Some(role.to_owned()), ..Default::default() };
    let mut state = State::default();
    let mut update = |weights: &[WeightInfo]| apply(&mut state, &Operation::UpdateWeights(weights.to_vec()));
    assert_eq!(update(&[]), Ok(false));
    assert_eq!(update(&[weight("a", 2.0), weight("b", 3.0)]), Ok(true));
    assert_eq!(update(&[weight("a", 2.0)]), Ok(false));
    assert_eq!(update(&[weight("a", 4.0)]), Ok(true));
    let all: Vec<_> = state.weights().map(|info| (info.role.clone().unwrap(), info.weight)).collect();
    assert_eq!(all, [("a".to_owned(), 4.0), ("b".to_owned(), 3.0)]);
}

#[test]
fn a_master_must_be_able_to_do_what_the_registry_needs() {
    let mut state = State::default();
    let of = |types: &[capability::Type]| MasterInfo {
        capabilities: types.iter().map(|one| Capability { r#type: Some(*one), ..Default::default() }).collect(),
        ..Default::default()
    };
    assert_eq!(state.refusal(&of(&[])), None);
    apply(&mut state, &Operation::UpdateQuota(vec![quota("a", 1.0, 1.0)])).unwrap();
    apply(&mut state, &Operation::AdmitAgent(agent("a"))).unwrap();
    apply(&mut state, &Operation::DeactivateAgent(id("a"))).unwrap();
    let text = state.refusal(&of(&[capability::Type::AGENT_UPDATE])).unwrap();
    assert!(text.starts_with("Master is missing the following minimum capabilities: AGENT_DRAINING, QUOTA_V2. See "));
    let text = state.refusal(&of(&[capability::Type::QUOTA_V2])).unwrap();
    assert!(text.starts_with("Master is missing the following minimum capabilities: AGENT_DRAINING. See "));
    assert_eq!(state.refusal(&of(&[capability::Type::QUOTA_V2, capability::Type::AGENT_DRAINING])), None);
}

fn reserved(roles: &[&str]) -> Resource {
    let reservation = |role: &&str| ReservationInfo {
        r#type: Some(reservation_info::Type::STATIC),
        role: Some((*role).to_owned()),
        ..Default::default()
    };
    Resource {
        name: "cpus".to_owned(),
        r#type: value::Type::SCALAR,
        scalar: MessageField::some(Scalar { value: 1.0, ..Default::default() }),
        reservations: roles.iter().map(reservation).collect(),
        ..Default::default()
    }
}

#[test]
fn resources_are_stored_for_masters_of_old_as_far_as_they_can_read_them() {
    let resources = vec![reserved(&[]), reserved(&["a"]), reserved(&["a", "a/b"])];
    let info = Arc::new(AgentInfo { resources: resources.clone(), ..(*agent("a")).clone() });
    for operation in [Operation::AdmitAgent(info.clone()), Operation::MarkAgentReachable(info.clone())] {
        let mut state = State::default();
        apply(&mut state, &operation).unwrap();
        let stored = &state.to_proto().agents.agents[0].info.resources;
        let roles: Vec<_> = stored.iter().map(|one| (one.role.as_deref(), one.reservations.len())).collect();
        assert_eq!(roles, [(Some("*"), 0), (Some("a"), 0), (None, 2)]);
        let read = State::from_bytes(&state.to_bytes()).unwrap();
        assert_eq!(read.admitted.get(&id("a")).unwrap().info, info, "in memory they are in the new format");
    }
}

#[test]
fn what_is_not_known_here_stays() {
    // Field 1000 of the registry and of an agent, and a resource provider.
    let unknown = [0xC2, 0x3E, 1, b'x'];
    let mut stored = codec::encode(&tepui_proto::mesos::internal::registry::Agent {
        info: MessageField::some((*agent("a")).clone()),
        ..Default::default()
    })
    .to_vec();
    stored.extend_from_slice(&unknown);
    let mut list = vec![0x0A, stored.len() as u8];
    list.extend_from_slice(&stored);
    let mut bytes = vec![0x12, list.len() as u8];
    bytes.extend_from_slice(&list);
    bytes.extend_from_slice(&[0x4A, 0]);
    bytes.extend_from_slice(&unknown);
    let mut state = State::from_bytes(&bytes).unwrap();
    assert_eq!(state.to_bytes(), bytes);
    apply(&mut state, &drain("a", None, false)).unwrap();
    apply(&mut state, &Operation::UpdateAgent(described("a", "other"))).unwrap();
    apply(&mut state, &Operation::ReactivateAgent(id("a"))).unwrap();
    apply(&mut state, &Operation::UpdateAgent(agent("a"))).unwrap();
    assert_eq!(state.to_bytes(), bytes);
    assert!(Registry::decode_from_slice(&bytes).unwrap().resource_provider_registry.is_set());
}
