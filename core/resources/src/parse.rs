//! Resources and amounts as a person writes them in flags.
//!
//! `cpus(role):4;mem:1024;ports:[31000-32000];disks:{a,b}`, or a JSON array of `Resource` messages. Facts from
//! `Resources::parse` of `src/common/resources.cpp`.

use tepui_proto::MessageField;
use tepui_proto::json::{self, Names};
use tepui_proto::mesos;
use tepui_proto::mesos::resource::{ReservationInfo, reservation_info};
use tepui_proto::mesos::value as message;

use crate::value::{self, Parsed, tokens};
use crate::{Name, Resource, Resources, Scalar, format, roles, validate};

/// Why resources in a flag are refused; the texts are those of Mesos.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not exactly one colon.
    #[error("Bad value for resources, missing or extra ':' in {0}")]
    Colon(String),
    /// An opening parenthesis without its closing one.
    #[error("Bad value for resources, mismatched parentheses in {0}")]
    Parentheses(String),
    /// No value.
    #[error("Failed to parse resource {name} value {value} error {error}")]
    Value {
        /// The resource.
        name: String,
        /// What stands for its value.
        value: String,
        /// What is wrong with that.
        error: value::Error,
    },
    /// A text.
    #[error("Bad type for resource {name} value {value} type TEXT")]
    Text {
        /// The resource.
        name: String,
        /// The text.
        value: String,
    },
    /// A JSON array, but not of resources.
    #[error("Some JSON resources were not formatted properly: {0}")]
    Json(json::Error),
    /// A resource that is not valid.
    #[error(transparent)]
    Invalid(#[from] validate::Error),
    /// A resource that is valid, but not in a flag.
    #[error(transparent)]
    CommandLine(#[from] validate::CommandLineError),
}

impl Resources {
    /// Reads the resources of a flag. What is not reserved there is reserved for `default_role`, unless that is `*`.
    pub fn parse(text: &str, default_role: &str) -> Result<Resources, Error> {
        let resources: Resources = entries(text, default_role)?.into_iter().collect();
        validate::command_line(&resources)?;
        Ok(resources)
    }
}

/// Reads each resource of a flag, empty ones too: `gpus:0` says that there are none, so that nobody need look.
pub fn entries(text: &str, default_role: &str) -> Result<Vec<Resource>, Error> {
    let mut messages = match json::parse(text.as_bytes()) {
        Ok(serde_json::Value::Array(array)) => array.iter().map(from_json).collect::<Result<Vec<_>, _>>()?,
        _ => tokens(text, ";").map(|token| from_text(token, default_role)).collect::<Result<Vec<_>, _>>()?,
    };
    for message in messages.iter_mut().filter(|message| message.role.is_none() && message.reservations.is_empty()) {
        message.role = Some(default_role.to_owned());
    }
    format::upgrade_all(&mut messages);
    messages.iter().map(|message| Ok(Resource::from_proto(message)?)).collect()
}

fn from_json(json: &serde_json::Value) -> Result<mesos::Resource, Error> {
    json::from_value(json, Names::V0).map_err(Error::Json)
}

/// `name:value` or `name(role):value`.
fn from_text(token: &str, default_role: &str) -> Result<mesos::Resource, Error> {
    let [key, value] = &tokens(token, ":").collect::<Vec<_>>()[..] else { return Err(Error::Colon(token.into())) };
    match key.split_once('(') {
        None => from_parts(key.trim(), default_role, value),
        Some((name, rest)) => {
            let role = match rest.split_once(')') {
                Some((role, _)) if !name.contains(')') => role,
                _ => return Err(Error::Parentheses(token.into())),
            };
            from_parts(name.trim(), role.trim(), value)
        }
    }
}

fn from_parts(name: &str, role: &str, text: &str) -> Result<mesos::Resource, Error> {
    let parsed =
        value::parse(text).map_err(|error| Error::Value { name: name.to_owned(), value: text.to_owned(), error })?;
    let mut resource = mesos::Resource { name: name.to_owned(), ..Default::default() };
    if role == roles::STAR {
        resource.role = Some(role.to_owned());
    } else {
        resource.reservations.push(ReservationInfo {
            r#type: Some(reservation_info::Type::STATIC),
            role: Some(role.to_owned()),
            ..Default::default()
        });
    }
    match parsed {
        Parsed::Scalar(value) => {
            resource.r#type = message::Type::SCALAR;
            resource.scalar = MessageField::some(message::Scalar { value, ..Default::default() });
        }
        Parsed::Ranges(ranges) => {
            resource.r#type = message::Type::RANGES;
            resource.ranges = MessageField::some((&ranges).into());
        }
        Parsed::Set(item) => {
            resource.r#type = message::Type::SET;
            resource.set = MessageField::some(message::Set { item, ..Default::default() });
        }
        Parsed::Text(_) => return Err(Error::Text { name: name.to_owned(), value: text.to_owned() }),
    }
    Ok(resource)
}

/// Why amounts in a flag are refused; the texts are those of Mesos.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// Not exactly one colon.
    #[error("Failed to parse '{0}': missing or extra ':'")]
    Colon(String),
    /// No value.
    #[error("Failed to parse '{text}' to {what}: {error}")]
    Value {
        /// What stands for the amount.
        text: String,
        /// `quantity` or `limit`.
        what: &'static str,
        /// What is wrong with it.
        error: value::Error,
    },
    /// Ranges, a set or a text.
    #[error("Failed to parse '{text}' to {what}: only scalar values are allowed")]
    NotScalar {
        /// What stands for the amount.
        text: String,
        /// `quantity` or `limit`.
        what: &'static str,
    },
    /// A name twice where only one bound can hold.
    #[error("Failed to parse '{0}' to limit: duplicate names are not allowed")]
    DuplicateName(String),
}

/// Reads `cpus:10;mem:1024` in the order in which it is written.
pub(crate) fn amounts(text: &str, what: &'static str) -> Result<Vec<(Name, Scalar)>, QuantityError> {
    tokens(text, ";").map(|token| amount(token, what)).collect()
}

fn amount(token: &str, what: &'static str) -> Result<(Name, Scalar), QuantityError> {
    let [name, text] = tokens(token, ":").collect::<Vec<_>>()[..] else {
        return Err(QuantityError::Colon(token.to_owned()));
    };
    match value::parse(text) {
        Ok(Parsed::Scalar(value)) => Ok((Name::from(name.trim()), Scalar::from_f64(value))),
        Ok(_) => Err(QuantityError::NotScalar { text: text.to_owned(), what }),
        Err(error) => Err(QuantityError::Value { text: text.to_owned(), what, error }),
    }
}
