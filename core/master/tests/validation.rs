//! Every rule of validation, from `testdata/validation`: a change to a valid message, and the text that comes back.

mod harness;

use harness::*;
use serde_json::{Map, Value, json};
use std::time::Duration;
use tepui_master::validate;
use tepui_proto::json::{Names, from_value};
use tepui_proto::mesos::TaskState;
use tepui_proto::mesos::offer::Operation;
use tepui_proto::mesos::scheduler::event;
use tepui_proto::mesos::task_status::Reason;
use tepui_proto::{ContentType, Message, MessageName};

/// The blocks of a file: what is changed, and what comes back.
fn blocks(text: &str) -> Vec<(Value, String)> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let block = |pair: &[&str]| {
        let change = serde_json::from_str(pair[0]).unwrap_or_else(|error| panic!("{}: {error}", pair[0]));
        let expected = pair[1].strip_prefix("=> ").unwrap_or_else(|| panic!("{} is no text", pair[1]));
        (change, expected.replace("\\n", "\n"))
    };
    lines.chunks(2).map(block).collect()
}

/// RFC 7396.
fn merge(target: &mut Value, change: Value) {
    let Value::Object(change) = change else { return *target = change };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let fields = target.as_object_mut().unwrap();
    for (key, value) in change {
        if value.is_null() {
            fields.remove(&key);
        } else {
            merge(fields.entry(key).or_insert(Value::Null), value);
        }
    }
}

fn merged(mut target: Value, change: &Value) -> Value {
    merge(&mut target, change.clone());
    expand(&mut target);
    target
}

/// Resources in the short form of flags become messages.
fn expand(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(expand),
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(text) if key.ends_with("resources") => {
                        *value = text.split(';').map(resource).collect();
                    }
                    _ => expand(value),
                }
            }
        }
        _ => {}
    }
}

fn resource(text: &str) -> Value {
    let (name, amount) = text.split_once(':').unwrap();
    let Some(ranges) = amount.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) else {
        return json!({"name": name, "type": "SCALAR", "scalar": {"value": amount.parse::<f64>().unwrap()}});
    };
    let number = |text: &str| text.parse::<u64>().unwrap();
    let range = |(begin, end)| json!({"begin": number(begin), "end": number(end)});
    let ranges: Vec<Value> = ranges.split(',').map(|text| range(text.split_once('-').unwrap())).collect();
    json!({"name": name, "type": "RANGES", "ranges": {"range": ranges}})
}

fn read<M: Message + MessageName>(value: &Value, names: Names) -> M {
    from_value(&tepui_proto::json::parse(value.to_string().as_bytes()).unwrap(), names).unwrap()
}

#[test]
fn calls() {
    let mut world = World::new();
    for (change, expected) in blocks(include_str!("../testdata/validation/call.txt")) {
        let call = merged(json!({"type": "TEARDOWN", "framework_id": {"value": "f"}}), &change);
        let response = world.post_json("/api/v1/scheduler", &call.to_string());
        let expected = format!("Failed to validate scheduler::Call: {expected}");
        assert_eq!((response.status, text(&response)), (400, expected), "{change}");
    }
}

#[test]
fn frameworks() {
    let mut world = World::new();
    for (change, expected) in blocks(include_str!("../testdata/validation/framework.txt")) {
        let info = merged(json!({"user": "u", "name": "n"}), &change);
        let scheduler = world.subscribe(read(&info, Names::V1), ContentType::Json);
        let error = world.events(&scheduler, event::Type::ERROR).remove(0);
        assert_eq!(error.error.message, expected, "{change}");
        assert!(world.closed.contains(&scheduler.stream));
    }
}

/// A task as it is before the change.
fn base(id: &str, agent: &str) -> Value {
    json!({"name": id, "task_id": {"value": id}, "agent_id": {"value": agent}, "resources": "cpus:1;mem:64",
           "command": {"value": "true"}})
}

