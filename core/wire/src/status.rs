//! Status lines: the reason phrases of RFC 2616, which libprocess still writes.

/// The phrase after the code; empty for a code without one.
pub fn reason(status: u16) -> &'static str {
    PHRASES.iter().find(|(code, _)| *code == status).map_or("", |(_, phrase)| phrase)
}

/// `404 Not Found`, as it stands in status lines and default bodies; a code without phrase stands alone.
pub fn line(status: u16) -> String {
    format!("{status} {}", reason(status)).trim_end().to_owned()
}

const PHRASES: &[(u16, &str)] = &[
    (200, "OK"),
    (202, "Accepted"),
    (100, "Continue"),
    (101, "Switching Protocols"),
    (201, "Created"),
    (203, "Non-Authoritative Information"),
    (204, "No Content"),
    (205, "Reset Content"),
    (206, "Partial Content"),
    (300, "Multiple Choices"),
    (301, "Moved Permanently"),
    (302, "Found"),
    (303, "See Other"),
    (304, "Not Modified"),
    (305, "Use Proxy"),
    (307, "Temporary Redirect"),
    (400, "Bad Request"),
    (401, "Unauthorized"),
    (402, "Payment Required"),
    (403, "Forbidden"),
    (404, "Not Found"),
    (405, "Method Not Allowed"),
    (406, "Not Acceptable"),
    (407, "Proxy Authentication Required"),
    (408, "Request Time-out"),
    (409, "Conflict"),
    (410, "Gone"),
    (411, "Length Required"),
    (412, "Precondition Failed"),
    (413, "Request Entity Too Large"),
    (414, "Request-URI Too Large"),
    (415, "Unsupported Media Type"),
    (416, "Requested range not satisfiable"),
    (417, "Expectation Failed"),
    (500, "Internal Server Error"),
    (501, "Not Implemented"),
    (502, "Bad Gateway"),
    (503, "Service Unavailable"),
    (504, "Gateway Time-out"),
    (505, "HTTP Version not supported"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_phrases() {
        assert_eq!(line(408), "408 Request Time-out");
        assert_eq!(line(202), "202 Accepted");
        assert_eq!(line(299), "299");
    }
}
