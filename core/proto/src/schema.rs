//! What a message looks like, as static tables made from `proto/` at build time.

/// How often a field occurs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// At most once.
    Optional,
    /// Exactly once (proto2).
    Required,
    /// Any number of times.
    Repeated,
}

/// A field's type. Message, map-entry and enum types are indices, so that the tables hold few pointers to relocate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Kind {
    Double,
    Float,
    Int32,
    Int64,
    Uint32,
    Uint64,
    Bool,
    String,
    Bytes,
    Enum(u16),
    Message(u16),
    /// The synthesized entry message of a map: key is field 1, value is field 2.
    Map(u16),
}

/// One field.
#[derive(Debug)]
pub struct Field {
    /// V1 name.
    pub name: &'static str,
    /// Number on the wire (V0 numbering where the two differ).
    pub number: u32,
    /// How often it occurs.
    pub label: Label,
    /// Its type.
    pub kind: Kind,
    /// The explicit default as JSON text; absent for deprecated fields, which Mesos prints only when set.
    pub default_json: Option<&'static str>,
}

/// One message type.
#[derive(Debug)]
pub struct Message {
    /// Full V1 name, `mesos.scheduler.Call.Subscribe`.
    pub name: &'static str,
    /// Whether it or anything below it has a required field.
    pub checked: bool,
    /// Fields in declaration order, which is the order of JSON output.
    pub fields: &'static [Field],
}

/// One enum type.
#[derive(Debug)]
pub struct Enum {
    /// Full V1 name.
    pub name: &'static str,
    /// V1 value names and numbers.
    pub values: &'static [(&'static str, i32)],
}

mod tables {
    use super::{Enum, Field, Kind, Label, Message};
    include!(concat!(env!("OUT_DIR"), "/schema_tables.rs"));
}

/// The table of a generated type.
pub fn of<M: buffa::MessageName>() -> &'static Message {
    find(M::FULL_NAME).expect("every generated type has a table")
}

/// The table of a message by its full V1 name.
pub fn find(name: &str) -> Option<&'static Message> {
    tables::MESSAGES.binary_search_by(|m| m.name.cmp(name)).ok().map(|at| &tables::MESSAGES[at])
}

/// The message type of a [`Kind::Message`] or [`Kind::Map`].
pub fn message(index: u16) -> &'static Message {
    &tables::MESSAGES[usize::from(index)]
}

/// The enum type of a [`Kind::Enum`].
pub fn enumeration(index: u16) -> &'static Enum {
    &tables::ENUMS[usize::from(index)]
}

impl Message {
    /// The position of the field with this number.
    pub fn position(&self, number: u32) -> Option<usize> {
        self.fields.iter().position(|field| field.number == number)
    }
}

impl Enum {
    /// The V1 name of a number.
    pub fn name_of(&self, number: i32) -> Option<&'static str> {
        self.values.iter().find(|(_, value)| *value == number).map(|(name, _)| *name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted_so_that_lookup_works() {
        assert!(tables::MESSAGES.windows(2).all(|pair| pair[0].name < pair[1].name));
        assert_eq!(of::<crate::mesos::scheduler::call::Subscribe>().name, "mesos.scheduler.Call.Subscribe");
        assert!(find("mesos.Nothing").is_none());
    }

    #[test]
    fn fields_keep_declaration_order_and_defaults() {
        let command = of::<crate::mesos::CommandInfo>();
        let names: Vec<_> = command.fields.iter().map(|f| f.name).collect();
        assert_eq!(names, ["uris", "environment", "shell", "value", "arguments", "user"]);
        assert_eq!(command.fields[2].default_json, Some("true"));
        let role = of::<crate::mesos::Resource>().fields.iter().find(|f| f.name == "role").unwrap();
        assert_eq!(role.default_json, None, "deprecated fields are printed only when set");
    }
}
