//! What a client says it can take: `Accept`, `Accept-Encoding` (libprocess `Request::acceptsMediaType`,
//! `Request::acceptsEncoding`).

use crate::http::Request;

impl Request {
    /// Whether `media_type` (`type/subtype`) is acceptable: no `Accept` header accepts everything; the exact type, then
    /// `type/*`, then `*/*` are looked for, and the first one found decides by its `q`.
    pub fn accepts(&self, media_type: &str) -> bool {
        self.accepts_by("accept", media_type)
    }

    /// The same by another header (`message-accept`); `name` in lower case.
    pub fn accepts_by(&self, name: &str, media_type: &str) -> bool {
        self.header(name).is_none_or(|value| accepts_media_type(value, media_type))
    }
}

/// Whether the value of an `Accept` header takes `media_type`.
pub fn accepts_media_type(value: &str, media_type: &str) -> bool {
    let Some((kind, _)) = media_type.split_once('/') else { return false };
    decide(value, &[media_type, &format!("{kind}/*"), "*/*"])
}

/// Whether the value of an `Accept-Encoding` header takes `encoding`; a missing or empty header takes none.
pub fn accepts_encoding(value: Option<&str>, encoding: &str) -> bool {
    value.is_some_and(|value| decide(value, &[encoding, "*"]))
}

fn decide(value: &str, candidates: &[&str]) -> bool {
    let value = value.replace([' ', '\t', '\n'], "");
    candidates.iter().find_map(|candidate| decide_one(&value, candidate)).unwrap_or(false)
}

fn decide_one(value: &str, candidate: &str) -> Option<bool> {
    let named = |item: &&str| item.split(';').find(|part| !part.is_empty()).is_some_and(|name| same(name, candidate));
    value.split(',').find(named).map(is_wanted)
}

fn same(left: &str, right: &str) -> bool {
    left.eq_ignore_ascii_case(right)
}

/// A missing or repeated `q` means yes; one that is no number means no.
fn is_wanted(item: &str) -> bool {
    let mut weights = item.split(';').filter_map(|part| part.strip_prefix("q="));
    match (weights.next(), weights.next()) {
        (Some(weight), None) => weight.parse::<f64>().is_ok_and(|weight| weight > 0.0),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types() {
        for (value, wanted) in [
            ("application/json", true),
            ("text/html, APPLICATION/json;q=0.5", true),
            ("application/*", true),
            ("*/*", true),
            ("*/*, application/json;q=0", false),
            ("application/*;q=0.0,*/*", false),
            ("application/json;q=x", false),
            ("application/x-protobuf", false),
            ("", false),
        ] {
            assert_eq!(accepts_media_type(value, "application/json"), wanted, "{value}");
        }
    }

    #[test]
    fn encodings() {
        for (value, wanted) in [
            (None, false),
            (Some(""), false),
            (Some("gzip"), true),
            (Some("deflate, GZIP ; q = 0.1"), true),
            (Some("*"), true),
            (Some("gzip;q=0, *"), false),
            (Some("identity"), false),
        ] {
            assert_eq!(accepts_encoding(value, "gzip"), wanted, "{value:?}");
        }
    }
}
