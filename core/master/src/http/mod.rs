//! HTTP requests: who answers what.

mod operator;
mod scheduler;

use crate::cx::Cx;
use crate::operator::move_machines;
use crate::{Master, Phase, view};
use tepui_api::NoHost;
use tepui_wire::{Request, RequestId};

impl Master {
    /// One HTTP request. Reads that did not go past the machine are answered from a snapshot here too.
    pub(crate) fn http(&mut self, cx: &mut Cx, id: RequestId, request: Request) {
        match route(&request.path) {
            "api/v1/scheduler" => return self.scheduler_request(cx, id, request),
            "teardown" => {
                let response = self.teardown_request(cx, &request);
                return cx.respond(id, response);
            }
            "maintenance/schedule" if request.method != "GET" => {
                return self.post_maintenance_schedule(cx, id, &request);
            }
            "machine/down" => return self.post_machines(cx, id, &request, &move_machines::DOWN),
            "machine/up" => return self.post_machines(cx, id, &request, &move_machines::UP),
            _ => {}
        }
        if !self.operator_write(cx, id, &request) {
            cx.respond(id, view::respond(&self.state, &NoHost, &request));
        }
    }

    pub(crate) fn is_leading(&self) -> bool {
        self.phase == Phase::Leading
    }
}

/// A path without the process it names (`/master/state` and `/state` are the same) and without slashes at its end.
pub(crate) fn route(path: &str) -> &str {
    let path = path.trim_matches('/');
    path.strip_prefix("master/").unwrap_or(if path == "master" { "" } else { path })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_may_be_left_out_of_a_path() {
        for (path, expected) in [
            ("/master/state", "state"),
            ("/state", "state"),
            ("/master/api/v1/scheduler", "api/v1/scheduler"),
            ("/master", ""),
            ("/", ""),
            ("/state/", "state"),
        ] {
            assert_eq!(route(path), expected);
        }
    }
}
