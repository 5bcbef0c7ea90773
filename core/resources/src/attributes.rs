//! What an agent says of itself for schedulers to choose by: `rack:r1;zone:2;ports:[1-4]`.
//!
//! Facts from `src/common/attributes.cpp`.

use std::fmt;
use std::sync::Arc;

use tepui_proto::MessageField;
use tepui_proto::mesos;
use tepui_proto::mesos::value as message;

use crate::value::{self, Parsed, tokens};
use crate::{Ranges, Scalar, Set};

/// One attribute. Names need not be unique.
#[derive(Clone, Debug, PartialEq)]
pub struct Attribute {
    /// Its name.
    pub name: Arc<str>,
    /// What it is.
    pub value: Value,
}

/// What an attribute is.
#[derive(Clone, Debug)]
pub enum Value {
    /// A number, as precise as it came; comparisons and texts look at three decimals.
    Scalar(f64),
    /// A set of numbers.
    Ranges(Ranges),
    /// A set of texts: can stand in a message, but not in a flag.
    Set(Set),
    /// A text.
    Text(Arc<str>),
}

impl PartialEq for Value {
    fn eq(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Scalar(mine), Value::Scalar(theirs)) => Scalar::from_f64(*mine) == Scalar::from_f64(*theirs),
            (Value::Ranges(mine), Value::Ranges(theirs)) => mine == theirs,
            (Value::Set(mine), Value::Set(theirs)) => mine == theirs,
            (Value::Text(mine), Value::Text(theirs)) => mine == theirs,
            _ => false,
        }
    }
}

/// The attributes of an agent, in the order in which they are written.
#[derive(Clone, Debug, Default)]
pub struct Attributes(pub Vec<Attribute>);

/// Equal sizes, and each is somewhere in the other.
impl PartialEq for Attributes {
    fn eq(&self, other: &Attributes) -> bool {
        let within = |mine: &Attributes, theirs: &Attributes| mine.0.iter().all(|one| theirs.0.contains(one));
        self.0.len() == other.0.len() && within(self, other) && within(other, self)
    }
}

/// Why attributes in a flag are refused; the texts are those of Mesos.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Name or value is missing.
    #[error("Invalid attribute key:value pair '{0}'")]
    Pair(String),
    /// No value.
    #[error("Failed to parse attribute {name} text {text} error {error}")]
    Value {
        /// The attribute.
        name: String,
        /// What stands for its value.
        text: String,
        /// What is wrong with that.
        error: value::Error,
    },
    /// A set, which is Mesos' value type 2.
    #[error("Bad type for attribute {name} text {text} type 2")]
    Set {
        /// The attribute.
        name: String,
        /// The set.
        text: String,
    },
}

impl Attributes {
    /// Reads the attributes of a flag.
    pub fn parse(text: &str) -> Result<Attributes, Error> {
        tokens(text, ";\n").map(parse_one).collect::<Result<_, _>>().map(Attributes)
    }

    /// Reads messages; a text stands in for a value that is missing.
    pub fn from_proto(messages: &[mesos::Attribute]) -> Attributes {
        Attributes(messages.iter().map(Attribute::from).collect())
    }

    /// The messages.
    pub fn to_proto(&self) -> Vec<mesos::Attribute> {
        self.0.iter().map(mesos::Attribute::from).collect()
    }
}

fn parse_one(token: &str) -> Result<Attribute, Error> {
    let pair = token.split_once(':').filter(|(name, text)| !name.is_empty() && !text.is_empty());
    let (name, text) = pair.ok_or_else(|| Error::Pair(token.to_owned()))?;
    let value = match value::parse(text) {
        Ok(Parsed::Scalar(number)) => Value::Scalar(number),
        Ok(Parsed::Ranges(ranges)) => Value::Ranges(ranges),
        Ok(Parsed::Text(text)) => Value::Text(Arc::from(text)),
        Ok(Parsed::Set(_)) => return Err(Error::Set { name: name.to_owned(), text: text.to_owned() }),
        Err(error) => return Err(Error::Value { name: name.to_owned(), text: text.to_owned(), error }),
    };
    Ok(Attribute { name: Arc::from(name), value })
}

/// True if a message has a name and the value its type calls for. Sets are not supported.
pub fn is_valid(attribute: &mesos::Attribute) -> bool {
    let has_value = match attribute.r#type {
        message::Type::SCALAR => attribute.scalar.is_set(),
        message::Type::RANGES => attribute.ranges.is_set(),
        message::Type::TEXT => attribute.text.is_set(),
        message::Type::SET => false,
    };
    has_value && !attribute.name.is_empty()
}

impl From<&mesos::Attribute> for Attribute {
    fn from(attribute: &mesos::Attribute) -> Attribute {
        let value = match attribute.r#type {
            message::Type::SCALAR => Value::Scalar(attribute.scalar.value),
            message::Type::RANGES => Value::Ranges(Ranges::from(&*attribute.ranges)),
            message::Type::SET => Value::Set(Set::from(&*attribute.set)),
            message::Type::TEXT => Value::Text(Arc::from(&*attribute.text.value)),
        };
        Attribute { name: Arc::from(&*attribute.name), value }
    }
}

impl From<&Attribute> for mesos::Attribute {
    fn from(attribute: &Attribute) -> mesos::Attribute {
        let mut message = mesos::Attribute { name: attribute.name.to_string(), ..Default::default() };
        match &attribute.value {
            Value::Scalar(value) => {
                message.r#type = message::Type::SCALAR;
                message.scalar = MessageField::some(message::Scalar { value: *value, ..Default::default() });
            }
            Value::Ranges(ranges) => {
                message.r#type = message::Type::RANGES;
                message.ranges = MessageField::some(ranges.into());
            }
            Value::Set(set) => {
                message.r#type = message::Type::SET;
                message.set = MessageField::some(set.into());
            }
            Value::Text(text) => {
                message.r#type = message::Type::TEXT;
                message.text = MessageField::some(message::Text { value: text.to_string(), ..Default::default() });
            }
        }
        message
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Scalar(number) => Scalar::from_f64(*number).fmt(f),
            Value::Ranges(ranges) => ranges.fmt(f),
            Value::Set(set) => set.fmt(f),
            Value::Text(text) => f.write_str(text),
        }
    }
}

/// `rack=r1`.
impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.value)
    }
}
