//! The lock conflicts with that of C++ LevelDB, which is one of the process (`fcntl`, `F_SETLK`). `tests/interop` asks LevelDB
//! itself; this asks the system call through Python.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use tepui_store::{Error, Options, Store};

/// Takes the lock as LevelDB does, says so, and holds it until its input ends.
const TAKE: &str = "import fcntl, sys
file = open(sys.argv[1], 'a')
try:
    fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    print('taken', flush=True)
    sys.stdin.read()
except OSError:
    print('refused', flush=True)
";

#[test]
fn one_of_a_store_and_a_process_with_leveldbs_lock_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("LOCK");
    let other = || {
        let mut command = Command::new("python3");
        command.args(["-c", TAKE]).arg(&path).stdin(Stdio::piped()).stdout(Stdio::piped());
        command.spawn().map(|mut child| {
            let mut line = String::new();
            BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
            (child, line.trim().to_owned())
        })
    };
    let store = Store::open(dir.path(), Options::default()).unwrap();
    let Ok((mut child, said)) = other() else {
        println!("SKIPPED one_of_a_store_and_a_process_with_leveldbs_lock_is_refused: there is no python3");
        return;
    };
    assert_eq!(said, "refused");
    child.wait().unwrap();
    drop(store);
    let (mut child, said) = other().unwrap();
    assert_eq!(said, "taken");
    assert!(matches!(Store::open(dir.path(), Options::default()), Err(Error::Locked { .. })));
    drop(child.stdin.take());
    child.wait().unwrap();
    Store::open(dir.path(), Options::default()).unwrap();
}
