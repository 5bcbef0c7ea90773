//! Figures on stdout, and a reader that leaves before their end (`| head`).

use std::fmt::Arguments;
use std::io::{ErrorKind, Write};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// That nobody reads any more.
struct Left;

/// Prints a line. If its reader has left, the benchmark ends here: what it started ends with it, and nothing is said.
pub(crate) fn put(line: Arguments<'_>) {
    let mut out = std::io::stdout().lock();
    match out.write_fmt(line).and_then(|()| out.write_all(b"\n")) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {
            drop(out);
            resume_unwind(Box::new(Left))
        }
        Err(error) => eprintln!("cannot write to stdout: {error}"),
        Ok(()) => {}
    }
}

/// Runs a benchmark; `None` if its reader has left.
pub fn until_left<T>(benchmark: impl FnOnce() -> T) -> Option<T> {
    // What the benchmark worked on is not looked at again.
    match catch_unwind(AssertUnwindSafe(benchmark)) {
        Ok(result) => Some(result),
        Err(panic) if panic.is::<Left>() => None,
        Err(panic) => resume_unwind(panic),
    }
}

/// `println!` for a reader that may leave.
macro_rules! say {
    ($($text:tt)*) => { $crate::output::put(format_args!($($text)*)) };
}
pub(crate) use say;
