//! Whole worlds.

use crate::hour::{Cluster, Masters};
use crate::kind::{Kind, Plan};
use std::io::Write;
use std::sync::{Arc, Mutex};

/// A log that a test can read.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn events<K: Kind>(seed: u64) -> Vec<u8> {
    let log = Shared::default();
    let outcome = K::run(&Plan { seed, seconds: 120, bug: None }, Some(Box::new(log.clone())));
    assert_eq!(outcome.violations, [""; 0]);
    log.0.lock().unwrap().clone()
}

#[test]
fn the_same_seed_gives_the_same_events_byte_for_byte() {
    let first = events::<Cluster>(11);
    assert!(first.len() > 10_000);
    assert!(first == events::<Cluster>(11), "two runs of one seed differ");
    assert!(first != events::<Cluster>(12), "another seed is another run");
}

#[test]
fn the_same_seed_gives_the_same_events_with_several_masters() {
    let first = events::<Masters>(11);
    assert!(first.len() > 10_000);
    assert!(first == events::<Masters>(11), "two runs of one seed differ");
}
