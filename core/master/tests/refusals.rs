//! What is refused: requests, subscriptions, offers and tasks, in the words of Mesos.

mod harness;

use harness::*;
use std::time::Duration;
use tepui_master::Config;
use tepui_proto::mesos::framework_info::capability::Type as Capability;
use tepui_proto::mesos::internal::{
    AuthenticateMessage, AuthenticationErrorMessage, FrameworkErrorMessage, FrameworkRegisteredMessage,
    RegisterFrameworkMessage, ReregisterFrameworkMessage,
};
use tepui_proto::mesos::scheduler::{Call, call, event};
use tepui_proto::mesos::task_status::Reason;
use tepui_proto::mesos::{
    ExecutorID, ExecutorInfo, FrameworkInfo, Offer, OperationID, TaskInfo, TaskState, offer, value,
};
use tepui_proto::{ContentType, MessageField};
use tepui_registry::Registrar;

const AGENT: &str = "cpus:4;mem:4096;disk:4096;ports:[31000-32000]";
const API: &str = "/master/api/v1/scheduler";
const JSON: (&str, &str) = ("content-type", "application/json");
const SUBSCRIBE: &str = r#"{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"u","name":"n"}}}"#;

/// Method, headers, body, and the status and text of the answer.
type Request = (&'static str, &'static [(&'static str, &'static str)], &'static str, u16, &'static str);

#[test]
fn requests_are_checked_in_the_order_of_mesos() {
    let mut world = World::new();
    let unknown = r#"{"type":"TEARDOWN","framework_id":{"value":"x"}}"#;
    let cases: [Request; 12] = [
        ("GET", &[], "", 405, "405 Method Not Allowed. Expecting one of { 'POST' }, but received 'GET'."),
        ("POST", &[], SUBSCRIBE, 400, "Expecting 'Content-Type' to be present"),
        (
            "POST",
            &[("content-type", "application/json; charset=utf-8")],
            SUBSCRIBE,
            415,
            "Expecting 'Content-Type' of application/json or application/x-protobuf",
        ),
        ("POST", &[JSON], "x", 400, "Failed to parse body into JSON: syntax error at line 1 near: x"),
        ("POST", &[JSON], "[]", 400, "Failed to convert JSON into Call protobuf: Expecting a JSON object"),
        (
            "POST",
            &[("content-type", "application/x-protobuf")],
            "\u{7f}",
            400,
            "Failed to parse body into Call protobuf",
        ),
        ("POST", &[JSON], "{}", 400, "Failed to validate scheduler::Call: Expecting 'type' to be present"),
        (
            "POST",
            &[JSON],
            r#"{"type":"NONSENSE"}"#,
            400,
            "Failed to validate scheduler::Call: Expecting 'type' to be present",
        ),
        (
            "POST",
            &[JSON, ("accept", "text/html")],
            SUBSCRIBE,
            406,
            "Expecting 'Accept' to allow 'application/x-protobuf' or 'application/json'",
        ),
        (
            "POST",
            &[JSON, ("mesos-stream-id", "x")],
            SUBSCRIBE,
            400,
            "Subscribe calls should not include the 'Mesos-Stream-Id' header",
        ),
        ("POST", &[JSON], unknown, 400, "Framework cannot be found"),
        ("POST", &[JSON, ("accept", "text/html")], unknown, 400, "Framework cannot be found"),
    ];
    for (method, headers, body, status, expected) in cases {
        let (_, response) = world.http(request(method, API, "", headers, body.as_bytes()));
        assert_eq!((response.status, text(&response).as_str()), (status, expected));
        let kind = &response.headers[0];
        assert_eq!((kind.0, kind.1.as_str()), ("Content-Type", "text/plain; charset=utf-8"));
    }
}

