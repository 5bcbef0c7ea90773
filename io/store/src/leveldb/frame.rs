//! Records in a file that grows (the write-ahead log and the MANIFEST): cut into fragments that never cross a block of
//! 32 KiB, each with a checksum, a length and a kind.
//!
//! **A torn end or damage?** A store writes one record between two syncs, so after a crash only the last record may be
//! incomplete. A record that cannot be read is a torn end if no later record begins behind it and it looks like a write
//! that was cut: the file ends within it, or a sector of it reads zero (`torn.rs`). Anything else was once synced and is
//! damage.

use super::torn::is_torn;
use super::{Damage, checksum};

pub(super) const BLOCK: usize = 32 << 10;
pub(super) const HEADER: usize = 7;

const FULL: u8 = 1;
const FIRST: u8 = 2;
const MIDDLE: u8 = 3;
pub(super) const LAST: u8 = 4;

/// Cuts records into fragments, knowing where in a block the file ends.
#[derive(Debug, Default)]
pub(crate) struct Framer {
    offset: usize,
}

impl Framer {
    /// Appends to `out` what makes a record of `record` at the end of the file.
    pub fn frame(&mut self, record: &[u8], out: &mut Vec<u8>) {
        let (mut rest, mut begins) = (record, true);
        loop {
            let left = BLOCK - self.offset;
            if left < HEADER {
                out.resize(out.len() + left, 0);
                self.offset = 0;
                continue;
            }
            let (fragment, after) = rest.split_at(rest.len().min(left - HEADER));
            let kind = match (begins, after.is_empty()) {
                (true, true) => FULL,
                (true, false) => FIRST,
                (false, false) => MIDDLE,
                (false, true) => LAST,
            };
            out.extend_from_slice(&checksum(&[&[kind], fragment]).to_le_bytes());
            // A fragment is shorter than a block.
            out.extend_from_slice(&(fragment.len() as u16).to_le_bytes());
            out.push(kind);
            out.extend_from_slice(fragment);
            self.offset += HEADER + fragment.len();
            (rest, begins) = (after, false);
            if rest.is_empty() {
                return;
            }
        }
    }
}

/// What a file of records holds.
#[derive(Debug, Default)]
pub(crate) struct Records {
    /// Where each record begins, and the record.
    pub records: Vec<(usize, Vec<u8>)>,
    /// Where the whole records end, if a torn one follows.
    pub torn: Option<Damage>,
}

fn cut(at: usize) -> Damage {
    Damage::new(at, "the file ends within a record")
}

/// Reads a whole file.
pub(crate) fn read(file: &[u8]) -> Result<Records, Damage> {
    let (mut records, mut at) = (Records::default(), 0);
    while at < file.len() {
        match record(file, at) {
            Ok(Some((record, next))) => {
                records.records.push((at, record));
                at = next;
            }
            Ok(None) => break,
            Err(damage) => {
                torn_or_damaged(file, at, &damage)?;
                records.torn = Some(Damage { offset: at as u64, what: damage.what });
                break;
            }
        }
    }
    Ok(records)
}

/// The record that begins at `at`, and where it ends; `None` if there are only fill bytes.
fn record(file: &[u8], mut at: usize) -> Result<Option<(Vec<u8>, usize)>, Damage> {
    let mut whole: Option<Vec<u8>> = None;
    loop {
        at = skip_fill(at);
        if at >= file.len() {
            return match whole {
                Some(_) => Err(cut(at)),
                None => Ok(None),
            };
        }
        let (kind, data) = fragment(file, at)?;
        at += HEADER + data.len();
        match (kind, &mut whole) {
            (FULL, None) => return Ok(Some((data.to_vec(), at))),
            (FIRST, None) => whole = Some(data.to_vec()),
            (MIDDLE, Some(whole)) => whole.extend_from_slice(data),
            (LAST, Some(record)) => {
                record.extend_from_slice(data);
                return Ok(whole.map(|record| (record, at)));
            }
            _ => return Err(Damage::new(at - HEADER - data.len(), "a part of a record without its other parts")),
        }
    }
}

/// A block's last bytes, too few for a header, are fill.
fn skip_fill(at: usize) -> usize {
    let left = BLOCK - at % BLOCK;
    if left < HEADER { at + left } else { at }
}

