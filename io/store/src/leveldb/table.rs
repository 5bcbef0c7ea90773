//! Tables: sorted entries in blocks, with an index and a footer.

use super::coding::{Reader, put_varint};
use super::key::{self, Entry};
use super::{Damage, block, checksum};
use bytes::Bytes;

const MAGIC: u64 = 0xdb47_7524_8b80_fb57;
pub(crate) const FOOTER: usize = 48;
/// The kind of compression and the checksum behind each block.
const TRAILER: usize = 5;
/// A block is closed at this size, as in LevelDB.
const BLOCK: usize = 4 << 10;

const RAW: u8 = 0;
const SNAPPY: u8 = 1;

/// Where a block is in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Handle {
    pub offset: u64,
    /// Without the trailer.
    size: u64,
}

impl Handle {
    fn read(reader: &mut Reader) -> Option<Handle> {
        Some(Handle { offset: reader.varint()?, size: reader.varint()? })
    }

    fn put(self, out: &mut Vec<u8>) {
        put_varint(out, self.offset);
        put_varint(out, self.size);
    }

    /// How many bytes of the file are to be read, trailer included, if the file of this length has them.
    pub fn extent(self, file: u64) -> Option<usize> {
        let size = self.size.checked_add(TRAILER as u64)?;
        (self.offset.checked_add(size)? <= file).then(|| usize::try_from(size).ok())?
    }
}

/// The handle of the index, from the last [`FOOTER`] bytes of a file of this length.
pub(crate) fn footer(footer: &[u8], file: u64) -> Result<Handle, Damage> {
    let damage = |what: &str| Damage { offset: file.saturating_sub(FOOTER as u64), what: what.to_owned() };
    let mut reader = Reader(footer);
    let handles = Handle::read(&mut reader).and_then(|_| Handle::read(&mut reader));
    match footer.last_chunk::<8>() {
        Some(magic) if u64::from_le_bytes(*magic) == MAGIC => handles.ok_or_else(|| damage("no index in the footer")),
        _ => Err(damage("the footer of a table is not there")),
    }
}

/// A block, checked and decompressed, from the bytes of its extent.
pub(crate) fn unpack(extent: &[u8], handle: Handle) -> Result<Bytes, Damage> {
    let damage = |what: &str| Damage { offset: handle.offset, what: what.to_owned() };
    let (rest, sum) = extent.split_last_chunk::<4>().ok_or_else(|| damage("a block too short"))?;
    if checksum(&[rest]) != u32::from_le_bytes(*sum) {
        return Err(damage("the checksum of a block does not match"));
    }
    match rest.split_last() {
        Some((&RAW, data)) => Ok(Bytes::copy_from_slice(data)),
        Some((&SNAPPY, data)) => match snap::raw::Decoder::new().decompress_vec(data) {
            Ok(data) => Ok(data.into()),
            Err(_) => Err(damage("a compressed block that is none")),
        },
        _ => Err(damage("a block compressed in a way that is not known")),
    }
}

/// What an index says: the last key of each block and where it is.
pub(crate) fn index(block: &Bytes, at: Handle) -> Result<Vec<(Vec<u8>, Handle)>, Damage> {
    let damage = || Damage { offset: at.offset, what: "an index that is none".to_owned() };
    let pairs = block::pairs(block).ok_or_else(damage)?;
    let handle =
        |(key, range): (Vec<u8>, std::ops::Range<usize>)| Some((key, Handle::read(&mut Reader(&block[range]))?));
    pairs.into_iter().map(|pair| handle(pair).ok_or_else(damage)).collect()
}

/// The entries of a block.
pub(crate) fn entries(block: &Bytes, at: Handle) -> Result<Vec<Entry>, Damage> {
    let damage = || Damage { offset: at.offset, what: "a block that is none".to_owned() };
    let pairs = block::pairs(block).ok_or_else(damage)?;
    let entry = |(internal, range): (Vec<u8>, std::ops::Range<usize>)| {
        let (key, sequence, is_value) = key::split(&internal)?;
        Some(Entry { key: key.to_vec(), sequence, value: is_value.then(|| block.slice(range)) })
    };
    pairs.into_iter().map(|pair| entry(pair).ok_or_else(damage)).collect()
}

/// Makes a table, a piece of the file at a time.
#[derive(Debug)]
pub(crate) struct Builder {
    block: block::Builder,
    index: block::Builder,
    offset: u64,
    smallest: Vec<u8>,
    largest: Vec<u8>,
}

impl Default for Builder {
    fn default() -> Self {
        Builder {
            block: block::Builder::entries(),
            index: block::Builder::index(),
            offset: 0,
            smallest: Vec::new(),
            largest: Vec::new(),
        }
    }
}

impl Builder {
    /// Adds an entry that comes after all before it; appends to `out` what the file grows by.
    pub fn add(&mut self, entry: &Entry, out: &mut Vec<u8>) {
        let internal = entry.internal();
        if self.smallest.is_empty() {
            self.smallest.clone_from(&internal);
        }
        self.block.add(&internal, entry.value.as_deref().unwrap_or_default());
        self.largest = internal;
        if self.block.len() >= BLOCK {
            self.close_block(out);
        }
    }

    /// Bytes of the file so far, without the block that is open.
    pub fn len(&self) -> u64 {
        self.offset
    }

    /// Appends the end of the file; the table's first and last key, in their internal form.
    pub fn finish(mut self, out: &mut Vec<u8>) -> (Vec<u8>, Vec<u8>) {
        if !self.block.is_empty() {
            self.close_block(out);
        }
        // A block of filters would be named in this one; Mesos has none.
        let meta = self.put_block(block::Builder::entries().take(), out);
        let index = self.index.take();
        let index = self.put_block(index, out);
        let footer = out.len();
        meta.put(out);
        index.put(out);
        out.resize(footer + FOOTER - 8, 0);
        out.extend_from_slice(&MAGIC.to_le_bytes());
        self.offset += FOOTER as u64;
        (self.smallest, self.largest)
    }

    fn close_block(&mut self, out: &mut Vec<u8>) {
        let last = self.block.last().to_vec();
        let block = self.block.take();
        let handle = self.put_block(block, out);
        let mut text = Vec::new();
        handle.put(&mut text);
        self.index.add(&last, &text);
    }

    fn put_block(&mut self, raw: Vec<u8>, out: &mut Vec<u8>) -> Handle {
        let packed = snap::raw::Encoder::new().compress_vec(&raw).ok();
        // As in LevelDB: what saves less than an eighth is not worth the time of every reader.
        let (kind, data) = match packed.filter(|packed| packed.len() < raw.len() - raw.len() / 8) {
            Some(packed) => (SNAPPY, packed),
            None => (RAW, raw),
        };
        let handle = Handle { offset: self.offset, size: data.len() as u64 };
        out.extend_from_slice(&data);
        out.push(kind);
        out.extend_from_slice(&checksum(&[&data, &[kind]]).to_le_bytes());
        self.offset += (data.len() + TRAILER) as u64;
        handle
    }
}
