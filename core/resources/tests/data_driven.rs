//! Runs the cases of `testdata/*.txt`.
//!
//! A case is a line with a command and its argument, lines of input, a line `----`, and lines of expected output up to
//! the next empty line. `#` begins a comment between cases.

use std::fmt::Display;

use tepui_proto::json::{self, Names};
use tepui_proto::mesos::{self, offer};
use tepui_resources::{
    Attributes, Limits, Quantities, Resource, Resources, Sums, format, operation, parse, roles, validate, value,
};

#[test]
fn values() {
    run(include_str!("../testdata/values.txt"), "values.txt");
}

#[test]
fn flags() {
    run(include_str!("../testdata/flags.txt"), "flags.txt");
}

#[test]
fn arithmetic() {
    run(include_str!("../testdata/arithmetic.txt"), "arithmetic.txt");
}

#[test]
fn formats_and_checks() {
    run(include_str!("../testdata/messages.txt"), "messages.txt");
}

#[test]
fn operations() {
    run(include_str!("../testdata/operations.txt"), "operations.txt");
}

#[test]
fn role_names() {
    run(include_str!("../testdata/roles.txt"), "roles.txt");
}

fn run(text: &str, file: &str) {
    let mut lines = text.lines().enumerate();
    let (mut cases, mut wrong) = (0, Vec::new());
    while let Some((number, head)) = lines.find(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
        let input: Vec<&str> = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "----").collect();
        let expected: Vec<&str> = lines.by_ref().map(|(_, line)| line).take_while(|line| !line.is_empty()).collect();
        let (command, argument) = head.split_once(' ').unwrap_or((head, ""));
        let (expected, got) = (expected.join("\n"), answer(command, argument, &input));
        if got != expected {
            wrong.push(format!(
                "{file}:{}: {head}\n{}\n---- expected\n{expected}\n---- got\n{got}",
                number + 1,
                input.join("\n")
            ));
        }
        cases += 1;
    }
    assert!(cases > 0, "{file} has no case");
    assert!(wrong.is_empty(), "{} of {cases} cases\n{}", wrong.len(), wrong.join("\n\n"));
}

fn answer(command: &str, argument: &str, input: &[&str]) -> String {
    let first = input.first().copied().unwrap_or_default();
    match command {
        "value" => text(value::parse(first).map(|parsed| format!("{parsed:?}"))),
        "parse" => text(Resources::parse(&input.join("\n"), if argument.is_empty() { "*" } else { argument })),
        "entries" => text(parse::entries(first, "*").map(|entries| join(&entries))),
        "attributes" => text(Attributes::parse(first).map(|attributes| join(&attributes.0))),
        "quantities" => text(Quantities::parse(first)),
        "limits" => text(Limits::parse(first)),
        "role" => text(roles::validate(first).map(|()| "ok")),
        "ancestors" => roles::ancestors(first).collect::<Vec<_>>().join(" "),
        "add" => input.iter().map(|line| bag(line)).fold(Resources::new(), |sum, more| sum + &more).to_string(),
        "subtract" => (bag(first) - &bag(input[1])).to_string(),
        "contains" => bag(first).contains(&bag(input[1])).to_string(),
        "find" => bag(first).find(&bag(input[1])).map_or("none".into(), |found| found.to_string()),
        "filter" => filter(&bag(first), argument),
        "sums" => sums(&bag(first)),
        "validate" => text(validate::resource(&message(first)).map(|()| "ok")),
        "validate-list" => text(validate::list(&messages(first)).map(|()| "ok")),
        "command-line" => text(validate::command_line(&bag(first)).map(|()| "ok")),
        "formats" => formats(&message(first)),
        "apply" => text(bag(first).apply(&offer_operation(input[1]))),
        "upgrade" => upgrade(first),
        "checkpointed" => text(bag(first).with_checkpointed(&bag(input[1]))),
        other => panic!("unknown command {other}"),
    }
}

