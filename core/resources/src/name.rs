//! Names of resources: the few that nearly every resource bears cost nothing to copy or compare.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// The name of a resource or quantity (`cpus`, `mem`, ...).
///
/// Well-known names are plain tags; any other name is shared text. A well-known name is never held as text, so
/// equality by variant is equality by text. Names order as their texts do.
#[derive(Clone, PartialEq, Eq)]
pub struct Name(Repr);

/// The well-known variants stand in the alphabetical order of their texts: `Ord` relies on it.
#[derive(Clone, PartialEq, Eq)]
enum Repr {
    Cpus,
    Disk,
    EphemeralPorts,
    Gpus,
    Mem,
    Ports,
    Other(Arc<str>),
}

impl Name {
    /// `cpus`: processor shares, a scalar.
    pub const CPUS: Name = Name(Repr::Cpus);
    /// `disk`: megabytes, a scalar.
    pub const DISK: Name = Name(Repr::Disk);
    /// `ephemeral_ports`: ranges used by the port-mapping isolator.
    pub const EPHEMERAL_PORTS: Name = Name(Repr::EphemeralPorts);
    /// `gpus`: whole devices, a scalar.
    pub const GPUS: Name = Name(Repr::Gpus);
    /// `mem`: megabytes, a scalar.
    pub const MEM: Name = Name(Repr::Mem);
    /// `ports`: ranges.
    pub const PORTS: Name = Name(Repr::Ports);

    /// The name as text.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Repr::Cpus => "cpus",
            Repr::Disk => "disk",
            Repr::EphemeralPorts => "ephemeral_ports",
            Repr::Gpus => "gpus",
            Repr::Mem => "mem",
            Repr::Ports => "ports",
            Repr::Other(text) => text,
        }
    }

    /// How many well-known names there are.
    pub const WELL_KNOWN: usize = 6;

    /// The rank of a well-known name among the well-known ones, in alphabetical order.
    pub fn rank(&self) -> Option<u8> {
        match &self.0 {
            Repr::Cpus => Some(0),
            Repr::Disk => Some(1),
            Repr::EphemeralPorts => Some(2),
            Repr::Gpus => Some(3),
            Repr::Mem => Some(4),
            Repr::Ports => Some(5),
            Repr::Other(_) => None,
        }
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Name {
        Name(match text {
            "cpus" => Repr::Cpus,
            "disk" => Repr::Disk,
            "ephemeral_ports" => Repr::EphemeralPorts,
            "gpus" => Repr::Gpus,
            "mem" => Repr::Mem,
            "ports" => Repr::Ports,
            other => Repr::Other(Arc::from(other)),
        })
    }
}

impl PartialEq<str> for Name {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Name {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Name) -> Ordering {
        match (self.rank(), other.rank()) {
            (Some(left), Some(right)) => left.cmp(&right),
            _ => self.as_str().cmp(other.as_str()),
        }
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Name) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::Name;

    #[test]
    fn well_known_names_order_as_their_texts() {
        let texts = ["cpus", "disk", "ephemeral_ports", "gpus", "mem", "ports", "a", "e", "zebra"];
        for left in texts {
            for right in texts {
                let names = (Name::from(left), Name::from(right));
                assert_eq!(names.0.cmp(&names.1), left.cmp(right), "{left} {right}");
                assert_eq!(names.0 == names.1, left == right);
            }
        }
    }
}
