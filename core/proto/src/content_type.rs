//! The two forms an HTTP peer of the V1 APIs can speak.

use crate::codec;
use crate::json::{self, Names};
use buffa::{Message, MessageName};
use bytes::Bytes;

/// JSON or binary protobuf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentType {
    /// `application/json`
    Json,
    /// `application/x-protobuf`
    Protobuf,
}

impl ContentType {
    /// The header value.
    pub fn as_str(self) -> &'static str {
        match self {
            ContentType::Json => "application/json",
            ContentType::Protobuf => "application/x-protobuf",
        }
    }

    /// From a `Content-Type` header: exactly one of the two, without parameters, as Mesos wants it.
    pub fn from_header(value: &str) -> Option<ContentType> {
        [ContentType::Json, ContentType::Protobuf].into_iter().find(|known| known.as_str() == value)
    }

    /// A message of the V1 APIs in this form.
    pub fn encode<M: Message + MessageName>(self, message: &M) -> Bytes {
        match self {
            ContentType::Json => Bytes::from(json::to_string(message, Names::V1)),
            ContentType::Protobuf => message.encode_to_bytes(),
        }
    }

    /// Reads a message of the V1 APIs in this form, as a client does.
    pub fn decode<M: Message + MessageName>(self, body: &[u8]) -> Result<M, Error> {
        match self {
            ContentType::Json => Ok(json::from_slice(body, Names::V1)?),
            ContentType::Protobuf => Ok(codec::decode(body)?),
        }
    }
}

/// Why bytes are not the message they should be, in either form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// In JSON.
    #[error(transparent)]
    Json(#[from] json::Error),
    /// In binary form.
    #[error(transparent)]
    Protobuf(#[from] codec::Error),
}