#[test]
fn a_call_comes_from_the_stream_of_its_framework() {
    let mut world = World::new();
    let scheduler = world.subscribe(framework("f", &[]), ContentType::Json);
    let body = format!(r#"{{"type":"REVIVE","framework_id":{{"value":"{}"}}}}"#, scheduler.id);
    let mut ask = |stream: Option<&str>| {
        let stream = stream.map(|id| ("mesos-stream-id", id));
        let headers: Vec<_> = [JSON].into_iter().chain(stream).collect();
        let (_, response) = world.http(request("POST", API, "", &headers, body.as_bytes()));
        (response.status, text(&response))
    };
    assert_eq!(ask(None), (400, "All non-subscribe calls should include the 'Mesos-Stream-Id' header".to_owned()));
    assert_eq!(
        ask(Some("x")),
        (
            400,
            format!(
                "The stream ID 'x' included in this request didn't match the stream ID currently associated with \
                 framework ID {}",
                scheduler.id
            )
        )
    );
    assert_eq!(ask(Some(&scheduler.stream_id)), (202, String::new()));
    world.input(tepui_wire::NetInput::StreamClosed(scheduler.stream));
    let (_, response) = world.http(request("POST", API, "", &[JSON], body.as_bytes()));
    // It had no failover timeout, so it is over as soon as its stream is.
    assert_eq!((response.status, text(&response).as_str()), (400, "Framework cannot be found"));
}

#[test]
fn a_disconnected_framework_is_not_subscribed() {
    let mut world = World::new();
    let info = FrameworkInfo { failover_timeout: Some(60.0), ..framework("f", &[]) };
    let scheduler = world.subscribe(info, ContentType::Json);
    world.input(tepui_wire::NetInput::StreamClosed(scheduler.stream));
    let revive = Call { r#type: Some(call::Type::REVIVE), ..Default::default() };
    let response = world.call(&scheduler, revive.clone());
    assert_eq!((response.status, text(&response).as_str()), (403, "Framework is not subscribed"));
    world.advance(Duration::from_secs(59));
    assert_eq!(world.master.snapshot().frameworks.len(), 1);
    world.advance(Duration::from_secs(1));
    assert_eq!(world.master.snapshot().frameworks.len(), 0);
    let again = FrameworkInfo { id: field_id(&scheduler.id), ..framework("f", &[]) };
    assert_eq!(refused(&mut world, again), "Framework has been removed");
}

#[test]
fn a_driver_that_is_disconnected_is_told_so() {
    let mut world = World::new();
    let framework = FrameworkInfo { failover_timeout: Some(60.0), ..framework("f", &[]) };
    let register = RegisterFrameworkMessage { framework: MessageField::some(framework), ..Default::default() };
    world.send(&scheduler_pid(1), &register);
    let id = world.received::<FrameworkRegisteredMessage>(&scheduler_pid(1)).remove(0).framework_id;
    world.input(tepui_wire::NetInput::Exited(scheduler_pid(1)));
    world.received::<FrameworkErrorMessage>(&scheduler_pid(1));
    let revive = Call { r#type: Some(call::Type::REVIVE), framework_id: id, ..Default::default() };
    world.send(&scheduler_pid(1), &revive);
    let told = world.received::<FrameworkErrorMessage>(&scheduler_pid(1));
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].message, "Framework disconnected");
}

#[test]
fn a_negative_failover_timeout_is_never_over() {
    let mut world = World::new();
    for (secs, left) in [(-1.0, 1), (-0.5, 2), (-1e-10, 2), (0.0, 2)] {
        let info = FrameworkInfo { failover_timeout: Some(secs), ..framework("f", &[]) };
        let scheduler = world.subscribe(info, ContentType::Json);
        world.input(tepui_wire::NetInput::StreamClosed(scheduler.stream));
        world.advance(Duration::from_secs(20_000));
        assert_eq!(world.master.snapshot().frameworks.len(), left, "after one of {secs} seconds");
    }
}

#[test]
fn a_driver_has_no_authenticator_and_no_stream() {
    let mut world = World::new();
    let driver = scheduler_pid(1);
    world.send(&driver, &AuthenticateMessage { pid: driver.to_string(), ..Default::default() });
    let error = world.received::<AuthenticationErrorMessage>(&driver).remove(0).error;
    assert_eq!(error.as_deref(), Some("No authenticator loaded"));
    let framework = MessageField::some(framework("f", &[]));
    world.send(&driver, &RegisterFrameworkMessage { framework, ..Default::default() });
    let id = world.received::<FrameworkRegisteredMessage>(&driver).remove(0).framework_id;
    let body = format!(r#"{{"type":"REVIVE","framework_id":{{"value":"{}"}}}}"#, id.value);
    let (_, response) = world.http(request("POST", API, "", &[JSON], body.as_bytes()));
    assert_eq!((response.status, text(&response).as_str()), (403, "Framework is not connected via HTTP"));
}

#[test]
fn a_call_without_meaning_is_not_implemented() {
    let mut world = World::new();
    let scheduler = world.subscribe(framework("f", &[]), ContentType::Json);
    let response = world.call(&scheduler, Call { r#type: Some(call::Type::UNKNOWN), ..Default::default() });
    assert_eq!((response.status, text(&response).as_str()), (501, "501 Not Implemented."));
}

/// Subscribes and gives the text of the error event that comes back in the stream, which then ends.
fn refused(world: &mut World, info: FrameworkInfo) -> String {
    let scheduler = world.subscribe(info, ContentType::Json);
    assert!(world.closed.contains(&scheduler.stream), "the stream ends");
    world.events(&scheduler, event::Type::ERROR).remove(0).error.message.clone()
}

#[test]
fn subscriptions_are_refused_in_the_stream() {
    let mut config = Config::new(master_pid(), "master.local");
    config.roles = Some(["a".to_owned()].into());
    config.root_submissions = false;
    let mut world = World::with(config, Registrar::default());
    let multi_role = |roles: &[&str]| FrameworkInfo {
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        ..framework("f", &[Capability::MULTI_ROLE])
    };
    assert_eq!(refused(&mut world, multi_role(&["a", "b"])), "Roles { b } are not present in the master's --roles");
    assert_eq!(
        refused(&mut world, FrameworkInfo { user: "root".to_owned(), ..framework("f", &[]) }),
        "User 'root' is not allowed to run frameworks without --root_submissions set"
    );
    assert_eq!(
        refused(&mut world, FrameworkInfo { failover_timeout: Some(1e20), ..framework("f", &[]) }),
        "The framework failover_timeout (1e+20) is invalid"
    );
    let suppress =
        r#"{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"u","name":"n"},"suppressed_roles":["r"]}}"#;
    let (id, _) = world.http(request("POST", API, "", &[JSON], suppress.as_bytes()));
    assert_eq!(world.streams[&id][0].error.message, "Suppressed role 'r' is not contained in the list of roles");
    let scheduler = world.subscribe(framework("f", &[]), ContentType::Json);
    let info = FrameworkInfo { id: field_id(&scheduler.id), principal: Some("p".to_owned()), ..framework("f", &[]) };
    assert_eq!(refused(&mut world, info), "Changing framework's principal is not allowed.");
}

#[test]
fn a_driver_takes_over_only_by_force() {
    let mut world = World::new();
    let driver = scheduler_pid(1);
    let info = MessageField::some(FrameworkInfo { failover_timeout: Some(60.0), ..framework("f", &[]) });
    let register = RegisterFrameworkMessage { framework: info.clone(), ..Default::default() };
    world.send(&driver, &register);
    let id = world.received::<FrameworkRegisteredMessage>(&driver)[0].framework_id.clone();
    world.send(&driver, &register);
    let again = world.received::<FrameworkRegisteredMessage>(&driver);
    assert_eq!(again[0].framework_id, id, "a driver that asks twice is one framework");
    let mut info = info;
    info.as_option_mut().unwrap().id = id;
    let with_id = RegisterFrameworkMessage { framework: info.clone(), ..Default::default() };
    world.send(&scheduler_pid(3), &with_id);
    let error = |world: &mut World, pid| world.received::<FrameworkErrorMessage>(&pid)[0].message.clone();
    assert_eq!(error(&mut world, scheduler_pid(3)), "Registering with 'id' already set");
    let mut reregister = ReregisterFrameworkMessage { framework: info, failover: false, ..Default::default() };
    world.send(&scheduler_pid(2), &reregister);
    assert_eq!(error(&mut world, scheduler_pid(2)), "Framework failed over");
    reregister.failover = true;
    world.send(&scheduler_pid(2), &reregister);
    assert_eq!(error(&mut world, driver), "Framework failed over");
    assert_eq!(world.received::<FrameworkRegisteredMessage>(&scheduler_pid(2)).len(), 1);
    reregister.framework = MessageField::some(framework("f", &[]));
    world.send(&scheduler_pid(4), &reregister);
    assert_eq!(error(&mut world, scheduler_pid(4)), "Re-registering without an 'id'");
}

#[test]
fn offers_are_accepted_together_or_not_at_all() {
    let mut world = World::new();
    let (one, two) = (world.register_agent(1, AGENT), world.register_agent(2, AGENT));
    let aware = world.subscribe(framework("aware", &[Capability::PARTITION_AWARE]), ContentType::Json);
    world.advance(Duration::from_secs(1));
    let offers = world.offers(&aware);
    let ids: Vec<&str> = offers.iter().map(|offer| offer.id.value.as_str()).collect();
    assert_eq!(ids.len(), 2);
    let prefix = "Task launched with invalid offers: ";
    let cases = [
        (vec![], "No offers specified".to_owned()),
        (vec!["O"], "Offer O is no longer valid".to_owned()),
        (vec![ids[0], ids[0]], format!("Duplicate offer {} in offer list", ids[0])),
    ];
    for (ids, expected) in cases {
        let call = accept_ids(&ids, vec![launch_operation(vec![task("t", &one, "cpus:1;mem:32")])]);
        assert_eq!(world.call(&aware, call).status, 202);
        let update = world.updates(&aware).remove(0);
        assert_eq!((update.state, update.uuid), (TaskState::TASK_DROPPED, None));
        assert_eq!(update.reason, Some(Reason::REASON_INVALID_OFFERS));
        assert_eq!(update.message, Some(format!("{prefix}{expected}")));
    }
    world.advance(Duration::from_secs(1));
    let offers = world.offers(&aware);
    assert_eq!(offers.len(), 1, "the offer named twice was given back and made again");
    let all: Vec<String> = world.master.snapshot().offers.keys().map(ToString::to_string).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let plain = world.subscribe(framework("plain", &[]), ContentType::Json);
    world.call(&plain, accept_ids(&all[..1], vec![launch_operation(vec![task("t", &two, "cpus:1;mem:32")])]));
    let update = world.updates(&plain).remove(0);
    assert_eq!(update.state, TaskState::TASK_LOST, "it does not know TASK_DROPPED");
    let expected =
        format!("{prefix}Offer {} has invalid framework {} while framework {} is expected", all[0], aware.id, plain.id);
    assert_eq!(update.message, Some(expected));
    world.call(&aware, accept_ids(&all, vec![launch_operation(vec![task("t", &one, "cpus:1;mem:32")])]));
    let message = world.updates(&aware).remove(0).message.unwrap();
    assert!(
        message.starts_with(
            "Task launched with invalid offers: Aggregated offers must belong to one single agent. Offer "
        ),
        "{message}"
    );
    world.audit();
}

#[test]
fn offers_to_two_roles_are_not_accepted_together() {
    let mut world = World::new();
    let agent = world.register_agent(1, "cpus(a):1;mem(a):64;cpus(b):1;mem(b):64");
    let roles = vec!["a".to_owned(), "b".to_owned()];
    let info = FrameworkInfo { roles, ..framework("f", &[Capability::MULTI_ROLE]) };
    let scheduler = world.subscribe(info, ContentType::Json);
    world.advance(Duration::from_secs(1));
    let offers = world.offers(&scheduler);
    let role = |offer: &Offer| offer.allocation_info.role.clone().unwrap_or_default();
    let [one, other] = &offers[..] else { panic!("one offer for each role: {}", offers.len()) };
    world.launch(&scheduler, &[one, other], vec![task("t", &agent, "cpus:1;mem:32")]);
    let expected = format!(
        "Task launched with invalid offers: Aggregated offers must be allocated to the same role. Offer {} uses role \
         '{} but another is using role '{}",
        other.id.value,
        role(other),
        role(one)
    );
    assert_eq!(world.updates(&scheduler).remove(0).message, Some(expected));
    world.audit();
}

#[test]
fn an_offer_is_spent_once() {
    let mut world = World::new();
    let agent = world.register_agent(1, AGENT);
    let scheduler = world.subscribe(framework("f", &[]), ContentType::Json);
    world.advance(Duration::from_secs(1));
    let offer = world.offers(&scheduler).remove(0);
    for id in ["a", "b"] {
        world.launch(&scheduler, &[&offer], vec![task(id, &agent, "cpus:1;mem:32")]);
    }
    let run: Vec<String> = world.launched(1).iter().map(|run| run.task.task_id.value.clone()).collect();
    assert_eq!(run, ["a"]);
    assert_eq!(world.updates(&scheduler)[0].state, TaskState::TASK_LOST);
    world.audit();
}

fn launch_error(change: impl FnOnce(&mut TaskInfo)) -> String {
    let mut world = World::new();
    let agent = world.register_agent(1, AGENT);
    let scheduler = world.subscribe(framework("f", &[]), ContentType::Json);
    world.advance(Duration::from_secs(1));
    let offer = world.offers(&scheduler).remove(0);
    let mut info = task("t", &agent, "cpus:1;mem:32");
    change(&mut info);
    world.launch(&scheduler, &[&offer], vec![info]);
    let update = world.updates(&scheduler).remove(0);
    assert_eq!((update.state, update.reason), (TaskState::TASK_ERROR, Some(Reason::REASON_TASK_INVALID)));
    assert!(world.launched(1).is_empty());
    world.audit();
    update.message.unwrap().replace(&agent, "S0")
}

#[test]
fn tasks_are_refused_in_the_words_of_mesos() {
    let scalar = |value| value::Scalar { value, ..Default::default() };
    let executor = |info: ExecutorInfo| MessageField::some(info);
    let named = |id: &str| ExecutorInfo {
        executor_id: MessageField::some(ExecutorID { value: id.to_owned(), ..Default::default() }),
        ..Default::default()
    };
    assert_eq!(launch_error(|task| task.resources.clear()), "Task uses no resources");
    assert_eq!(
        launch_error(|task| task.agent_id.as_option_mut().unwrap().value = "X".to_owned()),
        "Task uses invalid agent X while agent S0 is expected"
    );
    assert_eq!(
        launch_error(|task| task.command = MessageField::none()),
        "Task should have at least one (but not both) of CommandInfo or ExecutorInfo present"
    );
    assert_eq!(
        launch_error(|task| task.executor = executor(named("e"))),
        "Task should have at least one (but not both) of CommandInfo or ExecutorInfo present"
    );
    assert_eq!(
        launch_error(|task| task.task_id.as_option_mut().unwrap().value = "a/b".to_owned()),
        "'a/b' contains invalid characters"
    );
    assert_eq!(
        launch_error(|info| info.resources = task("t", "", "cpus:1;mem:9999").resources),
        "Total resources cpus(allocated: *):1; mem(allocated: *):9999 required by task and its executor is more than \
         available cpus(allocated: *):4; mem(allocated: *):4096; disk(allocated: *):4096; ports(allocated: *):[31000-32000]"
    );
    assert_eq!(
        launch_error(|task| drop(task.limits.insert("cpus".to_owned(), scalar(0.5)))),
        "The cpu limit must be greater than or equal to the cpu request"
    );
    assert_eq!(
        launch_error(|task| drop(task.limits.insert("disk".to_owned(), scalar(0.5)))),
        "Only cpus and mem may be included in a task's resource limits"
    );
    assert_eq!(
        launch_error(|task| task
            .kill_policy
            .get_or_insert_default()
            .grace_period
            .get_or_insert_default()
            .nanoseconds = -1),
        "Task's 'kill_policy.grace_period' must be non-negative"
    );
    assert_eq!(
        launch_error(|task| {
            task.command = MessageField::none();
            task.executor = executor(named("e"));
        }),
        "'ExecutorInfo.command' must be set"
    );
    assert_eq!(
        launch_error(|task| task.resources[0].scalar = MessageField::some(scalar(-1.0))),
        "Resource 'cpus:-1' is invalid: Invalid scalar resource: value <= 0"
    );
}

#[test]
fn operations_of_later_rooms_are_answered_if_they_can_be() {
    let mut world = World::new();
    world.register_agent(1, AGENT);
    let scheduler = world.subscribe(framework("f", &[]), ContentType::Json);
    world.advance(Duration::from_secs(1));
    let offer = world.offers(&scheduler).remove(0);
    let reserve = offer::Operation {
        r#type: Some(offer::operation::Type::RESERVE),
        id: MessageField::some(OperationID { value: "op".to_owned(), ..Default::default() }),
        reserve: MessageField::some(Default::default()),
        ..Default::default()
    };
    world.call(&scheduler, accept(&[&offer], vec![reserve]));
    let status = world.events(&scheduler, event::Type::UPDATE_OPERATION_STATUS).remove(0);
    let status = &status.update_operation_status.status;
    assert_eq!(status.operation_id.value, "op");
    assert_eq!(status.message.as_deref(), Some("RESERVE operations are not supported by this master"));
    world.audit();
}
