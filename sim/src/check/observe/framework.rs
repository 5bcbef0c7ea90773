//! What frameworks send and hear.

use super::{read, see, update, update_of};
use crate::check::Fact;
use crate::network::Process;
use crate::world::World;
use tepui_framework::exchange::{HttpEffect, HttpInput};
use tepui_proto::mesos::internal::{
    RescindResourceOfferMessage, ResourceOffersMessage, StatusUpdateAcknowledgementMessage, StatusUpdateMessage,
};
use tepui_proto::mesos::scheduler::{Call, Event, call, event};
use tepui_proto::{ContentType, v1};
use tepui_wire::Message;

/// What a V1 framework sends.
pub fn framework_http(world: &mut World, effect: &HttpEffect) {
    let HttpEffect::Call(_, post) = effect else { return };
    let form = post.headers.iter().find(|(name, _)| *name == "Content-Type");
    let form = form.and_then(|(_, value)| ContentType::from_header(value));
    if let Some(Ok(call)) = form.map(|form| v1::decode_scheduler_call(form, &post.body)) {
        sent(world, &call);
    }
}

fn sent(world: &mut World, call: &Call) {
    let ids = |ids: &[tepui_proto::mesos::OfferID]| ids.iter().map(|id| id.value.clone()).collect();
    match call.r#type {
        Some(call::Type::ACKNOWLEDGE) => see(world, &Fact::Acknowledged { uuid: call.acknowledge.uuid.clone() }),
        Some(call::Type::ACCEPT) => see(world, &Fact::OfferAnswered { offers: ids(&call.accept.offer_ids) }),
        Some(call::Type::DECLINE) => see(world, &Fact::OfferAnswered { offers: ids(&call.decline.offer_ids) }),
        _ => {}
    }
}

/// What a V1 framework hears.
pub fn framework_input(world: &mut World, me: Process, form: ContentType, input: &HttpInput) {
    let framework = me.host;
    match input {
        HttpInput::Opened(..) | HttpInput::Closed(..) => see(world, &Fact::Connected { framework }),
        HttpInput::Chunk(_, bytes) => {
            let start = bytes.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            let Ok(event) = form.decode::<Event>(&bytes[start..]) else { return };
            match event.r#type {
                Some(event::Type::OFFERS) => {
                    for offer in &event.offers.offers {
                        see(world, &Fact::OfferArrived { to: framework, offer: offer.id.value.clone() });
                    }
                }
                Some(event::Type::RESCIND) => {
                    see(world, &Fact::RescindArrived { offer: event.rescind.offer_id.value.clone() });
                }
                Some(event::Type::UPDATE) => {
                    see(world, &Fact::Told { framework, update: update_of(&event.update.status) });
                }
                _ => {}
            }
        }
        HttpInput::Answered(..) => {}
    }
}

/// What a V0 framework sends.
pub fn framework_message(world: &mut World, message: &Message) {
    match message.name.as_str() {
        "mesos.scheduler.Call" => {
            if let Some(call) = read::<Call>(message) {
                sent(world, &call);
            }
        }
        "mesos.internal.StatusUpdateAcknowledgementMessage" => {
            let Some(message) = read::<StatusUpdateAcknowledgementMessage>(message) else { return };
            see(world, &Fact::Acknowledged { uuid: message.uuid });
        }
        _ => {}
    }
}

/// What a V0 framework hears.
pub fn framework_told(world: &mut World, me: Process, message: &Message) {
    let framework = me.host;
    match message.name.as_str() {
        "mesos.internal.ResourceOffersMessage" => {
            let Some(message) = read::<ResourceOffersMessage>(message) else { return };
            for offer in &message.offers {
                see(world, &Fact::OfferArrived { to: framework, offer: offer.id.value.clone() });
            }
        }
        "mesos.internal.RescindResourceOfferMessage" => {
            let Some(message) = read::<RescindResourceOfferMessage>(message) else { return };
            see(world, &Fact::RescindArrived { offer: message.offer_id.value.clone() });
        }
        "mesos.internal.StatusUpdateMessage" => {
            let Some(message) = read::<StatusUpdateMessage>(message) else { return };
            see(world, &Fact::Told { framework, update: update(&message.update) });
        }
        "mesos.internal.FrameworkRegisteredMessage" | "mesos.internal.FrameworkReregisteredMessage" => {
            see(world, &Fact::Connected { framework });
        }
        _ => {}
    }
}
