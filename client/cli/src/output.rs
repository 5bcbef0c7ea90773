//! What goes to stdout, and a reader that leaves before its end (`| head`).
//!
//! `println!` panics when nobody reads any more. A command that only prints ends quietly then, as other tools do; one that
//! has a framework to look after goes on without.

use std::fmt::Arguments;
use std::io::{ErrorKind, Result, Write};

/// A writer's error, unless it only says that the reader has left: then the rest is nobody's to read.
pub(crate) fn unless_left(result: Result<()>) -> Result<()> {
    result.or_else(|error| if error.kind() == ErrorKind::BrokenPipe { Ok(()) } else { Err(error) })
}

/// Prints a text to stdout at once.
pub(crate) fn put(text: Arguments<'_>) {
    let mut out = std::io::stdout().lock();
    if let Err(error) = unless_left(out.write_fmt(text).and_then(|()| out.flush())) {
        eprintln!("cannot write to stdout: {error}");
    }
}

/// `println!` for a reader that may leave.
macro_rules! say {
    ($($text:tt)*) => { $crate::output::put(format_args!("{}\n", format_args!($($text)*))) };
}
pub(crate) use say;
