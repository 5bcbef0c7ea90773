//! Offer constraints: which agents a framework wants to be offered at all, by their attributes
//! (`include/mesos/scheduler/scheduler.proto`, `src/master/allocator/mesos/offer_constraints_filter.cpp`).
//!
//! Per role there are groups of constraints; an agent is let in if all constraints of one group hold for it. A role that
//! is not named lets every agent in.

mod dialect;
mod pattern;
mod size;

pub use pattern::{Fault, PatternError, RegexLimits};

use crate::input::AgentFacts;
use pattern::Pattern;
use std::collections::BTreeMap;
use std::sync::Arc;
use tepui_proto::mesos::scheduler::attribute_constraint::predicate::Predicate as PredicateProto;
use tepui_proto::mesos::scheduler::attribute_constraint::selector::{PseudoattributeType, Selector as SelectorProto};
use tepui_proto::mesos::scheduler::offer_constraints::{RoleConstraints, role_constraints::Group};
use tepui_proto::mesos::scheduler::{AttributeConstraint, OfferConstraints};
use tepui_resources::Role;
use tepui_resources::attributes::Value;

/// Why constraints are refused; the texts are those of Mesos (with its missing blank).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConstraintsError {
    /// A role without groups would let no agent in.
    #[error("'OfferConstraints::role_constraints' has an empty 'RoleConstraints::groups' for role {0}")]
    NoGroups(String),
    /// A group without constraints would let every agent in.
    #[error("'OfferConstraints::RoleConstraints::groups' for role {0}contains an empty RoleConstraints::Group")]
    EmptyGroup(String),
    /// A constraint does not make sense.
    #[error("A role {0} has an invalid 'AttributeConstraint': {1}")]
    Constraint(String, ConstraintError),
}

/// What is wrong with one constraint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConstraintError {
    /// It does not say what it looks at.
    #[error(
        "Exactly one of 'AttributeConstraint::Selector::name' or 'AttributeConstraint::Selector::pseudoattribute_type' must be set"
    )]
    NoSelector,
    /// It looks at something unknown.
    #[error("Unknown pseudoattribute type")]
    UnknownPseudoattribute,
    /// It does not say what must hold.
    #[error("Unknown predicate type")]
    NoPredicate,
    /// Its regular expression cannot be used.
    #[error(transparent)]
    Pattern(#[from] PatternError),
}

/// The constraints of one framework, ready to be evaluated. A copy costs nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OfferConstraintsFilter {
    roles: Arc<BTreeMap<Role, Arc<RoleFilter>>>,
}

impl OfferConstraintsFilter {
    /// Checks constraints and compiles their regular expressions, each within the limits.
    pub fn new(
        constraints: &OfferConstraints,
        limits: RegexLimits,
    ) -> Result<OfferConstraintsFilter, ConstraintsError> {
        let roles = constraints.role_constraints.iter().map(|(role, constraints)| {
            let filter = RoleFilter::new(role, constraints, limits)?;
            Ok((Role::from(role.as_str()), Arc::new(filter)))
        });
        Ok(OfferConstraintsFilter { roles: Arc::new(roles.collect::<Result<_, _>>()?) })
    }

    /// Whether the framework wants no offers of that agent in that role (`isAgentExcluded`).
    pub fn excludes(&self, role: &Role, agent: &AgentFacts) -> bool {
        self.of_role(role).is_some_and(|filter| filter.excludes(agent))
    }

    /// The constraints for one role, if it has any.
    pub(crate) fn of_role(&self, role: &Role) -> Option<&Arc<RoleFilter>> {
        self.roles.get(role)
    }
}

/// The constraints of one framework for one role.
#[derive(Debug, PartialEq)]
pub(crate) struct RoleFilter {
    groups: Vec<Vec<Constraint>>,
}

impl RoleFilter {
    fn new(role: &str, constraints: &RoleConstraints, limits: RegexLimits) -> Result<RoleFilter, ConstraintsError> {
        if constraints.groups.is_empty() {
            return Err(ConstraintsError::NoGroups(role.to_owned()));
        }
        let group = |group: &Group| {
            if group.attribute_constraints.is_empty() {
                return Err(ConstraintsError::EmptyGroup(role.to_owned()));
            }
            let constraints = group.attribute_constraints.iter().map(|constraint| {
                Constraint::new(constraint, limits).map_err(|e| ConstraintsError::Constraint(role.to_owned(), e))
            });
            constraints.collect()
        };
        Ok(RoleFilter { groups: constraints.groups.iter().map(group).collect::<Result<_, _>>()? })
    }

