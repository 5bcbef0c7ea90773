//! Whether a fragment that cannot be read is the rest of a write that a crash cut short, or was damaged later.
//!
//! A crash leaves a file that ends too soon, or sectors that read zero. Neither explains a record that is as long as it says
//! and has no sector of zeros, nor one that is right but for one bit. A value may itself hold zeros: then a record in which
//! more than one bit is wrong looks as if it had lost them.

use super::frame::{BLOCK, HEADER, LAST};
use super::{checksum, unmasked};

/// The least a disk writes at once.
const SECTOR: usize = 512;
/// So many zeros do not stand in the place of bytes that were written by chance.
const TELLING: usize = 4;
/// CRC-32C, lowest bit first.
const POLYNOMIAL: u32 = 0x82f6_3b78;

/// Whether the fragment that begins at `at`, and cannot be read, is the end of a write that was cut.
pub(super) fn is_torn(file: &[u8], at: usize) -> bool {
    let Some(header) = file.get(at..at + HEADER) else { return true };
    let next = (at / SECTOR + 1) * SECTOR;
    let is_lost = |sector: usize| is_zero(&file[sector.max(at)..(sector + SECTOR).min(file.len())]);
    let is_divided = next < at + HEADER;
    if is_divided && (is_lost(next) || next - at >= TELLING && is_zero(&file[at..next])) {
        // The second sector has the kind, which is not zero.
        return true;
    }
    if !is_divided && is_zero(header) {
        return is_lost(next - SECTOR);
    }
    let (end, sum) = (at + HEADER + length(header), sum(header));
    if !is_sane(header, at) || checksum_of(file, at, length(header)) == Some(sum) || is_one_bit_off(file, at) {
        return false;
    }
    if end > file.len() {
        // If what is there has the right sum, the length itself is wrong.
        return checksum_of(file, at, file.len() - at - HEADER) != Some(sum);
    }
    is_divided && may_begin_otherwise(file, at, next - at)
        || (next..end).step_by(SECTOR).any(|sector| {
            let bytes = end.min(sector + SECTOR) - sector;
            is_lost(sector) && (bytes >= TELLING || may_end_otherwise(file, at, bytes))
        })
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

fn length(header: &[u8]) -> usize {
    usize::from(u16::from_le_bytes([header[4], header[5]]))
}

fn sum(header: &[u8]) -> u32 {
    u32::from_le_bytes([header[0], header[1], header[2], header[3]])
}

/// Whether the fragment stays in its block, and is of a kind that there is.
fn is_sane(header: &[u8], at: usize) -> bool {
    length(header) <= BLOCK - at % BLOCK - HEADER && (1..=LAST).contains(&header[6])
}

/// The checksum of the fragment at `at`, if it has so many bytes.
fn checksum_of(file: &[u8], at: usize, length: usize) -> Option<u32> {
    Some(checksum(&[file.get(at + HEADER - 1..at + HEADER + length)?]))
}

/// Whether the first bytes of a header, less than four, are zero, and what is left of the checksum is right.
fn may_begin_otherwise(file: &[u8], at: usize, bytes: usize) -> bool {
    let header = &file[at..at + HEADER];
    let found = checksum_of(file, at, length(header)).map(u32::to_le_bytes);
    is_zero(&header[..bytes]) && found.is_some_and(|found| found[bytes..] == header[bytes..4])
}

/// Whether one bit makes the fragment right: then it was written as a whole.
fn is_one_bit_off(file: &[u8], at: usize) -> bool {
    let header = &file[at..at + HEADER];
    let (length, sum) = (length(header), sum(header));
    let other_length = |bit: u32| {
        let other = length ^ 1 << bit;
        other <= BLOCK - at % BLOCK - HEADER && checksum_of(file, at, other) == Some(sum)
    };
    if (0..16).any(other_length) {
        return true;
    }
    let Some(found) = checksum_of(file, at, length) else { return false };
    // A bit of the data changes the sum by so much as its distance from the end says.
    let difference = unmasked(found) ^ unmasked(sum);
    let changes = std::iter::successors(Some(POLYNOMIAL), |change| Some(further(*change)));
    (found ^ sum).count_ones() == 1 || changes.take(8 * (1 + length)).any(|change| change == difference)
}

/// The register of the checksum, one bit of zero later.
fn further(register: u32) -> u32 {
    register >> 1 ^ if register & 1 == 1 { POLYNOMIAL } else { 0 }
}

/// What it was one bit of zero before.
fn before(register: u32) -> u32 {
    if register >> 31 == 1 { (register ^ POLYNOMIAL) << 1 | 1 } else { register << 1 }
}

/// Whether the fragment's last bytes, less than four, may be chosen so that its checksum is right.
fn may_end_otherwise(file: &[u8], at: usize, bytes: usize) -> bool {
    let header = &file[at..at + HEADER];
    let Some(found) = checksum_of(file, at, length(header) - bytes) else { return false };
    // Inside, the register is inverted.
    let wanted = (0..8 * bytes).fold(!unmasked(sum(header)), |register, _| before(register));
    (wanted ^ !unmasked(found)) >> (8 * bytes) == 0
}

#[cfg(test)]
mod tests {
    use super::super::frame::{Framer, read};
    use super::*;

    /// Bytes that are zero no more often than by chance.
    fn scrambled(length: usize, seed: u32) -> Vec<u8> {
        let step = |n: &u32| Some(n.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
        std::iter::successors(Some(seed), step).skip(1).map(|n| (n >> 24) as u8).take(length).collect()
    }

    /// A file whose last record, after one of so many bytes, begins where it says.
    fn file(before: usize, last: &[u8]) -> (Vec<u8>, usize) {
        let (mut framer, mut out) = (Framer::default(), Vec::new());
        framer.frame(&vec![7; before], &mut out);
        let at = out.len();
        framer.frame(last, &mut out);
        (out, at)
    }

    #[test]
    fn whichever_sector_a_write_lost_it_is_a_torn_end() {
        let short = (400..520).flat_map(|before| [0, 1, 10, 60, 500, 509, 2000].map(|length| (before, length)));
        let long = [32_700, 32_757, 32_758].map(|before| (before, 33_000));
        for (before, length) in short.chain(long) {
            let (whole, at) = file(before, &scrambled(length, (before * length) as u32));
            for sector in (at / SECTOR * SECTOR..whole.len()).step_by(SECTOR) {
                for to in [sector + SECTOR, whole.len()] {
                    let mut torn = whole.clone();
                    torn[sector.max(at)..to.min(whole.len())].fill(0);
                    let read = read(&torn).map(|records| records.records.len());
                    let lost = format!("{length} bytes after {before}, without {sector} to {to}");
                    assert!(torn == whole || read == Ok(1), "{lost}: {read:?}");
                }
            }
        }
    }

    #[test]
    fn a_flipped_bit_is_damage_in_a_record_of_zeros_and_in_one_whose_last_bytes_are() {
        let mut tail = scrambled(100, 3);
        tail.extend([0; 3]);
        // 407 bytes and two headers: the last three bytes lie in the next sector.
        for (before, last) in [(40, vec![0; 3000]), (395, tail.clone()), (396, tail.clone()), (397, tail)] {
            let (whole, at) = file(before, &last);
            for bit in (8 * at..8 * whole.len()).step_by(if last.len() > 1000 { 13 } else { 1 }) {
                let mut flipped = whole.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert!(read(&flipped).is_err(), "bit {bit} after {before}");
            }
        }
    }

    #[test]
    fn bytes_that_are_wrong_are_damage_though_the_last_of_the_record_are_zeros_in_a_sector_of_their_own() {
        for zeros in 1..=2 {
            let mut last = scrambled(100, 5);
            last.extend(vec![0; zeros]);
            let (whole, at) = file(398, &last);
            assert_eq!(whole.len() - zeros, SECTOR);
            for wrong in at + HEADER..SECTOR - 8 {
                let mut damaged = whole.clone();
                damaged[wrong..wrong + 8].copy_from_slice(&scrambled(8, wrong as u32));
                assert!(read(&damaged).is_err(), "bytes from {wrong} before {zeros} zeros");
            }
        }
    }

    #[test]
    fn a_part_that_is_right_and_has_no_place_is_damage_whatever_it_holds() {
        // The second half of a record of zeros.
        let (whole, _) = file(10, &[0; 40_000]);
        let moved = [&whole[..17], &whole[BLOCK..]].concat();
        assert!(read(&moved).is_err());
    }
}
