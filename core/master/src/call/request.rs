//! REQUEST: a wish for resources.

use crate::Master;
use crate::metrics::Counter;

impl Master {
    /// A hint to the allocator; the hierarchical one takes none, in Mesos as here, so it is counted and no more.
    pub(crate) fn request(&mut self) {
        self.state.metrics.count(Counter::ResourceRequest);
    }
}
