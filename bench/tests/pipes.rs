//! A benchmark before a reader that leaves at once (`| head -0`).

use std::process::{Command, Stdio};

#[test]
fn a_benchmark_ends_quietly_when_nobody_reads() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut command = Command::new(env!("CARGO_BIN_EXE_tepui-bench"));
    command.args(["allocator", "--agents", "1", "--frameworks", "1"]).stdout(writer).stderr(Stdio::piped());
    let output = command.output().expect("the benchmark runs");
    assert_eq!((String::from_utf8_lossy(&output.stderr).as_ref(), output.status.code()), ("", Some(141)));
}
