//! `/__processes__`: the processes of this daemon, by id.
//!
//! Mesos also shows the events that wait for each; here a daemon has one queue, whose length is a metric, and no list.

use crate::help::Process;
use std::collections::BTreeSet;
use tepui_proto::json::Writer;

/// Those without a page of help.
const OTHERS: [&str; 3] = ["__processes__", "help", "version"];

/// The answer: those under whose ids a client can find something.
pub(crate) fn json(pages: &[Process]) -> String {
    let ids: BTreeSet<&str> = pages.iter().map(|process| process.id).chain(OTHERS).collect();
    let mut out = Writer::new();
    out.array(ids, |out, id| {
        out.object(|out| {
            out.field_array("events", [(); 0], |_, ()| {});
            out.field_string("id", id);
        });
    });
    out.finish()
}
