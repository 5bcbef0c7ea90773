//! Writes every input of a machine down, so that what it did can be replayed.
//!
//! A record is the two readings of time and the input in the form the machine's crate gives it, framed by its length
//! (both as 64-bit little-endian numbers). Recording is best effort: it never stops a node.

use std::io::Write;
use tepui_base::Now;

/// Puts an input into bytes.
type Encode<I> = Box<dyn Fn(&I, &mut Vec<u8>) + Send>;

/// Writes inputs to a file or anything else that takes bytes.
pub struct Recorder<I> {
    sink: Option<Box<dyn Write + Send>>,
    encode: Encode<I>,
    buffer: Vec<u8>,
}

impl<I> Recorder<I> {
    /// Records into `sink` what `encode` makes of each input.
    pub fn new(sink: Box<dyn Write + Send>, encode: impl Fn(&I, &mut Vec<u8>) + Send + 'static) -> Recorder<I> {
        Recorder { sink: Some(sink), encode: Box::new(encode), buffer: Vec::new() }
    }

    pub(crate) fn record(&mut self, now: Now, input: &I) {
        let Some(sink) = &mut self.sink else { return };
        self.buffer.clear();
        self.buffer.extend(now.monotonic.0.to_le_bytes());
        self.buffer.extend(now.wall.0.to_le_bytes());
        (self.encode)(input, &mut self.buffer);
        let length = (self.buffer.len() as u64).to_le_bytes();
        if let Err(error) = sink.write_all(&length).and_then(|()| sink.write_all(&self.buffer)) {
            tracing::warn!(%error, "recording of inputs ends here");
            self.sink = None;
        }
    }
}
