//! What the master can do.

use tepui_wire::NetEffect;

/// One effect of the master. None of them waits for a local write: what must outlive the master is the registrar's.
#[derive(Clone, Debug)]
pub enum Effect {
    /// To the network.
    Net(NetEffect),
    /// To the registrar.
    Registry(tepui_registry::Input),
    /// To the allocator.
    Allocator(tepui_allocator::Input),
    /// This master must not go on; why.
    Exit(String),
}
