//! V1 calls and answers between JSON, as scripts have them, and protobuf, as the wire has them.

use anyhow::{Context, Result};
use tepui_proto::json::{Names, from_slice, to_string};
use tepui_proto::mesos::{agent, executor, master, scheduler};
use tepui_proto::{ContentType, Message, MessageName, codec, v1};

use super::script::Api;

/// A call as protobuf.
pub fn encode(api: Api, json: &str) -> Result<Vec<u8>> {
    fn plain<M: Message + MessageName>(json: &str) -> Result<Vec<u8>> {
        let message: M = from_slice(json.as_bytes(), Names::V1).with_context(|| format!("no such call: {json}"))?;
        Ok(codec::encode(&message).to_vec())
    }
    match api {
        Api::Scheduler => {
            let call: scheduler::Call = from_slice(json.as_bytes(), Names::V1).with_context(|| json.to_owned())?;
            Ok(v1::encode_scheduler_call(ContentType::Protobuf, &call).to_vec())
        }
        Api::Operator => plain::<master::Call>(json),
        Api::Agent => plain::<agent::Call>(json),
        Api::Executor => plain::<executor::Call>(json),
    }
}

/// An answer (`event`: a record of a stream) as JSON.
pub fn decode(api: Api, event: bool, bytes: &[u8]) -> Result<String> {
    fn plain<M: Message + MessageName>(bytes: &[u8]) -> Result<String> {
        Ok(to_string(&codec::decode::<M>(bytes)?, Names::V1))
    }
    match (api, event) {
        (Api::Scheduler, true) => plain::<scheduler::Event>(bytes),
        (Api::Scheduler, false) => plain::<scheduler::Response>(bytes),
        (Api::Operator, true) => plain::<master::Event>(bytes),
        (Api::Operator, false) => plain::<master::Response>(bytes),
        (Api::Agent, _) => plain::<agent::Response>(bytes),
        (Api::Executor, _) => plain::<executor::Event>(bytes),
    }
}
