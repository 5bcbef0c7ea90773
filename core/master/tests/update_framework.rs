//! UPDATE_FRAMEWORK: what it changes, whom it reaches, what it refuses; and SUBSCRIBE with another description.

mod harness;

use harness::*;
use std::time::Duration;
use tepui_base::FrameworkId;
use tepui_proto::mesos::framework_info::capability::Type as Capability;
use tepui_proto::mesos::internal::{FrameworkErrorMessage, FrameworkRegisteredMessage, UpdateFrameworkMessage};
use tepui_proto::mesos::scheduler::{Call, call, event};
use tepui_proto::mesos::{FrameworkInfo, offer};
use tepui_proto::{ContentType, MessageField};
use tepui_wire::NetInput;

const AGENT: &str = "cpus:4;mem:4096;disk:4096";

fn multi_role(roles: &[&str]) -> FrameworkInfo {
    let roles = roles.iter().map(|role| (*role).to_owned()).collect();
    FrameworkInfo { roles, failover_timeout: Some(60.0), ..framework("f", &[Capability::MULTI_ROLE]) }
}

fn update(info: FrameworkInfo, suppressed: &[&str]) -> Call {
    let update = call::UpdateFramework {
        framework_info: MessageField::some(info),
        suppressed_roles: suppressed.iter().map(|role| (*role).to_owned()).collect(),
        ..Default::default()
    };
    let update_framework = MessageField::some(update);
    Call { r#type: Some(call::Type::UPDATE_FRAMEWORK), update_framework, ..Default::default() }
}

/// A world with an agent and a framework of these roles that has offers.
fn subscribed(roles: &[&str]) -> (World, Scheduler, FrameworkInfo) {
    let mut world = World::new();
    world.register_agent(1, AGENT);
    let scheduler = world.subscribe(multi_role(roles), ContentType::Protobuf);
    world.advance(Duration::from_secs(1));
    let info = FrameworkInfo { id: field_id(&scheduler.id), ..multi_role(roles) };
    (world, scheduler, info)
}

#[test]
fn the_description_changes_and_agents_hear_of_it() {
    let (mut world, scheduler, info) = subscribed(&["a"]);
    let new = FrameworkInfo { name: "g".to_owned(), webui_url: Some("http://g".to_owned()), ..info };
    let response = world.call(&scheduler, update(new.clone(), &[]));
    assert_eq!((response.status, text(&response).as_str()), (200, ""));
    let known = &world.master.snapshot().frameworks[&FrameworkId::from(scheduler.id.as_str())];
    assert_eq!(*known.info, new);
    let told = world.received::<UpdateFrameworkMessage>(&agent_pid(1));
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].framework_info.name.as_str(), told[0].pid.as_deref()), ("g", Some("@0.0.0.0:0")));
    assert!(world.events(&scheduler, event::Type::ERROR).is_empty());
    world.call(&scheduler, update(new, &["a"]));
    assert!(world.received::<UpdateFrameworkMessage>(&agent_pid(1)).is_empty(), "the description is the same");
}

#[test]
fn offers_of_roles_that_were_left_are_rescinded_and_made_for_the_others() {
    let (mut world, scheduler, info) = subscribed(&["a"]);
    let offer = world.offers(&scheduler).remove(0);
    assert_eq!(offer.allocation_info.role.as_deref(), Some("a"));
    let new = FrameworkInfo { roles: vec!["b".to_owned()], ..info };
    assert_eq!(world.call(&scheduler, update(new, &[])).status, 200);
    let rescinded = world.events(&scheduler, event::Type::RESCIND);
    assert_eq!(rescinded[0].rescind.offer_id.value, offer.id.value);
    world.advance(Duration::from_secs(1));
    let standing: Vec<_> = world.master.snapshot().offers.values().map(|offer| offer.role.to_string()).collect();
    assert_eq!(standing, ["b"]);
    world.audit();
}

