//! What suites that drive real processes share: children that are always ended, waits that always end, and a GET.

pub mod http;
pub mod process;
