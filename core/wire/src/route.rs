//! Which process an HTTP request is for (libprocess `ProcessManager::handle`).

use std::borrow::Cow;

use crate::percent;

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// To a process, with the path it is to see: with its own id in front, even where the client left it out.
    To {
        /// Decoded id of the process.
        id: String,
        /// Path after delegation, still percent-encoded.
        path: String,
    },
    /// Nowhere; answered at once with this code and the text for it.
    Refused(u16, &'static str),
}

/// Finds the receiver of `path`. `is_known` says whether a process with that id lives; requests for others, and for
/// `/`, go to the delegate if there is one.
pub fn route(path: &str, delegate: Option<&str>, is_known: impl Fn(&str) -> bool) -> Route {
    if !path.starts_with('/') {
        return Route::Refused(400, "Request URL path must start with '/'");
    }
    if path.contains("/..") {
        return NOT_FOUND;
    }
    let path = &*single_slashes(path);
    let token = path.split('/').find(|token| !token.is_empty());
    let id = token.and_then(|token| percent::decode(token).ok());
    match (token, id, delegate) {
        (Some(_), Some(id), _) if is_known(&id) => Route::To { id, path: path.to_owned() },
        (None, _, Some(delegate)) if is_known(delegate) => {
            Route::To { id: delegate.to_owned(), path: format!("/{delegate}") }
        }
        (Some(_), _, Some(delegate)) if is_known(delegate) => {
            Route::To { id: delegate.to_owned(), path: format!("/{delegate}{path}") }
        }
        _ => NOT_FOUND,
    }
}

/// The path with one slash where there are several: libprocess looks at the tokens between them.
fn single_slashes(path: &str) -> Cow<'_, str> {
    if !path.contains("//") {
        return Cow::Borrowed(path);
    }
    let tokens = path.split('/').filter(|token| !token.is_empty());
    Cow::Owned(tokens.fold(String::new(), |path, token| path + "/" + token))
}

const NOT_FOUND: Route = Route::Refused(404, "404 Not Found.");

/// What of a path lies below a prefix at the border of a token: `/b` for `/a/b` below `/a`; empty if they are equal
/// but for slashes at the end.
pub fn below<'a>(path: &'a str, prefix: &str) -> Option<&'a str> {
    let rest = path.strip_prefix(prefix.trim_end_matches('/'))?;
    if rest.trim_matches('/').is_empty() {
        return Some("");
    }
    rest.starts_with('/').then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(path: &str) -> String {
        match route(path, Some("master"), |id| matches!(id, "master" | "files" | "slave(1)")) {
            Route::To { id, path } => format!("{id} {path}"),
            Route::Refused(status, text) => format!("{status} {text}"),
        }
    }

    #[test]
    fn known_ids_and_the_delegate() {
        assert_eq!(to("/files/browse"), "files /files/browse");
        assert_eq!(to("/slave%281%29/state"), "slave(1) /slave%281%29/state");
        assert_eq!(to("/state"), "master /master/state");
        assert_eq!(to("/master//state/"), "master /master/state");
        assert_eq!(to("/api/v1/scheduler"), "master /master/api/v1/scheduler");
        assert_eq!(to("/"), "master /master");
        assert_eq!(to("//"), "master /master");
        assert_eq!(to("/%zz"), "master /master/%zz");
    }

    #[test]
    fn what_is_refused() {
        assert_eq!(to("state"), "400 Request URL path must start with '/'");
        assert_eq!(to("/files/../etc"), "404 404 Not Found.");
        assert_eq!(route("/x", None, |_| false), NOT_FOUND);
        assert_eq!(route("/", Some("gone"), |_| false), NOT_FOUND);
    }

    #[test]
    fn prefixes_end_at_tokens() {
        assert_eq!(below("/files/read", "/files"), Some("/read"));
        assert_eq!(below("/files/", "/files"), Some(""));
        assert_eq!(below("/files", "/files/"), Some(""));
        assert_eq!(below("/filesystem", "/files"), None);
        assert_eq!(below("/a", "/"), Some("/a"));
        assert_eq!(below("/", "/"), Some(""));
    }
}
