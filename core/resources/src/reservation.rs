//! One entry of a resource's stack of reservations.

use std::fmt;
use std::sync::Arc;

use crate::{Labels, Role};

/// How a reservation came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// By the agent's flags; it lasts as long as they say so.
    Static,
    /// By an operation of a framework or an operator; it can be undone.
    Dynamic,
}

/// A reservation for a role. On top of another it refines it: its role lies below the other's.
#[derive(Clone, Debug, PartialEq)]
pub struct Reservation {
    /// How it came to be.
    pub kind: Kind,
    /// The role it is for, never `*`.
    pub role: Role,
    /// Who reserved it.
    pub principal: Option<Arc<str>>,
    /// What the reserver wrote on it.
    pub labels: Option<Labels>,
}

impl Reservation {
    /// A reservation by the agent's flags.
    pub fn fixed(role: &str) -> Reservation {
        Reservation { kind: Kind::Static, role: Role::from(role), principal: None, labels: None }
    }

    /// A reservation by an operation.
    pub fn dynamic(role: &str, principal: Option<&str>) -> Reservation {
        Reservation { kind: Kind::Dynamic, role: Role::from(role), principal: principal.map(Arc::from), labels: None }
    }
}

/// What two stacks have in common from the bottom: how far one must be undone before it can be built up to the other
/// (`Resources::getReservationAncestor`).
pub fn common_ancestor<'a>(left: &'a [Reservation], right: &[Reservation]) -> &'a [Reservation] {
    let common = left.iter().zip(right).take_while(|(one, other)| one == other).count();
    &left[..common]
}

/// `DYNAMIC,role,principal,{key: value}`.
impl fmt::Display for Reservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Static => "STATIC",
            Kind::Dynamic => "DYNAMIC",
        };
        write!(f, "{kind},{}", self.role)?;
        if let Some(principal) = &self.principal {
            write!(f, ",{principal}")?;
        }
        match &self.labels {
            Some(labels) => write!(f, ",{labels}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Reservation, common_ancestor};

    #[test]
    fn stacks_share_what_they_have_in_common_from_the_bottom() {
        let stack = |roles: &[&str]| roles.iter().map(|role| Reservation::dynamic(role, None)).collect::<Vec<_>>();
        let (bar, baz) = (stack(&["foo", "foo/bar"]), stack(&["foo", "foo/baz"]));
        assert_eq!(common_ancestor(&bar, &baz), stack(&["foo"]));
        assert_eq!(common_ancestor(&bar, &bar), bar);
        assert_eq!(common_ancestor(&bar, &stack(&["foo"])), stack(&["foo"]));
        assert_eq!(common_ancestor(&bar, &[]), []);
        assert_eq!(common_ancestor(&stack(&["ops"]), &baz), []);
    }
}
