//! The fuzz body of this crate's parser.

use bytes::Bytes;

/// What a server may send: no bytes may panic, or ask for more memory than they are.
pub fn fuzz_zookeeper(data: &[u8]) {
    crate::zookeeper::read_anything(Bytes::copy_from_slice(data));
}
