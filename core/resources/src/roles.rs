//! Role names: a tree written as a path (`eng/web`), with `*` for "no role in particular".
//!
//! Facts from `include/mesos/roles.hpp` and `src/common/roles.cpp`.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// The default role, which owns what is not reserved.
pub const STAR: &str = "*";

/// A role as shared text. It need not be valid; [`validate`] tells.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Role(Arc<str>);

impl Role {
    /// The role as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True for `*`.
    pub fn is_star(&self) -> bool {
        &*self.0 == STAR
    }
}

impl From<&str> for Role {
    fn from(text: &str) -> Role {
        Role(Arc::from(text))
    }
}

impl Borrow<str> for Role {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a role name is refused; the texts are those of Mesos.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is longer than any role in earnest.
    #[error("Role of {0} bytes is too long: at most 1024 are taken")]
    TooLong(usize),
    /// It begins with `/`.
    #[error("Role '{0}' cannot start with a slash")]
    LeadingSlash(String),
    /// It ends with `/`.
    #[error("Role '{0}' cannot end with a slash")]
    TrailingSlash(String),
    /// It has an empty component.
    #[error("Role '{0}' cannot contain two adjacent slashes")]
    AdjacentSlashes(String),
    /// It is empty.
    #[error("Role names cannot be the empty string")]
    Empty,
    /// A component is `.`, `..` or `*`.
    #[error("Role '{role}' cannot include '{component}' as a component")]
    ReservedComponent {
        /// The whole role.
        role: String,
        /// The component that stands for something else.
        component: String,
    },
    /// A component begins with `-`.
    #[error("Role component '{0}' is invalid because it starts with a dash")]
    LeadingDash(String),
    /// A component holds a space, a control character that is white space, or DEL.
    #[error("Role component '{0}' is invalid because it contains backspace or whitespace")]
    InvalidCharacter(String),
}

/// The longest role. Each of its components is a node of the allocator's tree that holds the path to it, so that the cost
/// of a role grows with the square of its length. Mesos has no bound.
const MAX_BYTES: usize = 1024;

/// Checks a role name; `*` is valid.
pub fn validate(role: &str) -> Result<(), Error> {
    match role {
        STAR => Ok(()),
        "" => Err(Error::Empty),
        _ if role.len() > MAX_BYTES => Err(Error::TooLong(role.len())),
        _ if role.starts_with('/') => Err(Error::LeadingSlash(role.into())),
        _ if role.ends_with('/') => Err(Error::TrailingSlash(role.into())),
        _ if role.contains("//") => Err(Error::AdjacentSlashes(role.into())),
        _ => role.split('/').try_for_each(|component| validate_component(role, component)),
    }
}

fn validate_component(role: &str, component: &str) -> Result<(), Error> {
    if matches!(component, "." | ".." | "*") {
        return Err(Error::ReservedComponent { role: role.into(), component: component.into() });
    }
    if component.starts_with('-') {
        return Err(Error::LeadingDash(component.into()));
    }
    if component.contains(|c| matches!(c, '\x09'..='\x0d' | ' ' | '\x7f')) {
        return Err(Error::InvalidCharacter(component.into()));
    }
    Ok(())
}

/// The roles of a comma separated list; empty entries are skipped (`--roles`).
pub fn parse(text: &str) -> Result<Vec<Role>, Error> {
    let roles = text.split(',').filter(|role| !role.is_empty());
    roles.map(|role| validate(role).map(|()| Role::from(role))).collect()
}

/// True if `left` lies below `right` in the tree: `a/b` below `a`, but `a` not below itself, nor anything below `*`.
pub fn is_strict_subrole_of(left: &str, right: &str) -> bool {
    left.strip_prefix(right).is_some_and(|rest| rest.starts_with('/'))
}

/// True if `left` is `right` or lies below it.
pub fn is_in_subtree_of(left: &str, right: &str) -> bool {
    left.strip_prefix(right).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The roles above a role, nearest first: `a/b/c` gives `a/b`, then `a`.
pub fn ancestors(role: &str) -> impl Iterator<Item = &str> {
    role.rmatch_indices('/').map(|(slash, _)| &role[..slash])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_has_a_longest_length() {
        assert_eq!(validate(&"r".repeat(MAX_BYTES)), Ok(()));
        assert_eq!(validate(&"r".repeat(MAX_BYTES + 1)), Err(Error::TooLong(MAX_BYTES + 1)));
    }
}
