//! A framework that can no longer be reached, its heartbeats while it can, and the end of our patience.

use crate::Master;
use crate::cx::Cx;
use crate::event::{Event, HEARTBEAT_SECS};
use crate::state::Connection;
use crate::timers::Timer;
use std::time::Duration;
use tepui_base::FrameworkId;
use tepui_wire::{RequestId, Upid};

impl Master {
    /// A stream broke: a V1 framework's or an operator's.
    pub(crate) fn stream_closed(&mut self, cx: &mut Cx, stream: RequestId) {
        if let Some(id) = self.addresses.streams.remove(&stream) {
            self.framework_lost(cx, &id);
        } else {
            self.operator_left(stream);
        }
    }

    /// The link to a V0 framework broke. It is told, in case it still listens.
    pub(crate) fn framework_exited(&mut self, cx: &mut Cx, id: &FrameworkId) {
        self.tell(cx, id, Event::Error("Framework disconnected".to_owned()));
        self.framework_lost(cx, id);
    }

    /// Takes the offers back and gives the framework its failover timeout to come back in.
    ///
    /// A negative one never ends: Mesos computes when it would be over as a moment beyond all others.
    fn framework_lost(&mut self, cx: &mut Cx, id: &FrameworkId) {
        let number = self.next_disconnection();
        let framework = self.state.framework_mut(id).expect("only registered frameworks are reached");
        framework.disconnection = number;
        // Whole nanoseconds, so that what is next to nothing is nothing, on either side.
        let nanos = (framework.info.failover_timeout.unwrap_or(0.0) * 1e9).trunc();
        let patience = (nanos >= 0.0).then(|| Duration::from_nanos(nanos as u64));
        if framework.is_connected() {
            if framework.active {
                self.deactivate_framework(cx, id, true);
            }
            let framework = self.state.framework_mut(id).expect("it was there a moment ago");
            framework.connection = Connection::Disconnected;
            framework.http = None;
        }
        if let Some(patience) = patience {
            self.timers.set(cx.now.monotonic + patience, Timer::Failover(id.clone(), number));
        }
    }

    /// The framework did not come back in time.
    pub(crate) fn failover_timeout(&mut self, cx: &mut Cx, id: &FrameworkId, number: u64) {
        let expired = self
            .state
            .frameworks
            .get(id)
            .is_some_and(|framework| !framework.is_connected() && framework.disconnection == number);
        if expired {
            self.remove_framework(cx, id);
        }
    }

    /// A V0 driver wants no more offers but stays.
    pub(crate) fn deactivate_by_driver(&mut self, cx: &mut Cx, id: &FrameworkId) {
        if self.state.frameworks[id].is_connected() && self.state.frameworks[id].active {
            self.deactivate_framework(cx, id, true);
        }
    }

    /// Right after SUBSCRIBED, then every 15 seconds, as long as the stream lives.
    pub(crate) fn first_heartbeat(&mut self, cx: &mut Cx, id: &FrameworkId) {
        if let Some(stream) = self.state.frameworks[id].http.as_ref().map(|http| http.request) {
            self.heartbeat(cx, id, stream);
        }
    }

    /// A heartbeat, unless the framework has another stream now.
    pub(crate) fn heartbeat(&mut self, cx: &mut Cx, id: &FrameworkId, stream: RequestId) {
        if self.addresses.streams.get(&stream) == Some(id) {
            self.tell(cx, id, Event::Heartbeat);
            let next = cx.now.monotonic + Duration::from_secs(HEARTBEAT_SECS);
            self.timers.set(next, Timer::Heartbeat(id.clone(), stream));
        }
    }

    /// A link broke.
    pub(crate) fn exited(&mut self, cx: &mut Cx, pid: &Upid) {
        if let Some(id) = self.addresses.frameworks.get(pid).cloned() {
            self.framework_exited(cx, &id);
        } else if let Some(id) = self.addresses.agents.get(pid).cloned() {
            self.agent_exited(cx, &id);
        }
    }
}