#[test]
fn an_offer_of_a_role_that_stays_stands() {
    let (mut world, scheduler, info) = subscribed(&["a"]);
    let offer = world.offers(&scheduler).remove(0);
    let new = FrameworkInfo { roles: vec!["b".to_owned(), "a".to_owned()], ..info };
    assert_eq!(world.call(&scheduler, update(new, &[])).status, 200);
    assert!(world.events(&scheduler, event::Type::RESCIND).is_empty());
    let agent = offer.agent_id.value.clone();
    world.launch(&scheduler, &[&offer], vec![task("t", &agent, "cpus:1;mem:32")]);
    assert_eq!(world.launched(1).len(), 1);
    world.audit();
}

#[test]
fn roles_can_be_suppressed_and_revived_by_an_update() {
    let (mut world, scheduler, info) = subscribed(&["a"]);
    let offer = world.offers(&scheduler).remove(0);
    assert_eq!(world.call(&scheduler, update(info.clone(), &["a"])).status, 200);
    world.call(&scheduler, accept(&[&offer], Vec::<offer::Operation>::new()));
    world.advance(Duration::from_secs(5));
    assert!(world.offers(&scheduler).is_empty());
    let known = &world.master.snapshot().frameworks[&FrameworkId::from(scheduler.id.as_str())];
    assert!(known.suppressed.contains("a"));
    assert_eq!(world.call(&scheduler, update(info, &[])).status, 200);
    world.advance(Duration::from_secs(1));
    assert_eq!(world.offers(&scheduler).len(), 1);
}

#[test]
fn a_framework_can_gain_and_lose_capabilities() {
    let (mut world, scheduler, info) = subscribed(&["a"]);
    let gpu = tepui_proto::mesos::framework_info::Capability {
        r#type: Some(Capability::PARTITION_AWARE),
        ..Default::default()
    };
    let mut new = info.clone();
    new.capabilities.push(gpu);
    assert_eq!(world.call(&scheduler, update(new, &[])).status, 200);
    let id = FrameworkId::from(scheduler.id.as_str());
    assert!(world.master.snapshot().frameworks[&id].has(Capability::PARTITION_AWARE));
    assert_eq!(world.call(&scheduler, update(info, &[])).status, 200);
    assert!(!world.master.snapshot().frameworks[&id].has(Capability::PARTITION_AWARE));
}

#[test]
fn wrong_updates_are_answered_and_change_nothing() {
    let (mut world, scheduler, info) = subscribed(&["a"]);
    let with = |change: fn(&mut FrameworkInfo)| {
        let mut new = info.clone();
        change(&mut new);
        new
    };
    let cases: [(FrameworkInfo, &[&str], &str); 7] = [
        (
            with(|info| info.role = Some("r".to_owned())),
            &[],
            "Supplied FrameworkInfo is not valid: 'FrameworkInfo.role' must not be set when the framework is MULTI_ROLE \
             capable",
        ),
        (
            with(|info| info.failover_timeout = Some(1e20)),
            &[],
            "Supplied FrameworkInfo is not valid: The framework failover_timeout (1e+20) is invalid",
        ),
        (
            info.clone(),
            &["b"],
            "Supplied FrameworkInfo is not valid: Suppressed role 'b' is not contained in the list of roles",
        ),
        (
            with(|info| info.principal = Some("p".to_owned())),
            &[],
            "FrameworkInfo update is not valid: Changing framework's principal is not allowed.",
        ),
        (
            with(|info| info.user = "other".to_owned()),
            &[],
            "FrameworkInfo update is not valid: Updating 'FrameworkInfo.user' is unsupported; attempted to update from \
             'user' to 'other'",
        ),
        (
            with(|info| info.checkpoint = Some(true)),
            &[],
            "FrameworkInfo update is not valid: Updating 'FrameworkInfo.checkpoint' is unsupported; attempted to update \
             from 'false' to 'true'",
        ),
        (
            with(|info| info.id = field_id("x")),
            &[],
            "Failed to validate scheduler::Call: 'framework_id' differs from 'update_framework.framework_info.id'",
        ),
    ];
    for (new, suppressed, expected) in cases {
        let response = world.call(&scheduler, update(new, suppressed));
        assert_eq!((response.status, text(&response).as_str()), (400, expected));
    }
    let known = &world.master.snapshot().frameworks[&FrameworkId::from(scheduler.id.as_str())];
    assert_eq!(*known.info, info);
    assert!(world.received::<UpdateFrameworkMessage>(&agent_pid(1)).is_empty());
    assert!(!world.closed.contains(&scheduler.stream));
}

