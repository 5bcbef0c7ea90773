//! The binary before a reader that leaves at once (`| head -0`).

use std::process::{Command, Stdio};

#[test]
fn who_does_not_read_to_the_end_hears_no_complaint() {
    for words in
        [&["master", "--help"][..], &["agent", "--version"], &["execute", "--help"], &["resolve", "127.0.0.1:1"]]
    {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = Command::new(env!("CARGO_BIN_EXE_tepui"));
        let output =
            command.env_clear().args(words).stdout(writer).stderr(Stdio::piped()).output().expect("the binary runs");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{words:?}");
        assert_eq!(output.status.code(), Some(0), "{words:?}");
    }
}