fn text<T: Display, E: Display>(result: Result<T, E>) -> String {
    match result {
        Ok(value) => value.to_string(),
        Err(error) => format!("error: {error}"),
    }
}

fn join<T: Display>(items: &[T]) -> String {
    items.iter().map(T::to_string).collect::<Vec<_>>().join("; ")
}

fn message(line: &str) -> mesos::Resource {
    json::from_slice(line.as_bytes(), Names::V1).unwrap_or_else(|error| panic!("{line}: {error}"))
}

fn messages(line: &str) -> Vec<mesos::Resource> {
    let array = json::parse(line.as_bytes()).unwrap_or_else(|error| panic!("{line}: {error}"));
    let read = |item: &serde_json::Value| json::from_value(item, Names::V1).unwrap_or_else(|error| panic!("{error}"));
    array.as_array().expect("an array").iter().map(read).collect()
}

fn offer_operation(line: &str) -> offer::Operation {
    json::from_slice(line.as_bytes(), Names::V1).unwrap_or_else(|error| panic!("{line}: {error}"))
}

/// Resources in text form, or (for what a flag may not say) as a JSON array.
fn bag(line: &str) -> Resources {
    match line.starts_with('[') {
        true => Resources::try_from_proto(&messages(line)).unwrap_or_else(|error| panic!("{line}: {error}")),
        false => Resources::parse(line, "*").unwrap_or_else(|error| panic!("{line}: {error}")),
    }
}

fn filter(resources: &Resources, argument: &str) -> String {
    let (name, role) = argument.split_once(' ').unwrap_or((argument, ""));
    let part = match name {
        "reserved" => resources.reserved(),
        "reserved-to" => resources.reserved_to(role),
        "reserved-to-subtree" => resources.reserved_to_subtree(role),
        "unreserved" => resources.unreserved(),
        "allocatable-to" => resources.allocatable_to(role),
        "allocated-to-subtree" => resources.allocated_to_subtree(role),
        "volumes" => resources.persistent_volumes(),
        "revocable" => resources.revocable(),
        "non-revocable" => resources.non_revocable(),
        "shared" => resources.shared(),
        "non-shared" => resources.non_shared(),
        "scalars" => resources.scalars(),
        "stripped" => resources.stripped_scalars(),
        "to-unreserved" => resources.to_unreserved(),
        other => panic!("unknown filter {other}"),
    };
    part.to_string()
}

fn sums(resources: &Resources) -> String {
    let sums = Sums::of(resources);
    let mut lines: Vec<String> = sums.scalars.iter().map(|(name, sum)| format!("{name}={:?}", sum.to_f64())).collect();
    lines.extend(sums.ranges.iter().map(|(name, sum)| format!("{name}={sum}")));
    lines.extend(sums.sets.iter().map(|(name, sum)| format!("{name}={sum}")));
    lines.join("\n")
}

/// One resource in the three formats of messages.
fn formats(incoming: &mesos::Resource) -> String {
    let resource = Resource::from_proto(incoming).unwrap_or_else(|error| panic!("{error}"));
    let show = |message: &mesos::Resource| json::to_string(message, Names::V1);
    let old = match resource.to_downgraded() {
        Ok(message) => show(&message),
        Err(error) => format!("error: {error}"),
    };
    let mut upgraded = incoming.clone();
    format::upgrade(&mut upgraded);
    assert_eq!(show(&upgraded), show(&resource.to_proto()), "upgrading in place says the same");
    format!("{resource}\nold {old}\nnew {}\nend {}", show(&resource.to_proto()), show(&resource.to_endpoint()))
}

fn upgrade(line: &str) -> String {
    let mut upgraded = offer_operation(line);
    match operation::validate_and_upgrade(&mut upgraded) {
        Ok(()) => {
            operation::inject_allocation(&mut upgraded, &"web".into());
            json::to_string(&upgraded, Names::V1)
        }
        Err(error) => format!("error: {error}"),
    }
}