/// A driver that is registered, and its id.
fn driver(world: &mut World) -> FrameworkInfo {
    let info = MessageField::some(multi_role(&["a"]));
    let subscribe = call::Subscribe { framework_info: info, ..Default::default() };
    let subscribe = MessageField::some(subscribe);
    world.send(&scheduler_pid(1), &Call { r#type: Some(call::Type::SUBSCRIBE), subscribe, ..Default::default() });
    let id = world.received::<FrameworkRegisteredMessage>(&scheduler_pid(1)).remove(0).framework_id;
    FrameworkInfo { id, ..multi_role(&["a"]) }
}

#[test]
fn a_driver_hears_of_wrong_updates_only() {
    let mut world = World::new();
    world.register_agent(1, AGENT);
    let info = driver(&mut world);
    let of = |info: &FrameworkInfo| Call { framework_id: info.id.clone(), ..update(info.clone(), &[]) };
    world.send(&scheduler_pid(1), &of(&FrameworkInfo { name: "g".to_owned(), ..info.clone() }));
    let told = world.received::<UpdateFrameworkMessage>(&agent_pid(1)).remove(0);
    assert_eq!((told.framework_info.name.as_str(), told.pid), ("g", Some(scheduler_pid(1).to_string())));
    assert!(world.received::<FrameworkErrorMessage>(&scheduler_pid(1)).is_empty());
    world.send(&scheduler_pid(1), &of(&FrameworkInfo { user: "other".to_owned(), ..info }));
    let error = world.received::<FrameworkErrorMessage>(&scheduler_pid(1)).remove(0);
    assert_eq!(
        error.message,
        "FrameworkInfo update is not valid: Updating 'FrameworkInfo.user' is unsupported; attempted to update from \
         'user' to 'other'"
    );
    assert!(world.master.snapshot().frameworks.values().all(|framework| framework.is_connected()));
}

#[test]
fn a_subscription_brings_a_new_description_and_keeps_what_cannot_change() {
    let (mut world, first, info) = subscribed(&["a"]);
    world.input(NetInput::StreamClosed(first.stream));
    let new = FrameworkInfo {
        name: "g".to_owned(),
        user: "other".to_owned(),
        checkpoint: Some(true),
        roles: vec!["b".to_owned()],
        ..info
    };
    let second = world.subscribe(new, ContentType::Protobuf);
    assert_eq!(second.id, first.id);
    let known = world.master.snapshot().frameworks[&FrameworkId::from(second.id.as_str())].clone();
    assert_eq!((known.info.name.as_str(), known.info.user.as_str()), ("g", "user"));
    assert!(!known.info.checkpoint.unwrap_or(false));
    let told = world.received::<UpdateFrameworkMessage>(&agent_pid(1)).remove(0);
    assert_eq!(told.framework_info.name, "g");
    world.advance(Duration::from_secs(1));
    assert_eq!(world.offers(&second)[0].allocation_info.role.as_deref(), Some("b"));
    world.audit();
}

/// Constraints of role `a` on an attribute, as JSON.
fn constraints(predicate: &str) -> String {
    format!(
        r#"{{"role_constraints":{{"a":{{"groups":[{{"attribute_constraints":[
            {{"selector":{{"attribute_name":"rack"}},"predicate":{predicate}}}]}}]}}}}}}"#
    )
}

