//! Every message of Mesos 1.11.0, against ours: field numbers, types, labels, defaults and enum values.
//!
//! `tests/golden/descriptors/mesos-1.11.0.txt` was read out of the library of PyPI's mesos.scheduler and mesos.interface
//! 1.11.0 (its README says how), in V0 names. Ours are in V1 names, so the golden names are renamed first, by rules that
//! stand here and nowhere else: this test shares no table with the code it judges. What still differs must be listed in
//! [`DIFFERENCES`] with its reason, and a listed difference that is none fails as well.

use std::collections::BTreeSet;

use protox::prost::Message;
use protox::prost_reflect::prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorSet,
    field_descriptor_proto::{Label, Type},
};

const GOLDEN: &str = include_str!("../../golden/descriptors/mesos-1.11.0.txt");

/// What is meant to differ: who has it, the start of its line from the name on, and why the other has not.
const DIFFERENCES: [(Side, &str, &str); 3] = [
    (Side::Ours, "mesos.scheduler.APIResult", "only V1 declares it; compared with V1 below"),
    (Side::Ours, "oci.spec.image.v1.", "not linked into the driver, so there is nothing to compare with"),
    (Side::Ours, "tepui.", "between masters of our own, which elect without ZooKeeper"),
];

/// Where V1 itself differs from V0, and hence from ours. Bytes that come in by V1 must be read by the rules of V1.
const V1_DIFFERENCES: [&str; 4] = [
    // V0 has a DurationInfo here (nanoseconds); V1 a google.protobuf.Duration.
    "field mesos.master.Call.DrainAgent.max_grace_period 2 optional message google.protobuf.Duration",
    // V0 declares the default `false`, which V1 does not; the bytes are the same.
    "field mesos.quota.QuotaRequest.force 1 optional bool bool",
    // V0 has kept `force = 2`, so these two come one number later.
    "field mesos.scheduler.Call.Subscribe.offer_constraints 3 optional message mesos.scheduler.OfferConstraints",
    "field mesos.scheduler.Call.Subscribe.suppressed_roles 2 repeated string string",
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code, reason = "there may be no difference on one side")]
enum Side {
    Mesos,
    Ours,
}

fn is_v1(line: &str) -> bool {
    name_of(line).starts_with("mesos.v1.")
}

/// The full name that a line describes.
fn name_of(line: &str) -> &str {
    line.split(' ').nth(1).unwrap_or_default()
}

#[test]
fn every_message_is_that_of_v0() {
    let golden = GOLDEN.lines().filter(|line| !line.starts_with("file ") && !is_v1(line));
    let mesos: BTreeSet<String> = golden.map(in_v1_names).collect();
    let ours: BTreeSet<String> = our_lines().into_iter().collect();
    assert!(mesos.len() > 3000, "the golden file holds only {} lines", mesos.len());
    let listed =
        |side: Side, line: &str| DIFFERENCES.iter().any(|(s, start, _)| *s == side && name_of(line).starts_with(start));
    let only_mesos =
        mesos.difference(&ours).filter(|l| !listed(Side::Mesos, l)).map(|line| format!("only Mesos: {line}"));
    let only_ours =
        ours.difference(&mesos).filter(|l| !listed(Side::Ours, l)).map(|line| format!("only ours:  {line}"));
    let mut report: Vec<String> = only_mesos.chain(only_ours).collect();
    for (side, start, _) in DIFFERENCES {
        let (has, lacks) = if side == Side::Mesos { (&mesos, &ours) } else { (&ours, &mesos) };
        if !has.difference(lacks).any(|line| name_of(line).starts_with(start)) {
            report.push(format!("listed as a difference, but is none: {start}"));
        }
    }
    report.sort_by_key(|line| line.split_once(": ").map(|(_, rest)| rest.trim().to_owned()));
    assert!(report.is_empty(), "{} differences\n{}", report.len(), report.join("\n"));
}

/// V1 has its own descriptors: they prove that our names are the V1 names, and show where V1 truly differs.
#[test]
fn every_v1_message_is_ours_too() {
    let golden = GOLDEN.lines().filter(|line| is_v1(line));
    let mesos: BTreeSet<String> = golden.map(|line| line.replace(" mesos.v1.", " mesos.")).collect();
    let ours: BTreeSet<String> = our_lines().into_iter().collect();
    assert!(mesos.len() > 1500, "the golden file holds only {} lines of V1", mesos.len());
    let found: Vec<&str> = mesos.difference(&ours).map(String::as_str).collect();
    assert_eq!(found, V1_DIFFERENCES, "the differences between V1 and V0 are not those that are handled");
}

/// Packages whose place differs: V0 keeps the containerizer's types under the agent's old name.
const PACKAGES: [(&str, &str); 1] = [("mesos.slave.", "mesos.containerizer.")];

/// A golden line in V1 names. Strings (defaults) stay as they are.
fn in_v1_names(line: &str) -> String {
    let (names, default) = line.split_once(" default=").map_or((line, None), |(names, default)| (names, Some(default)));
    let mut names = names.to_owned();
    for (old, new) in PACKAGES {
        names = names.replace(&format!(" {old}"), &format!(" {new}"));
    }
    let names = names.replace("slave", "agent").replace("Slave", "Agent").replace("SLAVE", "AGENT");
    default.map_or(names.clone(), |default| format!("{names} default={default}"))
}

/// Our universe in the golden file's form.
fn our_lines() -> Vec<String> {
    let set = FileDescriptorSet::decode(tepui_proto::descriptor_set()).expect("our own descriptors");
    let mut lines = Vec::new();
    for file in set.file.iter().filter(|file| !file.name().starts_with("google/")) {
        file.enum_type.iter().for_each(|e| write_enum(&mut lines, file.package(), e));
        file.message_type.iter().for_each(|m| write_message(&mut lines, file.package(), m));
    }
    lines
}

fn write_enum(lines: &mut Vec<String>, scope: &str, this: &EnumDescriptorProto) {
    let name = format!("{scope}.{}", this.name());
    lines.push(format!("enum {name}"));
    lines.extend(this.value.iter().map(|value| format!("value {name}.{} {}", value.name(), value.number())));
}

fn write_message(lines: &mut Vec<String>, scope: &str, this: &DescriptorProto) {
    let name = format!("{scope}.{}", this.name());
    lines.push(format!("message {name}"));
    lines.extend(this.field.iter().map(|field| field_line(&name, field)));
    this.enum_type.iter().for_each(|e| write_enum(lines, &name, e));
    this.nested_type.iter().for_each(|m| write_message(lines, &name, m));
}

fn field_line(message: &str, field: &FieldDescriptorProto) -> String {
    let kind = lower(Type::as_str_name(&field.r#type()), "TYPE_");
    let label = lower(Label::as_str_name(&field.label()), "LABEL_");
    let named = field.type_name().trim_start_matches('.');
    let target = if named.is_empty() { &kind } else { named };
    let packed = if field.options.as_ref().is_some_and(|o| o.packed()) { " packed" } else { "" };
    let default = field.default_value.as_ref().map_or(String::new(), |value| format!(" default={value}"));
    format!("field {message}.{} {} {label} {kind} {target}{packed}{default}", field.name(), field.number())
}

fn lower(name: &str, prefix: &str) -> String {
    name.trim_start_matches(prefix).to_lowercase()
}
