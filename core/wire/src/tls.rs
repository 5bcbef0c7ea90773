//! Whether a connection begins with TLS: the decision behind support for downgrades, where one port serves both.

/// How many bytes to look at (without taking them) before [`is_client_hello`] can decide.
pub const PEEK_BYTES: usize = 6;

/// Whether the first bytes of a connection open a TLS handshake: an SSLv2 hello, or a handshake record that holds a
/// ClientHello. Everything else, and what is too short to tell, is plain HTTP (libprocess `libevent_ssl_socket.cpp`).
pub fn is_client_hello(first: &[u8]) -> bool {
    match first {
        [length, _, 1, ..] if length & 0x80 != 0 => true,
        [0x16, 3, _, _, _, 1, ..] => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The issue: the decision was made on whatever one look had found, with memory nobody had written to.
    #[test]
    fn mesos_5989_too_few_bytes_to_tell_are_never_read_past() {
        let hello = [0x16, 3, 1, 2, 0, 1];
        assert_eq!(hello.len(), PEEK_BYTES);
        for length in 0..PEEK_BYTES {
            assert!(!is_client_hello(&hello[..length]), "{length} bytes do not suffice");
        }
        assert!(is_client_hello(&hello));
    }

    #[test]
    fn tells_tls_from_http() {
        assert!(is_client_hello(&[0x16, 3, 1, 2, 0, 1]));
        assert!(is_client_hello(&[0x80, 0x2E, 1, 3, 1, 0]));
        for plain in [&b"POST /"[..], b"", &[0x16], &[0x16, 3, 1, 2, 0], &[0x16, 3, 1, 2, 0, 2], &[0x80, 0x2E]] {
            assert!(!is_client_hello(plain), "{plain:?}");
        }
    }
}
