//! gzip of bodies.

use bytes::Bytes;
use flate2::Compression;
use flate2::read::{GzEncoder, MultiGzDecoder};
use std::io::{self, Read};

/// Inflates a request's body; `None` if it is no gzip or larger than `limit` bytes inflated.
pub(crate) fn inflate(body: &[u8], limit: usize) -> Option<Bytes> {
    let mut inflated = Vec::new();
    MultiGzDecoder::new(body).take(limit as u64 + 1).read_to_end(&mut inflated).ok()?;
    (inflated.len() <= limit).then(|| inflated.into())
}

/// Compresses a response's body at the default level.
pub(crate) fn compress(body: &[u8]) -> io::Result<Bytes> {
    let mut compressed = Vec::with_capacity(body.len() / 4);
    GzEncoder::new(body, Compression::default()).read_to_end(&mut compressed)?;
    Ok(compressed.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inflating_undoes_compressing_within_the_limit() {
        let body = b"0123456789".repeat(100);
        let compressed = compress(&body).unwrap();
        assert!(compressed.len() < 100);
        assert_eq!(inflate(&compressed, 1000).as_deref(), Some(&body[..]));
        assert_eq!(inflate(&compressed, 999), None);
        assert_eq!(inflate(b"no gzip", 1000), None);
    }
}
