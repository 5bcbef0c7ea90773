//! What every handler gets beside the master itself: the time, and where effects go.

use crate::effect::Effect;
use crate::subscribers::FirstEvent;
use bytes::Bytes;
use tepui_base::{Now, Outbox};
use tepui_proto::{Message as Proto, MessageName, codec, names};
use tepui_registry as registry;
use tepui_wire::{Message, NetEffect, RequestId, Response, Upid};

/// The moment and the outbox of one call of the machine.
pub struct Cx<'a> {
    /// The time of the input.
    pub now: Now,
    /// Where effects go.
    pub out: &'a mut Outbox<Effect>,
}

impl Cx<'_> {
    /// Sends a libprocess message under its V0 name.
    pub fn send<M: Proto + MessageName>(&mut self, from: &Upid, to: &Upid, message: &M) {
        self.net(NetEffect::Send(Message {
            from: from.clone(),
            to: to.clone(),
            name: names::v0::<M>().into_owned(),
            body: codec::encode(message),
        }));
    }

    /// Watches a process.
    pub fn link(&mut self, to: &Upid) {
        self.net(NetEffect::Link { to: to.clone(), reconnect: false });
    }

    /// Answers an HTTP request.
    pub fn respond(&mut self, request: RequestId, response: Response) {
        self.net(NetEffect::Respond(request, response));
    }

    /// Writes a chunk to a streaming response.
    pub fn write(&mut self, stream: RequestId, chunk: Bytes) {
        self.net(NetEffect::StreamWrite(stream, chunk));
    }

    /// Begins an operator event stream.
    pub fn show(&mut self, stream: RequestId, first: FirstEvent) {
        self.out.push(Effect::Show(stream, Box::new(first)));
    }

    /// Ends a streaming response.
    pub fn close(&mut self, stream: RequestId) {
        self.net(NetEffect::StreamClose(stream));
    }

    /// Asks the allocator.
    pub fn allocator(&mut self, input: tepui_allocator::Input) {
        self.out.push(Effect::Allocator(input));
    }

    /// Asks the registrar.
    pub fn registry(&mut self, input: registry::Input) {
        self.out.push(Effect::Registry(input));
    }

    /// Ends this master.
    pub fn exit(&mut self, why: String) {
        self.out.push(Effect::Exit(why));
    }

    fn net(&mut self, effect: NetEffect) {
        self.out.push(Effect::Net(effect));
    }
}
