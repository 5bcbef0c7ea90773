//! What a framework learns, as one typed value per happening.

use tepui_base::FrameworkId;
use tepui_proto::mesos::scheduler::{self, event::Type};
use tepui_proto::mesos::{AgentID, ExecutorID, InverseOffer, MasterInfo, Offer, OfferID, OperationStatus, TaskStatus};

/// One event of a framework.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The master has taken the framework in, for the first time or again after [`Event::Disconnected`]. Offers made
    /// before are void.
    Subscribed {
        /// The framework's id, to be kept where an instance after this one finds it.
        framework_id: FrameworkId,
        /// The leading master.
        master: Option<MasterInfo>,
    },
    /// The subscription ended, or an attempt at one failed, for this reason; the next attempt follows by itself. Offers
    /// are void, tasks run on.
    Disconnected(String),
    /// Resources to be accepted or declined.
    Offers(Vec<Offer>),
    /// An offer is void.
    Rescind(OfferID),
    /// Resources asked back for maintenance.
    InverseOffers(Vec<InverseOffer>),
    /// A request to give back is void.
    RescindInverseOffer(OfferID),
    /// A task's state; to be acknowledged if it has a uuid and acknowledgements are not implicit.
    Update(TaskStatus),
    /// An operation's state; to be acknowledged if it has a uuid.
    OperationUpdate(OperationStatus),
    /// Bytes from an executor.
    Message {
        /// Where the executor runs.
        agent_id: AgentID,
        /// Who sends.
        executor_id: ExecutorID,
        /// What it says.
        data: Vec<u8>,
    },
    /// An agent (no executor named) or an executor is gone.
    Failure {
        /// The agent.
        agent_id: Option<AgentID>,
        /// The executor, if only it is gone.
        executor_id: Option<ExecutorID>,
        /// The executor's wait status.
        status: Option<i32>,
    },
    /// The master refuses the framework, or has removed it. Nothing follows.
    Error(String),
}

/// What an event of the wire says, if it says anything: `None` for heartbeats, for types of later versions, and for
/// events without the part that belongs to their type.
pub fn from_proto(event: scheduler::Event) -> Option<Event> {
    match event.r#type? {
        Type::SUBSCRIBED => {
            let subscribed = event.subscribed.into_option()?;
            let framework_id = FrameworkId::from(subscribed.framework_id.value.as_str());
            Some(Event::Subscribed { framework_id, master: subscribed.master_info.into_option() })
        }
        Type::OFFERS => event.offers.into_option().map(|offers| Event::Offers(offers.offers)),
        Type::RESCIND => event.rescind.into_option()?.offer_id.into_option().map(Event::Rescind),
        Type::INVERSE_OFFERS => {
            event.inverse_offers.into_option().map(|offers| Event::InverseOffers(offers.inverse_offers))
        }
        Type::RESCIND_INVERSE_OFFER => {
            let rescind = event.rescind_inverse_offer.into_option()?;
            rescind.inverse_offer_id.into_option().map(Event::RescindInverseOffer)
        }
        Type::UPDATE => event.update.into_option()?.status.into_option().map(Event::Update),
        Type::UPDATE_OPERATION_STATUS => {
            event.update_operation_status.into_option()?.status.into_option().map(Event::OperationUpdate)
        }
        Type::MESSAGE => {
            let message = event.message.into_option()?;
            let agent_id = message.agent_id.into_option()?;
            let executor_id = message.executor_id.into_option()?;
            Some(Event::Message { agent_id, executor_id, data: message.data })
        }
        Type::FAILURE => {
            let failure = event.failure.into_option()?;
            let (agent_id, executor_id) = (failure.agent_id.into_option(), failure.executor_id.into_option());
            Some(Event::Failure { agent_id, executor_id, status: failure.status })
        }
        Type::ERROR => event.error.into_option().map(|error| Event::Error(error.message)),
        Type::HEARTBEAT | Type::UNKNOWN => None,
    }
}
