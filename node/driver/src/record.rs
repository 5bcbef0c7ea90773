//! Writes down every input of a machine and when it was handled, and runs such a recording again.
//!
//! A frame is its length, the two readings of time, a byte that tells an input from a tick, and the input in the form
//! of [`Record`]. The first frame is a header of the caller's: what it needs to make the machine anew. Recording is best
//! effort: it never stops a node.

use std::io::Write;
use tepui_base::record::{Bytes, Record};
use tepui_base::{Instant, Machine, Now, Outbox, Wall};

const INPUT: u8 = 0;
const TICK: u8 = 1;

/// Puts an input into bytes.
type Encode<I> = Box<dyn Fn(&I, &mut Vec<u8>) + Send>;

/// Writes inputs to a file or anything else that takes bytes.
pub struct Recorder<I> {
    sink: Option<Box<dyn Write + Send>>,
    encode: Encode<I>,
}

impl<I: Record + 'static> Recorder<I> {
    /// Records into `sink`, `header` first.
    pub fn new(sink: Box<dyn Write + Send>, header: &[u8]) -> Recorder<I> {
        let mut recorder = Recorder { sink: Some(sink), encode: Box::new(|input: &I, out| input.write(out)) };
        recorder.put(header);
        recorder
    }
}

impl<I> Recorder<I> {
    pub(crate) fn input(&mut self, now: Now, input: &I) {
        let mut frame = head(now, INPUT);
        (self.encode)(input, &mut frame);
        self.put(&frame);
    }

    pub(crate) fn tick(&mut self, now: Now) {
        self.put(&head(now, TICK));
    }

    fn put(&mut self, frame: &[u8]) {
        let Some(sink) = &mut self.sink else { return };
        let length = (frame.len() as u64).to_le_bytes();
        if let Err(error) = sink.write_all(&length).and_then(|()| sink.write_all(frame)) {
            tracing::warn!(%error, "recording of inputs ends here");
            self.sink = None;
        }
    }
}

fn head(now: Now, kind: u8) -> Vec<u8> {
    let mut frame = Vec::with_capacity(64);
    now.monotonic.0.write(&mut frame);
    now.wall.0.write(&mut frame);
    frame.push(kind);
    frame
}

/// A recording that cannot be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// The bytes end within a frame: the node died while it wrote. What came before was replayed.
    #[error("the recording ends within frame {0}")]
    Torn(usize),
    /// A frame that is no input of this machine: another machine's recording, or another version's.
    #[error("frame {0} is not an input of this machine in this version")]
    Foreign(usize),
}

/// The header and the rest of a recording.
pub fn open(recording: &[u8]) -> Result<(Vec<u8>, &[u8]), ReplayError> {
    let mut bytes = Bytes(recording);
    let header = Vec::read(&mut bytes).ok_or(ReplayError::Torn(0))?;
    Ok((header, bytes.0))
}

/// Runs the frames of a recording through a machine made as it was then; every effect is shown to `see`, numbered by
/// the frame it came from. Returns how many frames there were.
pub fn replay<M: Machine>(
    frames: &[u8],
    machine: &mut M,
    mut see: impl FnMut(usize, Now, tepui_base::machine::Entry<M::Effect>),
) -> Result<usize, ReplayError>
where
    M::Input: Record,
{
    let (mut bytes, mut out) = (Bytes(frames), Outbox::default());
    let mut number = 0;
    while !bytes.0.is_empty() {
        number += 1;
        let frame = Vec::read(&mut bytes).ok_or(ReplayError::Torn(number))?;
        let (now, input) = decode::<M::Input>(&frame).ok_or(ReplayError::Foreign(number))?;
        match input {
            Some(input) => machine.handle(now, input, &mut out),
            None => machine.tick(now, &mut out),
        }
        for effect in out.drain() {
            see(number, now, effect);
        }
    }
    Ok(number)
}

/// Time and input of a frame; no input in a tick.
fn decode<I: Record>(frame: &[u8]) -> Option<(Now, Option<I>)> {
    let mut bytes = Bytes(frame);
    let now = Now { monotonic: Instant(u64::read(&mut bytes)?), wall: Wall(u64::read(&mut bytes)?) };
    match bytes.take(1)?[0] {
        INPUT => Some((now, Some(I::read(&mut bytes)?))),
        TICK => Some((now, None)),
        _ => None,
    }
}
