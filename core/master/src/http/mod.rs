//! HTTP requests: the checks every API shares, and who answers what.

mod operator;
mod scheduler;

use crate::cx::Cx;
use crate::{Master, Phase, view};
use tepui_proto::ContentType;
use tepui_wire::{Request, RequestId, Response};

impl Master {
    /// One HTTP request. Reads that did not go past the machine are answered from a snapshot here too.
    pub(crate) fn http(&mut self, cx: &mut Cx, id: RequestId, request: Request) {
        match route(&request.path) {
            "api/v1/scheduler" => return self.scheduler_request(cx, id, request),
            "teardown" => {
                let response = self.teardown_request(cx, &request);
                return cx.respond(id, response);
            }
            _ => {}
        }
        let response = match self.operator_write(cx, &request) {
            Some(response) => response,
            None => view::respond(&self.state, &request),
        };
        cx.respond(id, response);
    }

    fn is_leading(&self) -> bool {
        self.phase == Phase::Leading
    }
}

/// A path without the process it names (`/master/state` and `/state` are the same) and without slashes at its end.
pub(crate) fn route(path: &str) -> &str {
    let path = path.trim_matches('/');
    path.strip_prefix("master/").unwrap_or(if path == "master" { "" } else { path })
}

/// The text of a 405.
pub(crate) fn method_not_allowed(request: &Request, expected: &str) -> Response {
    let text =
        format!("405 Method Not Allowed. Expecting one of {{ '{expected}' }}, but received '{}'.", request.method);
    Response::text(405, text).header("Allow", expected)
}

/// In which form the body of a call is, or why it cannot be read.
pub(crate) fn content_type(request: &Request) -> Result<ContentType, Response> {
    let Some(header) = request.header("content-type") else {
        return Err(Response::text(400, "Expecting 'Content-Type' to be present"));
    };
    ContentType::from_header(header)
        .ok_or_else(|| Response::text(415, "Expecting 'Content-Type' of application/json or application/x-protobuf"))
}

/// In which form the answer is to be: JSON if the client takes it, else protobuf, or neither.
pub(crate) fn accepted_type(request: &Request) -> Result<ContentType, Response> {
    let accepts = |form: &ContentType| accepts(request.header("accept"), form.as_str());
    [ContentType::Json, ContentType::Protobuf].into_iter().find(accepts).ok_or_else(|| {
        Response::text(406, "Expecting 'Accept' to allow 'application/x-protobuf' or 'application/json'")
    })
}

/// Whether an `Accept` header lets a media type through: no header lets all through; `type/*` and `*/*` count; `q=0`
/// refuses.
fn accepts(header: Option<&str>, wanted: &str) -> bool {
    let Some(header) = header else { return true };
    let family = wanted.split('/').next().unwrap_or_default();
    [wanted.to_owned(), format!("{family}/*"), "*/*".to_owned()].iter().any(|candidate| {
        header.split(',').any(|range| {
            let mut parts = range.split(';').map(str::trim);
            let matches = parts.next() == Some(candidate);
            let refused = parts.any(|parameter| {
                let quality = parameter.strip_prefix("q=").and_then(|quality| quality.parse::<f64>().ok());
                quality.is_some_and(|quality| quality == 0.0)
            });
            matches && !refused
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_is_matched_as_libprocess_does() {
        let json = "application/json";
        for header in [None, Some("*/*"), Some("application/*"), Some("text/html, application/json"), Some("*/*;q=0.1")]
        {
            assert!(accepts(header, json), "{header:?}");
        }
        for header in [Some("application/x-protobuf"), Some("text/*"), Some("application/json;q=0"), Some("")] {
            assert!(!accepts(header, json), "{header:?}");
        }
    }

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
