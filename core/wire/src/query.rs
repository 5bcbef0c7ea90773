//! The query of a URL, as libprocess reads it (`http::query::decode`).

use crate::percent;
use std::collections::BTreeMap;

/// Reads `a=1&b;c=x+y`: `&` and `;` separate, a key without `=` has the empty value, the last of equal keys wins,
/// keys and values are percent-decoded.
pub fn decode(query: &str) -> Result<BTreeMap<String, String>, percent::Error> {
    let pairs = query.split(['&', ';']).filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((percent::decode(key)?, percent::decode(value)?))
        })
        .collect()
}

/// Writes a query that [`decode`] reads back; a key with an empty value stands without `=`.
pub fn encode<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let pair = |(key, value): (&str, &str)| match value {
        "" => percent::encode(key),
        value => format!("{}={}", percent::encode(key), percent::encode(value)),
    };
    pairs.into_iter().map(pair).collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(query: &str) -> Vec<(String, String)> {
        decode(query).unwrap().into_iter().collect()
    }

    fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn separators_defaults_and_duplicates() {
        assert_eq!(pairs("a=1&b;c=x+y%21&&a=2"), owned(&[("a", "2"), ("b", ""), ("c", "x y!")]));
        assert_eq!(pairs(""), owned(&[]));
        assert_eq!(pairs("a=b=c"), owned(&[("a", "b=c")]));
    }

    #[test]
    fn a_malformed_escape_is_an_error() {
        assert!(decode("a=%").is_err());
    }

    #[test]
    fn encoding_is_undone_by_decoding() {
        let text = encode([("path", "/tmp/a b"), ("flag", ""), ("x", "1&2=3")]);
        assert_eq!(pairs(&text), owned(&[("flag", ""), ("path", "/tmp/a b"), ("x", "1&2=3")]));
    }
}