    /// Whether no group lets the agent in.
    pub(crate) fn excludes(&self, agent: &AgentFacts) -> bool {
        !self.groups.iter().any(|group| group.iter().all(|constraint| constraint.holds(agent)))
    }
}

/// What a constraint looks at.
#[derive(Debug, PartialEq)]
enum Selector {
    Hostname,
    Region,
    Zone,
    Attribute(String),
}

/// What must hold for it.
#[derive(Debug, PartialEq)]
enum Predicate {
    Exists,
    NotExists,
    TextEquals(String),
    TextNotEquals(String),
    TextMatches(Pattern),
    TextNotMatches(Pattern),
}

#[derive(Debug, PartialEq)]
struct Constraint {
    selector: Selector,
    predicate: Predicate,
}

/// What was found where a constraint looks.
enum Found<'a> {
    Nothing,
    Text(&'a str),
    /// A number or ranges: there, but no text.
    Other,
}

impl Constraint {
    fn new(constraint: &AttributeConstraint, limits: RegexLimits) -> Result<Constraint, ConstraintError> {
        let selector = match &constraint.selector.selector {
            None => return Err(ConstraintError::NoSelector),
            Some(SelectorProto::AttributeName(name)) => Selector::Attribute(name.clone()),
            Some(SelectorProto::PseudoattributeType(kind)) => match kind {
                PseudoattributeType::UNKNOWN => return Err(ConstraintError::UnknownPseudoattribute),
                PseudoattributeType::HOSTNAME => Selector::Hostname,
                PseudoattributeType::REGION => Selector::Region,
                PseudoattributeType::ZONE => Selector::Zone,
            },
        };
        let predicate = match &constraint.predicate.predicate {
            None => return Err(ConstraintError::NoPredicate),
            Some(PredicateProto::Exists(_)) => Predicate::Exists,
            Some(PredicateProto::NotExists(_)) => Predicate::NotExists,
            Some(PredicateProto::TextEquals(text)) => Predicate::TextEquals(text.value.clone()),
            Some(PredicateProto::TextNotEquals(text)) => Predicate::TextNotEquals(text.value.clone()),
            Some(PredicateProto::TextMatches(text)) => Predicate::TextMatches(Pattern::new(&text.regex, limits)?),
            Some(PredicateProto::TextNotMatches(text)) => Predicate::TextNotMatches(Pattern::new(&text.regex, limits)?),
        };
        Ok(Constraint { selector, predicate })
    }

    fn holds(&self, agent: &AgentFacts) -> bool {
        let found = match &self.selector {
            Selector::Hostname => Found::Text(&agent.hostname),
            Selector::Region => agent.region.as_deref().map_or(Found::Nothing, Found::Text),
            Selector::Zone => agent.zone.as_deref().map_or(Found::Nothing, Found::Text),
            Selector::Attribute(name) => match agent.attributes.0.iter().find(|one| *one.name == **name) {
                None => Found::Nothing,
                Some(attribute) => match &attribute.value {
                    Value::Text(text) => Found::Text(text),
                    _ => Found::Other,
                },
            },
        };
        self.predicate.holds(&found)
    }
}

impl Predicate {
    fn holds(&self, found: &Found<'_>) -> bool {
        match (self, found) {
            (Predicate::Exists, found) => !matches!(found, Found::Nothing),
            (Predicate::NotExists, found) => matches!(found, Found::Nothing),
            // A constraint on texts says nothing about an attribute that is none.
            (_, Found::Other) => true,
            (Predicate::TextEquals(_) | Predicate::TextMatches(_), Found::Nothing) => false,
            (Predicate::TextNotEquals(_) | Predicate::TextNotMatches(_), Found::Nothing) => true,
            (Predicate::TextEquals(value), Found::Text(text)) => value == text,
            (Predicate::TextNotEquals(value), Found::Text(text)) => value != text,
            (Predicate::TextMatches(pattern), Found::Text(text)) => pattern.matches(text),
            (Predicate::TextNotMatches(pattern), Found::Text(text)) => !pattern.matches(text),
        }
    }
}

#[cfg(test)]
mod tests;
