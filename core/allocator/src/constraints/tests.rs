//! The cases of `offer_constraints_filter_tests.cpp`, and texts recorded from a Mesos 1.11.0 master.

use super::*;
use tepui_proto::json::{self, Names};
use tepui_resources::Attributes;

const EXISTS: &str = r#"{"exists": {}}"#;

fn filter(text: &str) -> Result<OfferConstraintsFilter, String> {
    let constraints: OfferConstraints = json::from_slice(text.as_bytes(), Names::V1).unwrap();
    OfferConstraintsFilter::new(&constraints, RegexLimits::default()).map_err(|error| error.to_string())
}

/// One group with one constraint for role `r`.
fn single(selector: &str, predicate: &str) -> Result<OfferConstraintsFilter, String> {
    let constraint = format!(r#"{{"selector": {selector}, "predicate": {predicate}}}"#);
    filter(&format!(r#"{{"role_constraints": {{"r": {{"groups": [{{"attribute_constraints": [{constraint}]}}]}}}}}}"#))
}

fn matching(regex: &str) -> Result<OfferConstraintsFilter, String> {
    let regex = serde_json::Value::from(regex);
    single(r#"{"attribute_name": "bar"}"#, &format!(r#"{{"text_matches": {{"regex": {regex}}}}}"#))
}

fn agent(attributes: &str) -> AgentFacts {
    AgentFacts {
        hostname: Arc::from("host"),
        region: None,
        zone: None,
        attributes: Attributes::parse(attributes).unwrap(),
        multi_role: true,
        hierarchical_role: true,
    }
}

fn excludes(filter: &OfferConstraintsFilter, agent: &AgentFacts) -> bool {
    filter.excludes(&Role::from("r"), agent)
}

#[test]
fn attributes() {
    // Of each predicate: which of these agents it lets in.
    let agents = ["bar:baz", "bar:zab", "bar:123", "bar:[1-17]", "foo:baz", "bar:zab;bar:baz"];
    let cases = [
        (EXISTS, [true, true, true, true, false, true]),
        (r#"{"not_exists": {}}"#, [false, false, false, false, true, false]),
        (r#"{"text_equals": {"value": "baz"}}"#, [true, false, true, true, false, false]),
        (r#"{"text_not_equals": {"value": "baz"}}"#, [false, true, true, true, true, true]),
        (r#"{"text_matches": {"regex": "b.."}}"#, [true, false, true, true, false, false]),
        (r#"{"text_matches": {"regex": "a"}}"#, [false, false, true, true, false, false]),
        (r#"{"text_not_matches": {"regex": "b.."}}"#, [false, true, true, true, true, true]),
    ];
    for (predicate, expected) in cases {
        let filter = single(r#"{"attribute_name": "bar"}"#, predicate).unwrap();
        let admitted = agents.map(|attributes| !excludes(&filter, &agent(attributes)));
        assert_eq!(admitted, expected, "{predicate}");
        assert!(!filter.excludes(&Role::from("other"), &agent("foo:baz")), "a role without constraints takes any");
    }
}

#[test]
fn pseudoattributes() {
    let somewhere = AgentFacts { region: Some("R".into()), zone: Some("Z".into()), ..agent("REGION:x") };
    for (kind, value, somewhere_only) in [("HOSTNAME", "host", false), ("REGION", "R", true), ("ZONE", "Z", true)] {
        let selector = format!(r#"{{"pseudoattribute_type": "{kind}"}}"#);
        let exists = single(&selector, EXISTS).unwrap();
        let equals = single(&selector, &format!(r#"{{"text_equals": {{"value": "{value}"}}}}"#)).unwrap();
        let differs = single(&selector, &format!(r#"{{"text_not_equals": {{"value": "{value}"}}}}"#)).unwrap();
        assert_eq!(excludes(&exists, &agent("")), somewhere_only, "{kind}");
        assert_eq!(excludes(&equals, &agent("")), somewhere_only, "{kind}");
        assert_eq!(excludes(&differs, &agent("")), !somewhere_only, "{kind}");
        assert!(!excludes(&exists, &somewhere) && !excludes(&equals, &somewhere) && excludes(&differs, &somewhere));
    }
}

#[test]
fn one_group_must_hold_whole() {
    let exists = |name: &str| format!(r#"{{"selector": {{"attribute_name": "{name}"}}, "predicate": {EXISTS}}}"#);
    let (a, b, c) = (exists("a"), exists("b"), exists("c"));
    let groups = format!(r#"[{{"attribute_constraints": [{a}, {b}]}}, {{"attribute_constraints": [{c}]}}]"#);
    let filter = filter(&format!(r#"{{"role_constraints": {{"r": {{"groups": {groups}}}}}}}"#)).unwrap();
    let admitted = ["a:1;b:1", "c:1", "a:1", "b:1", ""].map(|attributes| !excludes(&filter, &agent(attributes)));
    assert_eq!(admitted, [true, true, false, false, false]);
}

#[test]
fn constraints_without_sense_are_refused() {
    let error = |text: &str| filter(text).unwrap_err();
    assert_eq!(
        error(r#"{"role_constraints": {"r": {}}}"#),
        "'OfferConstraints::role_constraints' has an empty 'RoleConstraints::groups' for role r"
    );
    assert_eq!(
        error(r#"{"role_constraints": {"r": {"groups": [{}]}}}"#),
        "'OfferConstraints::RoleConstraints::groups' for role rcontains an empty RoleConstraints::Group"
    );
    assert_eq!(
        single("{}", EXISTS).unwrap_err(),
        "A role r has an invalid 'AttributeConstraint': Exactly one of 'AttributeConstraint::Selector::name' or \
         'AttributeConstraint::Selector::pseudoattribute_type' must be set"
    );
    assert_eq!(
        single(r#"{"pseudoattribute_type": "UNKNOWN"}"#, EXISTS).unwrap_err(),
        "A role r has an invalid 'AttributeConstraint': Unknown pseudoattribute type"
    );
    assert_eq!(
        single(r#"{"attribute_name": "bar"}"#, "{}").unwrap_err(),
        "A role r has an invalid 'AttributeConstraint': Unknown predicate type"
    );
}

/// `PATTERN` and what a Mesos master says of it, per line; `OK`: nothing.
#[test]
fn faults_of_expressions_have_the_texts_of_re2() {
    for line in include_str!("../../testdata/regex/faults.txt").lines().filter(|line| !line.starts_with('#')) {
        let (regex, expected) = line.split_once("  ").unwrap();
        let said = matching(regex).err();
        let start = "A role r has an invalid 'AttributeConstraint': ";
        let said = said.as_ref().map_or("OK", |text| text.strip_prefix(start).unwrap());
        let start = format!("Failed to construct regex from pattern '{regex}': ");
        assert_eq!(said.strip_prefix(&start).unwrap_or(said), expected, "{regex}");
    }
}

/// `PATTERN`, the size of its program as a Mesos master tells it.
#[test]
fn sizes_are_those_of_re2() {
    for line in include_str!("../../testdata/regex/sizes.txt").lines().filter(|line| !line.starts_with('#')) {
        let (regex, expected) = line.rsplit_once("  ").unwrap();
        let hir = regex_syntax::parse(&dialect::translate(regex).unwrap()).unwrap();
        assert_eq!(size::of(&hir).to_string(), expected.trim(), "{regex}");
    }
    assert_eq!(size::that_fit(4096), 287);
}

/// `PATTERN  texts it matches  |  texts it does not match`.
#[test]
fn expressions_mean_what_they_mean_in_re2() {
    for line in include_str!("../../testdata/regex/matches.txt").lines().filter(|line| !line.starts_with('#')) {
        let (regex, texts) = line.split_once("  ").unwrap();
        let (good, bad) = texts.split_once('|').unwrap();
        let pattern = Pattern::new(regex, RegexLimits::default()).unwrap_or_else(|error| panic!("{error}"));
        for (texts, expected) in [(good, true), (bad, false)] {
            for text in texts.split_whitespace() {
                assert_eq!(pattern.matches(text), expected, "{regex} on {text}");
            }
        }
    }
}
