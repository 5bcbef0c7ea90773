//! What the master can learn.

use tepui_authz::Approvers;
use tepui_wire::NetInput;

/// One input of the master.
#[derive(Clone, Debug)]
pub enum Input {
    /// From the network. Messages for `slave-observer(N)` come here as well as those for `master`: one master owns
    /// several process ids at its address.
    Net(NetInput),
    /// An answer of the registrar.
    Registry(tepui_registry::Output),
    /// Offers decided by the allocator. They can be stale: keys of frameworks and agents gone meanwhile are noticed
    /// and the resources given back.
    Allocator(tepui_allocator::Effect),
    /// New authorization rules.
    Approvers(Approvers),
}
