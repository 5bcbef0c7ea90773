//! A master's operator API.

use super::Error;
use super::api::Api;
use crate::address::{self, AddressError};
use crate::connection::Answer;
use std::collections::VecDeque;
use tepui_framework::MAX_RECORD_BYTES;
use tepui_proto::mesos::maintenance::{ClusterStatus, Schedule};
use tepui_proto::mesos::master::call::{self, Type};
use tepui_proto::mesos::master::response::{
    GetAgents, GetExecutors, GetFlags, GetFrameworks, GetMaster, GetMetrics, GetRoles, GetState, GetTasks,
};
use tepui_proto::mesos::master::{Call, Event, Response};
use tepui_proto::mesos::{MachineID, VersionInfo};
use tepui_proto::{ContentType, MessageField, recordio};

/// A client of the leading master's operator API.
pub struct Operator {
    api: Api,
}

impl Operator {
    /// A client for a master at `host:port`, in the forms a scheduler takes. A master that does not lead names the one
    /// that does, which is asked instead. Connects with the first question.
    pub fn new(master: &str) -> Result<Operator, AddressError> {
        Ok(Operator { api: Api::new(address::masters(master)?.swap_remove(0)) })
    }

    /// Identifies itself with a principal and its secret (HTTP Basic).
    #[must_use]
    pub fn credentials(mut self, principal: &str, secret: &str) -> Operator {
        self.api.identify(principal, secret);
        self
    }

    /// JSON or (default) protobuf.
    #[must_use]
    pub fn content_type(mut self, form: ContentType) -> Operator {
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

    /// Whether the master is well.
    pub async fn health(&self) -> Result<bool, Error> {
        self.get(Type::GET_HEALTH, |response| response.get_health).await.map(|health| health.healthy)
    }

    /// The master's version.
    pub async fn version(&self) -> Result<VersionInfo, Error> {
        let version = self.get(Type::GET_VERSION, |response| response.get_version).await?;
        Ok(version.version_info.into_option().unwrap_or_default())
    }

    /// The master's flags.
    pub async fn flags(&self) -> Result<GetFlags, Error> {
        self.get(Type::GET_FLAGS, |response| response.get_flags).await
    }

    /// The master's metrics.
    pub async fn metrics(&self) -> Result<GetMetrics, Error> {
        self.get(Type::GET_METRICS, |response| response.get_metrics).await
    }

    /// Agents, tasks, frameworks and executors, at one moment.
    pub async fn state(&self) -> Result<GetState, Error> {
        self.get(Type::GET_STATE, |response| response.get_state).await
    }

    /// The agents.
    pub async fn agents(&self) -> Result<GetAgents, Error> {
        self.get(Type::GET_AGENTS, |response| response.get_agents).await
    }

    /// The frameworks.
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

    /// The roles.
    pub async fn roles(&self) -> Result<GetRoles, Error> {
        self.get(Type::GET_ROLES, |response| response.get_roles).await
    }

    /// When which machines are to be maintained.
    pub async fn maintenance_schedule(&self) -> Result<Schedule, Error> {
        let answer = self.get(Type::GET_MAINTENANCE_SCHEDULE, |response| response.get_maintenance_schedule).await?;
        Ok(answer.schedule.into_option().unwrap_or_default())
    }

    /// Which machines drain, with what frameworks say to it, and which are down.
    pub async fn maintenance_status(&self) -> Result<ClusterStatus, Error> {
        let answer = self.get(Type::GET_MAINTENANCE_STATUS, |response| response.get_maintenance_status).await?;
        Ok(answer.status.into_option().unwrap_or_default())
    }

    /// Puts a schedule in place of the present one: machines in it drain.
    pub async fn update_maintenance_schedule(&self, schedule: Schedule) -> Result<(), Error> {
        let update = call::UpdateMaintenanceSchedule { schedule: schedule.into(), ..Default::default() };
        let kind = Some(Type::UPDATE_MAINTENANCE_SCHEDULE);
        self.make(Call { r#type: kind, update_maintenance_schedule: update.into(), ..Call::default() }).await
    }

    /// Takes draining machines down: their agents are shut down, and refused until [`Operator::stop_maintenance`].
    pub async fn start_maintenance(&self, machines: Vec<MachineID>) -> Result<(), Error> {
        let start = call::StartMaintenance { machines, ..Default::default() };
        self.make(Call { r#type: Some(Type::START_MAINTENANCE), start_maintenance: start.into(), ..Call::default() })
            .await
    }

    /// Brings machines up that are down, and takes them off the schedule.
    pub async fn stop_maintenance(&self, machines: Vec<MachineID>) -> Result<(), Error> {
        let stop = call::StopMaintenance { machines, ..Default::default() };
        self.make(Call { r#type: Some(Type::STOP_MAINTENANCE), stop_maintenance: stop.into(), ..Call::default() }).await
    }

    async fn make(&self, call: Call) -> Result<(), Error> {
        self.call(&call).await.map(|_| ())
    }

    /// The leading master.
    pub async fn master(&self) -> Result<GetMaster, Error> {
        self.get(Type::GET_MASTER, |response| response.get_master).await
    }

    /// `host:port` of the master last asked: the leader, once a question has been answered.
    pub async fn address(&self) -> String {
        self.api.address().await
    }

    /// The whole state, then each change of it, until the connection ends.
    pub async fn watch(&self) -> Result<Watch, Error> {
        let call = Call { r#type: Some(Type::SUBSCRIBE), ..Call::default() };
        let answer = self.api.stream(self.api.form.encode(&call)).await?;
        let decoder = recordio::Decoder::new(MAX_RECORD_BYTES);
        let address = self.address().await;
        Ok(Watch { answer, decoder, form: self.api.form, address, events: VecDeque::new() })
    }
}

/// The events of a cluster. See [`Operator::watch`].
pub struct Watch {
    answer: Answer,
    decoder: recordio::Decoder,
    form: ContentType,
    address: String,
    events: VecDeque<Event>,
}

impl Watch {
    /// The next event, heartbeats included; `None` when the master has ended the stream.
    pub async fn next(&mut self) -> Result<Option<Event>, Error> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(Some(event));
            }
            let Some(chunk) = self.answer.chunk().await else { return Ok(None) };
            let chunk = chunk.map_err(|reason| Error::Connection { address: self.address.clone(), reason })?;
            self.decoder.push(&chunk);
            self.decode().map_err(|reason| Error::Unreadable { address: self.address.clone(), reason })?;
        }
    }

    fn decode(&mut self) -> Result<(), String> {
        while let Some(record) = self.decoder.next_record().map_err(|error| error.to_string())? {
            self.events.push_back(self.form.decode(&record).map_err(|error| error.to_string())?);
        }
        Ok(())
    }
}
