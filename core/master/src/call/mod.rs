//! Calls of a scheduler, one file each. V0 messages and V1 requests end here alike.

mod acknowledge;
mod decline;
mod disconnect;
mod inverse_offers;
mod kill;
mod message;
mod operations;
mod reconcile;
mod request;
mod shutdown;
pub(crate) mod subscribe;
mod suppress;
mod teardown;
mod update;

use crate::Master;
use crate::cx::Cx;
use tepui_base::FrameworkId;
use tepui_proto::mesos::allocator::inverse_offer_status::Status;
use tepui_proto::mesos::scheduler::Call;
use tepui_proto::mesos::scheduler::call::Type;

/// Why a call was not carried out, where the caller hears of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CallError {
    /// It asks for what cannot be.
    #[error("{0}")]
    Invalid(String),
    /// The framework may not do this.
    #[error("{0}")]
    Forbidden(String),
    /// It is the type UNKNOWN, or of a room not built yet; its name.
    #[error("{0} calls are not implemented by this master")]
    NotBuilt(&'static str),
}

use CallError::NotBuilt;

impl Master {
    /// Carries out a valid call of a connected framework; SUBSCRIBE is not one of these.
    pub(crate) fn call(&mut self, cx: &mut Cx, from: &FrameworkId, call: Call) -> Result<(), CallError> {
        match call.r#type.unwrap_or(Type::UNKNOWN) {
            Type::TEARDOWN => self.teardown(cx, from),
            Type::ACCEPT => self.accept(cx, from, call.accept.into_option().unwrap_or_default()),
            Type::DECLINE => self.decline(cx, from, &call.decline),
            Type::REVIVE => self.revive(cx, from, &call.revive.roles),
            Type::SUPPRESS => self.suppress(cx, from, &call.suppress.roles),
            Type::KILL => self.kill(cx, from, &call.kill),
            Type::SHUTDOWN => self.shutdown_executor(cx, from, &call.shutdown),
            Type::ACKNOWLEDGE => self.acknowledge(cx, from, &call.acknowledge),
            Type::RECONCILE => self.reconcile(cx, from, &call.reconcile.tasks),
            Type::MESSAGE => self.message(cx, from, call.message.into_option().unwrap_or_default()),
            Type::REQUEST => self.request(),
            Type::SUBSCRIBE => return Err(NotBuilt("SUBSCRIBE")),
            Type::ACCEPT_INVERSE_OFFERS => {
                let call = &call.accept_inverse_offers;
                self.answer_inverse_offers(cx, from, &call.inverse_offer_ids, call.filters.as_option(), Status::ACCEPT);
            }
            Type::DECLINE_INVERSE_OFFERS => {
                let call = &call.decline_inverse_offers;
                self.answer_inverse_offers(
                    cx,
                    from,
                    &call.inverse_offer_ids,
                    call.filters.as_option(),
                    Status::DECLINE,
                );
            }
            Type::ACKNOWLEDGE_OPERATION_STATUS => self.acknowledge_operation(),
            Type::RECONCILE_OPERATIONS => {
                let reconcile = call.reconcile_operations.into_option().unwrap_or_default();
                self.reconcile_operations(cx, from, reconcile.operations);
            }
            Type::UPDATE_FRAMEWORK => {
                return self.update_call(cx, from, call.update_framework.into_option().unwrap_or_default());
            }
            Type::UNKNOWN => return Err(NotBuilt("UNKNOWN")),
        }
        Ok(())
    }
}
