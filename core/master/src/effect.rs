//! What the master can do.

use crate::subscribers::FirstEvent;
use tepui_wire::{NetEffect, RequestId};

/// One effect of the master. None of them waits for a local write: what must outlive the master is the registrar's.
#[derive(Clone, Debug)]
pub enum Effect {
    /// To the network.
    Net(NetEffect),
    /// The first record of an operator event stream, before all that is written to it later. It may be large: who
    /// carries this out may write it down beside the machine.
    Show(RequestId, Box<FirstEvent>),
    /// To the registrar.
    Registry(tepui_registry::Input),
    /// To the allocator.
    Allocator(tepui_allocator::Input),
    /// This master must not go on; why.
    Exit(String),
}
