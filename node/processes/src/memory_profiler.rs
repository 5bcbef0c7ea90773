//! `/memory-profiler`, which a daemon has with `--memory_profiling`: as in a Mesos whose allocator is not jemalloc, it
//! says that there is nothing to profile with.
//!
//! Source: Mesos `3rdparty/libprocess/src/memory_profiler.cpp`.

use tepui_wire::{Request, Response};

/// Its endpoints.
pub(crate) const PATHS: [&str; 7] = [
    "/memory-profiler/start",
    "/memory-profiler/stop",
    "/memory-profiler/download/raw",
    "/memory-profiler/download/text",
    "/memory-profiler/download/graph",
    "/memory-profiler/statistics",
    "/memory-profiler/state",
];

const NOT_DETECTED: &str = "
The current binary doesn't seem to be linked against jemalloc,
or the currently used jemalloc library was compiled without
support for statistics collection.

If the current binary was not compiled against jemalloc,
consider adding the path to libjemalloc to the LD_PRELOAD
environment variable, for example LD_PRELOAD=/usr/lib/libjemalloc.so

If you're running a mesos binary and want to have it linked
against jemalloc by default, consider using the
--enable-jemalloc-allocator configuration option.
";

/// What there is to say of a profiler that has never run.
const STATE: &str =
    r#"{"memory_profiler":{"current_run":{"id":null},"jemalloc_detected":false,"tmp_dir":"Not yet generated"}}"#;

/// Answers a request to one of [`PATHS`].
pub(crate) fn respond(request: &Request) -> Response {
    match request.path.rsplit('/').next() {
        Some("state") => Response::json(STATE, None),
        Some("raw") => Response::text(400, missing(request, "Cannot access raw profile")),
        Some("text" | "graph") => Response::text(400, missing(request, "No source profile exists")),
        _ => Response::text(400, NOT_DETECTED),
    }
}

/// Why no profile can be downloaded: the id is checked first, though there is none that would do.
fn missing(request: &Request, what: &str) -> String {
    match request.query_pairs().get("id").and_then(|id| wrong_id(id)) {
        Some(cause) => format!("Invalid parameter 'id': {cause}.\n"),
        None => format!("{what}: Not yet generated.\n"),
    }
}

/// What C's `strtoll` has against a number. Nothing at all counts as zero.
fn wrong_id(id: &str) -> Option<&'static str> {
    let number = id.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '\x0b');
    let digits = number.strip_prefix(['+', '-']).unwrap_or(number);
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    if end > 0 && number[..number.len() - digits.len() + end].parse::<i64>().is_err() {
        return Some("Numerical result out of range");
    }
    (end < digits.len() || end == 0 && !id.is_empty()).then_some("Garbage after parsed id")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tepui_wire::Body;

    fn ask(path: &str, query: &str) -> (u16, String) {
        let mut request = crate::files::tests::request(query);
        request.path = format!("/memory-profiler/{path}");
        assert!(PATHS.contains(&&*request.path));
        let response = respond(&request);
        let Body::Full(body) = response.body else { panic!("a whole body") };
        (response.status, String::from_utf8_lossy(&body).into_owned())
    }

    #[test]
    fn there_is_nothing_to_profile_with() {
        for path in ["start", "stop", "statistics"] {
            let (status, text) = ask(path, "duration=5mins");
            assert_eq!(status, 400);
            assert!(text.starts_with("\nThe current binary doesn't seem to be linked against jemalloc,\nor"), "{text}");
            assert!(text.ends_with("\n--enable-jemalloc-allocator configuration option.\n"), "{text}");
        }
        let (status, text) = ask("state", "");
        let state: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((status, &state["memory_profiler"]["jemalloc_detected"]), (200, &false.into()));
    }

    #[test]
    fn there_is_nothing_to_download() {
        let none = "No source profile exists: Not yet generated.\n";
        assert_eq!(ask("download/raw", ""), (400, "Cannot access raw profile: Not yet generated.\n".into()));
        assert_eq!(ask("download/text", "id=5"), (400, none.into()));
        assert_eq!(ask("download/graph", "id="), (400, none.into()));
        for id in ["x", "5x", "-", "5%205"] {
            let text = "Invalid parameter 'id': Garbage after parsed id.\n";
            assert_eq!(ask("download/raw", &format!("id={id}")), (400, text.into()), "{id}");
        }
        let text = "Invalid parameter 'id': Numerical result out of range.\n";
        assert_eq!(ask("download/text", "id=99999999999999999999"), (400, text.into()));
    }
}
