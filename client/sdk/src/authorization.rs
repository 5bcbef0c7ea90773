//! The `Authorization` header.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// HTTP Basic (RFC 7617).
pub(crate) fn basic(principal: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{principal}:{secret}")))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_example_of_the_rfc() {
        assert_eq!(super::basic("Aladdin", "open sesame"), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    }
}