/// A world with an agent in rack `r1`.
fn racked() -> World {
    let mut world = World::new();
    let mut message = register_message(1, AGENT);
    let text = tepui_proto::mesos::value::Text { value: "r1".to_owned(), ..Default::default() };
    message.agent.as_option_mut().unwrap().attributes = vec![tepui_proto::mesos::Attribute {
        name: "rack".to_owned(),
        r#type: tepui_proto::mesos::value::Type::TEXT,
        text: MessageField::some(text),
        ..Default::default()
    }];
    world.send(&agent_pid(1), &message);
    world
}

fn from_json(constraints: &str) -> MessageField<tepui_proto::mesos::scheduler::OfferConstraints> {
    let names = tepui_proto::json::Names::V1;
    MessageField::some(tepui_proto::json::from_slice(constraints.as_bytes(), names).unwrap())
}

#[test]
fn constraints_choose_the_agents_of_offers_and_can_change() {
    let mut world = racked();
    let subscribe = call::Subscribe {
        framework_info: MessageField::some(multi_role(&["a"])),
        offer_constraints: from_json(&constraints(r#"{"text_equals":{"value":"r2"}}"#)),
        ..Default::default()
    };
    world.send(
        &scheduler_pid(1),
        &Call { r#type: Some(call::Type::SUBSCRIBE), subscribe: MessageField::some(subscribe), ..Default::default() },
    );
    let id = world.received::<FrameworkRegisteredMessage>(&scheduler_pid(1)).remove(0).framework_id;
    world.advance(Duration::from_secs(5));
    assert!(world.master.snapshot().offers.is_empty(), "the agent is in another rack");
    let shown = world.json("/state")["frameworks"][0]["offer_constraints"].clone();
    let group = &shown["role_constraints"]["a"]["groups"][0]["attribute_constraints"][0];
    assert_eq!(group["predicate"]["text_equals"]["value"], "r2");
    let agent = world.agent_id_of(1);
    let shown = world.json("/allocator/offer_constraints_debug");
    let expected = serde_json::json!({"suppressed_roles": [], "excluded_by_attribute_constraints": {"a": [agent]}});
    assert_eq!(shown["frameworks"][id.value.as_str()], expected);
    let mut call = update(FrameworkInfo { id: id.clone(), ..multi_role(&["a"]) }, &[]);
    call.framework_id = id;
    let constraints = from_json(&constraints(r#"{"text_matches":{"regex":"r[12]"}}"#));
    call.update_framework.as_option_mut().unwrap().offer_constraints = constraints;
    world.send(&scheduler_pid(1), &call);
    world.advance(Duration::from_secs(1));
    assert_eq!(world.master.snapshot().offers.len(), 1);
    let text = text(&world.get("/allocator/offer_constraints_debug"));
    assert!(text.ends_with(r#":{"suppressed_roles":[],"excluded_by_attribute_constraints":{"a":[]}}}}"#), "{text}");
}

#[test]
fn constraints_that_make_no_sense_are_refused() {
    let mut world = racked();
    let body = format!(
        r#"{{"type":"SUBSCRIBE","subscribe":{{"framework_info":{{"user":"u","name":"n"}},"offer_constraints":{}}}}}"#,
        constraints("{}")
    );
    let headers = [("content-type", "application/json")];
    let (id, _) = world.http(request("POST", "/api/v1/scheduler", "", &headers, body.as_bytes()));
    let text_ = "A role a has an invalid 'AttributeConstraint': Unknown predicate type";
    assert_eq!(world.streams[&id][0].error.message, text_);
    assert!(world.closed.contains(&id));
    let scheduler = world.subscribe(multi_role(&["a"]), ContentType::Json);
    let info = FrameworkInfo { id: field_id(&scheduler.id), ..multi_role(&["a"]) };
    let mut call = update(info, &[]);
    call.update_framework.as_option_mut().unwrap().offer_constraints = from_json(&constraints("{}"));
    let response = world.call(&scheduler, call);
    let expected = format!("'UpdateFramework.offer_constraints' are not valid: {text_}");
    assert_eq!((response.status, text(&response)), (400, expected));
}
