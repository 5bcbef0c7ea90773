//! A share of what `crash` tries: see the text of that crate.

use crash::judge::Effort;
use crash::subjects::case_of;

/// Tries one disk of `every`, and crashes one recovery of `again`.
fn what_was_acknowledged_survives(name: &str, every: usize, again: usize, at_least: (usize, usize)) {
    let case = case_of(name).unwrap();
    let tried = (case.judge)(Effort { every, again: Some(again) }).unwrap();
    println!("{tried:?}");
    assert!(tried.crashes >= at_least.0 && tried.crashes_in_recovery >= at_least.1, "{tried:?}");
}

fn each_kind_of_sync_is_needed(name: &str) {
    let case = case_of(name).unwrap();
    for skip in case.syncs {
        assert!((case.misses)(*skip), "nobody noticed that {skip:?} is left out");
    }
}

macro_rules! subjects {
    ($($module:ident, $name:literal, one of $every:literal, again one of $again:literal, at least $least:expr;)*) => {$(
        mod $module {
            #[test]
            fn survives_crashes() {
                super::what_was_acknowledged_survives($name, $every, $again, $least);
            }

            #[test]
            fn each_kind_of_sync_is_needed() {
                super::each_kind_of_sync_is_needed($name);
            }
        }
    )*};
}

subjects! {
    store, "store", one of 8, again one of 40, at least (300, 1000);
    small_file, "small-file", one of 1, again one of 1, at least (30, 30);
    sidecar, "sidecar", one of 1, again one of 1, at least (40, 300);
    log, "log", one of 40, again one of 40, at least (100, 1000);
    follower, "follower", one of 180, again one of 20, at least (100, 100);
    catching_up, "catching-up", one of 50, again one of 20, at least (100, 100);
    registry, "registry", one of 20, again one of 40, at least (100, 500);
    state_log, "state-log", one of 20, again one of 40, at least (100, 1000);
    state_level_db, "state-leveldb", one of 4, again one of 40, at least (200, 300);
}
