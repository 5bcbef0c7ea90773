//! `/__processes__`: the processes of this daemon, by id.
//!
//! Mesos also shows the events that wait for each; here a daemon has one queue, whose length is a metric, and no list.

use tepui_proto::json::Writer;

/// The ids under which a client can find something in every daemon.
const IDS: [&str; 7] = ["__processes__", "files", "help", "logging", "metrics", "profiler", "system"];

/// The answer.
pub(crate) fn json() -> String {
    let mut out = Writer::new();
    out.array(IDS, |out, id| {
        out.object(|out| {
            out.field_array("events", [(); 0], |_, ()| {});
            out.field_string("id", id);
        });
    });
    out.finish()
}