/// Accepts an offer with the operation that `operation` makes of each change, with the ids of agent and framework, and
/// compares what comes back for each of its tasks.
fn launches(rules: &str, reason: Reason, operation: impl Fn(&Value, &str, &str) -> Value) {
    let mut config = tepui_master::Config::new(master_pid(), "master.local");
    // The agent answers no pings here, and there are many rules.
    config.max_agent_ping_timeouts = u32::MAX;
    let mut world = World::with(config, tepui_registry::Registrar::default());
    let agent = world.register_agent(1, "cpus:4;mem:4096;disk:4096;ports:[31000-32000]");
    let scheduler = world.subscribe(framework("f", &[]), ContentType::Json);
    let mut wrong = Vec::new();
    for (change, expected) in blocks(rules) {
        world.advance(Duration::from_secs(1));
        let offer = world.master.snapshot().offers.keys().next().expect("all is offered again").to_string();
        let operation: Operation = read(&operation(&change, &agent, &scheduler.id), Names::V1);
        let tasks = operation.launch.task_infos.len() + operation.launch_group.task_group.tasks.len();
        let response = world.call(&scheduler, accept_ids(&[&offer], vec![operation]));
        assert_eq!(response.status, 202, "{change}");
        let expected = expected.replace("$AGENT", &agent).replace("$FRAMEWORK", &scheduler.id);
        let updates = world.updates(&scheduler);
        assert_eq!(updates.len(), tasks, "{change}");
        for update in updates {
            assert_eq!((update.state, update.reason), (TaskState::TASK_ERROR, Some(reason)), "{change}");
            let text = update.message.unwrap_or_default();
            if text != expected {
                wrong.push(format!("{change}\n   {text}\n   {expected}"));
            }
        }
    }
    world.audit();
    assert!(wrong.is_empty(), "not the text of Mesos, which stands below:\n{}", wrong.join("\n"));
}

#[test]
fn tasks() {
    launches(
        include_str!("../testdata/validation/task.txt"),
        Reason::REASON_TASK_INVALID,
        |change, agent, _| json!({"type": "LAUNCH", "launch": {"task_infos": [merged(base("t", agent), change)]}}),
    );
}

#[test]
fn groups() {
    launches(
        include_str!("../testdata/validation/group.txt"),
        Reason::REASON_TASK_GROUP_INVALID,
        |change, agent, framework| {
            let executor = json!({"executor_id": {"value": "e"}, "type": "DEFAULT", "framework_id": {"value": framework},
                              "resources": "cpus:0.1;mem:32;disk:32"});
            let group = json!({"executor": executor, "task": base("t", agent), "second": base("u", agent)});
            let group = merged(group, change);
            let tasks: Vec<&Value> = ["task", "second"].into_iter().filter_map(|key| group.get(key)).collect();
            json!({"type": "LAUNCH_GROUP",
               "launch_group": {"executor": group["executor"], "task_group": {"tasks": tasks}}})
        },
    );
}

#[test]
fn agents_that_register() {
    let valid = json!({"slave": {"hostname": "h", "resources": "cpus:1"}, "version": "1.11.0"});
    let check = |value: &Value| validate::agent::register(&read(value, Names::V0));
    assert_eq!(check(&merged(valid.clone(), &json!({}))), Ok(()));
    for (change, expected) in blocks(include_str!("../testdata/validation/register.txt")) {
        assert_eq!(check(&merged(valid.clone(), &change)), Err(expected), "{change}");
    }
}

#[test]
fn agents_that_come_back() {
    let valid = json!({
        "slave": {"hostname": "h", "resources": "cpus:1", "id": {"value": "S"}},
        "frameworks": [{"id": {"value": "F"}, "user": "u", "name": "n"}],
        "executor_infos": [
            {"executor_id": {"value": "e"}, "framework_id": {"value": "F"}, "command": {"value": "true"}}],
        "tasks": [{"name": "t", "task_id": {"value": "t"}, "framework_id": {"value": "F"}, "slave_id": {"value": "S"},
                   "executor_id": {"value": "e"}, "state": "TASK_RUNNING"}],
    });
    let check = |value: &Value| validate::agent::reregister(&read(value, Names::V0));
    assert_eq!(check(&merged(valid.clone(), &json!({}))), Ok(()));
    for (change, expected) in blocks(include_str!("../testdata/validation/reregister.txt")) {
        assert_eq!(check(&merged(valid.clone(), &change)), Err(expected), "{change}");
    }
}
