//! An agent's operator API, and the files of its tasks.

use super::api::Api;
use super::{Error, FileData, files};
use crate::address::{self, AddressError};
use bytes::Bytes;
use tepui_proto::ContentType;
use tepui_proto::MessageField;
use tepui_proto::mesos::agent::call::Type;
use tepui_proto::mesos::agent::response::{GetAgent, GetExecutors, GetFlags, GetFrameworks, GetMetrics, GetTasks};
use tepui_proto::mesos::agent::{Call, Response};

/// The port of an agent that names none.
const AGENT_PORT: u16 = 5051;

/// A client of one agent's operator API.
pub struct Agent {
    api: Api,
}

impl Agent {
    /// A client for an agent at `host:port` or `slave(1)@host:port`. Connects with the first question.
    pub fn new(agent: &str) -> Result<Agent, AddressError> {
        Ok(Agent { api: Api::new(address::endpoint(agent, AGENT_PORT)?) })
    }

    /// Identifies itself with a principal and its secret (HTTP Basic).
    #[must_use]
    pub fn credentials(mut self, principal: &str, secret: &str) -> Agent {
        self.api.identify(principal, secret);
        self
    }

    /// JSON or (default) protobuf.
    #[must_use]
    pub fn content_type(mut self, form: ContentType) -> Agent {
        self.api.form = form;
        self
    }

    /// Makes any call that is answered at once. Calls without a response body give an empty one.
    pub async fn call(&self, call: &Call) -> Result<Response, Error> {
        self.api.call(call).await
    }

    async fn get<T: Default>(&self, kind: Type, part: fn(Response) -> MessageField<T>) -> Result<T, Error> {
        let call = Call { r#type: Some(kind), ..Call::default() };
        Ok(part(self.call(&call).await?).into_option().unwrap_or_default())
    }

    /// Whether the agent is well.
    pub async fn health(&self) -> Result<bool, Error> {
        self.get(Type::GET_HEALTH, |response| response.get_health).await.map(|health| health.healthy)
    }

    /// The agent's flags.
    pub async fn flags(&self) -> Result<GetFlags, Error> {
        self.get(Type::GET_FLAGS, |response| response.get_flags).await
    }

    /// The agent's metrics.
    pub async fn metrics(&self) -> Result<GetMetrics, Error> {
        self.get(Type::GET_METRICS, |response| response.get_metrics).await
    }

    /// Who the agent is, once it has registered.
    pub async fn agent(&self) -> Result<GetAgent, Error> {
        self.get(Type::GET_AGENT, |response| response.get_agent).await
    }

    /// The frameworks that run something here.
    pub async fn frameworks(&self) -> Result<GetFrameworks, Error> {
        self.get(Type::GET_FRAMEWORKS, |response| response.get_frameworks).await
    }

    /// The executors.
    pub async fn executors(&self) -> Result<GetExecutors, Error> {
        self.get(Type::GET_EXECUTORS, |response| response.get_executors).await
    }

    /// The tasks.
    pub async fn tasks(&self) -> Result<GetTasks, Error> {
        self.get(Type::GET_TASKS, |response| response.get_tasks).await
    }

    /// A piece of a file, by its virtual path ([`sandbox`]); fewer bytes than asked for when the file has no more or
    /// the agent limits what it gives at once (to 64 KB). Data is empty at the end of the file.
    pub async fn read_file(&self, path: &str, offset: u64, length: u64) -> Result<FileData, Error> {
        let target = files::read_target(path, offset, length);
        let reply = self.api.request("GET", &target, Bytes::new()).await?;
        match files::parse(&reply.body) {
            Some(data) => Ok(data),
            None => Err(Error::Unreadable {
                address: self.api.address().await,
                reason: "expecting data and offset".to_owned(),
            }),
        }
    }

    /// The virtual path of a file in the sandbox of an executor's latest run. A task without an executor of its own has
    /// one with the task's id.
    pub fn sandbox(framework_id: &str, executor_id: &str, file: &str) -> String {
        format!("/frameworks/{framework_id}/executors/{executor_id}/runs/latest/{file}")
    }
}