/// The fragment at `at`: its kind and data.
fn fragment(file: &[u8], at: usize) -> Result<(u8, &[u8]), Damage> {
    let header = file.get(at..at + HEADER).ok_or_else(|| cut(at))?;
    if header == [0; HEADER] {
        return Err(Damage::new(at, "zeros where a record should begin"));
    }
    let length = usize::from(u16::from_le_bytes([header[4], header[5]]));
    if length > BLOCK - at % BLOCK - HEADER {
        return Err(Damage::new(at, "a length that leaves its block"));
    }
    let sum = u32::from_le_bytes([header[0], header[1], header[2], header[3]]);
    let Some(data) = file.get(at + HEADER..at + HEADER + length) else {
        return Err(cut(at));
    };
    if checksum(&[&header[6..], data]) != sum {
        return Err(Damage::new(at, "the checksum of a record does not match"));
    }
    match header[6] {
        kind @ FULL..=LAST => Ok((kind, data)),
        kind => Err(Damage::new(at, format!("no record is of kind {kind}"))),
    }
}

/// An error if the record that begins at `at`, and of which a fragment cannot be read, is no torn end. See the module's text.
fn torn_or_damaged(file: &[u8], at: usize, damage: &Damage) -> Result<(), Damage> {
    // The kind is looked at first: sums are expensive.
    let may_begin = |later: &usize| matches!(file.get(later + HEADER - 1), Some(&(FULL | FIRST)));
    let begins = |later: &usize| skip_fill(*later) == *later && fragment(file, *later).is_ok();
    if let Some(later) = (skip_fill(at) + 1..file.len()).filter(may_begin).find(begins) {
        let what = format!("{} (a later record is whole, at {later})", damage.what);
        return Err(Damage { what, ..damage.clone() });
    }
    // No file has more bytes than memory.
    if is_torn(file, damage.offset as usize) { Ok(()) } else { Err(damage.clone()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(records: &[Vec<u8>]) -> Vec<u8> {
        let (mut framer, mut out) = (Framer::default(), Vec::new());
        for record in records {
            framer.frame(record, &mut out);
        }
        out
    }

    fn samples() -> Vec<Vec<u8>> {
        [5, 0, BLOCK - 30, 1, 3 * BLOCK, 700].iter().enumerate().map(|(n, len)| vec![n as u8 + 1; *len]).collect()
    }

    fn contents(records: &Records) -> Vec<Vec<u8>> {
        records.records.iter().map(|(_, record)| record.clone()).collect()
    }

    #[test]
    fn records_of_every_length_come_back() {
        for padding in 0..20 {
            let mut records = samples();
            records.insert(0, vec![9; BLOCK - 2 * HEADER - padding]);
            let read = read(&file(&records)).unwrap();
            assert!(read.torn.is_none());
            assert_eq!(contents(&read), records, "padding {padding}");
        }
    }

    #[test]
    fn a_file_cut_anywhere_keeps_the_records_before() {
        let records = samples();
        let whole = file(&records);
        let ends: Vec<usize> = (1..=records.len()).map(|n| file(&records[..n]).len()).collect();
        for length in (0..whole.len()).step_by(97).chain(ends.iter().map(|end| end - 1)) {
            let read = read(&whole[..length]).unwrap();
            let kept = ends.iter().filter(|end| **end <= length).count();
            assert_eq!(contents(&read), records[..kept], "cut at {length}");
        }
    }

    #[test]
    fn a_sector_lost_from_the_last_record_is_a_torn_end_and_from_another_is_damage() {
        let records = [vec![1; 2000], vec![2; 3000]];
        let mut last = file(&records);
        last[2560..3072].fill(0);
        let read = read(&last).unwrap();
        assert_eq!(contents(&read), records[..1]);
        assert_eq!(read.torn.unwrap().offset, 2007);
        let mut first = file(&records);
        first[512..1024].fill(0);
        let damage = super::read(&first).unwrap_err();
        assert_eq!((damage.offset, damage.what.contains("a later record is whole, at 2007")), (0, true), "{damage:?}");
    }

    #[test]
    fn a_flipped_bit_is_damage_wherever_it_is() {
        let whole = file(&[vec![1; 50], vec![2; 60], vec![3; 70]]);
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut flipped = whole.clone();
                flipped[at] ^= 1 << bit;
                assert!(read(&flipped).is_err(), "bit {bit} of byte {at}");
            }
        }
    }

    #[test]
    fn zeros_behind_the_records_are_a_torn_end() {
        let mut file = file(&[vec![1; 50]]);
        file.resize(4096, 0);
        assert_eq!(read(&file).unwrap().records.len(), 1);
    }
}
