//! What the HTTP endpoints of all daemons share: the checks that every endpoint of the V1 APIs makes before it looks at a
//! call, with the codes and texts of Mesos; metrics; and what a view asks of the process around it.
//!
//! The checks come in this order: method, `Content-Type`, body, validity of the call, `Accept`. Body and validity are the
//! endpoint's own. Source: Mesos `src/master/http.cpp`, `src/slave/http.cpp`, `src/common/http.cpp`.

mod command;
mod host;
pub mod metrics;

pub use command::write_command;
pub use host::{FilesError, Host, NoHost};

use tepui_proto::ContentType;
use tepui_wire::{Request, Response};

/// The 415 of endpoints that take complete bodies; the agent's operator API names one more form.
pub const UNSUPPORTED: &str = "Expecting 'Content-Type' of application/json or application/x-protobuf";

/// The 406 of endpoints that answer in one of the two forms.
pub const NOT_ACCEPTABLE: &str = "Expecting 'Accept' to allow 'application/x-protobuf' or 'application/json'";

/// 405 unless it is a POST.
pub fn post_only(request: &Request) -> Result<(), Response> {
    if request.method == "POST" { Ok(()) } else { Err(Response::method_not_allowed(&["POST"], &request.method)) }
}

/// The form of a request body: 400 without a `Content-Type`, 415 (with this text) for one that is neither form.
pub fn content_type(request: &Request, unsupported: &str) -> Result<ContentType, Response> {
    let header = request.header("content-type");
    let header = header.ok_or_else(|| Response::text(400, "Expecting 'Content-Type' to be present"))?;
    ContentType::from_header(header).ok_or_else(|| Response::text(415, unsupported))
}

/// The form of the answer: JSON if the client takes it, else protobuf, else none.
pub fn accepted(request: &Request) -> Option<ContentType> {
    [ContentType::Json, ContentType::Protobuf].into_iter().find(|form| request.accepts(form.as_str()))
}

/// The form of the answer, or 406 with this text.
pub fn accepted_or(request: &Request, not_acceptable: &str) -> Result<ContentType, Response> {
    accepted(request).ok_or_else(|| Response::text(406, not_acceptable))
}

/// A path, and then what is left of it as one part after the other is cut off its end: libprocess serves what is below an
/// endpoint by that endpoint. Source: libprocess `ProcessBase::consume(HttpEvent)`.
pub fn and_above(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| path.rsplit_once('/').map(|(above, _)| above))
}

/// Whether a path is this endpoint or below it.
pub fn is_at(path: &str, endpoint: &str) -> bool {
    path.strip_prefix(endpoint).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, headers: &[(&str, &str)]) -> Request {
        Request {
            method: method.into(),
            path: "/api/v1".into(),
            query: String::new(),
            headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            body: Default::default(),
            peer: ([127, 0, 0, 1], 1).into(),
            principal: None,
            nonce: 0,
        }
    }

    #[test]
    fn what_is_below_an_endpoint_is_at_it() {
        assert_eq!(and_above("a/b/c").collect::<Vec<_>>(), ["a/b/c", "a/b", "a"]);
        assert_eq!(and_above("/state").collect::<Vec<_>>(), ["/state", ""]);
        assert!(is_at("state", "state") && is_at("state/x", "state"));
        assert!(!is_at("state-summary", "state") && !is_at("stat", "state"));
    }

    #[test]
    fn only_post_is_allowed() {
        assert!(post_only(&request("POST", &[])).is_ok());
        assert_eq!(post_only(&request("GET", &[])).unwrap_err().status, 405);
    }

    #[test]
    fn a_content_type_is_exactly_one_of_two() {
        let status =
            |headers: &[(&str, &str)]| content_type(&request("POST", headers), UNSUPPORTED).map_err(|r| r.status);
        assert_eq!(status(&[]), Err(400));
        assert_eq!(status(&[("content-type", "application/json; charset=utf-8")]), Err(415));
        assert_eq!(status(&[("content-type", "application/json")]), Ok(ContentType::Json));
        assert_eq!(status(&[("content-type", "application/x-protobuf")]), Ok(ContentType::Protobuf));
    }

    #[test]
    fn json_is_preferred_where_both_are_accepted() {
        let form = |value: &str| accepted(&request("POST", &[("accept", value)]));
        assert_eq!(accepted(&request("POST", &[])), Some(ContentType::Json));
        for value in ["*/*", "application/*", "text/html, application/json", "*/*;q=0.1"] {
            assert_eq!(form(value), Some(ContentType::Json), "{value}");
        }
        assert_eq!(form("application/x-protobuf"), Some(ContentType::Protobuf));
        assert_eq!(form("text/plain"), None);
        assert_eq!(form("application/json;q=0"), None);
        assert_eq!(accepted_or(&request("POST", &[("accept", "text/plain")]), NOT_ACCEPTABLE).unwrap_err().status, 406);
    }
}
