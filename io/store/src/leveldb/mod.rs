//! LevelDB's files: their names, and what is in them.
//!
//! Nothing here touches a disk; bytes come in and go out, and bytes that make no sense are an error that says where.
//! Source: LevelDB 1.19 `doc/{log_format,table_format,impl}.txt`; the release inside Mesos 1.11.

pub(crate) mod batch;
pub(crate) mod block;
pub(crate) mod coding;
pub(crate) mod edit;
pub(crate) mod frame;
pub(crate) mod key;
pub(crate) mod names;
pub(crate) mod table;
mod torn;

/// Something is wrong at this offset of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Damage {
    pub offset: u64,
    pub what: String,
}

impl Damage {
    pub fn new(offset: usize, what: impl Into<String>) -> Damage {
        Damage { offset: offset as u64, what: what.into() }
    }
}

/// What is added to a sum that was rotated.
const SUM_DELTA: u32 = 0xa282_ead8;

/// LevelDB's checksum: CRC-32C, rotated and shifted, so that the sum of bytes that hold sums is no special case.
pub(crate) fn checksum(parts: &[&[u8]]) -> u32 {
    let sum = parts.iter().fold(0, |sum, part| crc32c::crc32c_append(sum, part));
    sum.rotate_right(15).wrapping_add(SUM_DELTA)
}

/// The CRC-32C in a checksum.
fn unmasked(checksum: u32) -> u32 {
    checksum.wrapping_sub(SUM_DELTA).rotate_left(15)
}
