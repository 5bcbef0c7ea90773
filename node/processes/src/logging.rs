//! `/logging/toggle`: how verbose the log is, for a while.
//!
//! Source: Mesos `3rdparty/libprocess/src/logging.cpp`.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tepui_base::duration;
use tepui_flags::Values;
use tepui_wire::{Request, Response};
use tokio::runtime::Handle;

/// Makes the log of this process as verbose as a level says: 0 is usual, higher tells more.
pub type Verbosity = fn(u32);

/// The level at the start and after a time is over.
const ORIGINAL: u32 = 0;

/// The verbosity of the log. Clones share it.
#[derive(Clone)]
pub struct Logging {
    state: Arc<Mutex<State>>,
    apply: Verbosity,
    runtime: Handle,
}

struct State {
    level: u32,
    /// Counts changes, so that the end of an earlier time does not end a later one.
    changes: u64,
}

impl Logging {
    /// The log of this process, which `apply` changes. Must be called within a tokio runtime.
    pub fn new(apply: Verbosity) -> Logging {
        let state = State { level: ORIGINAL, changes: 0 };
        Logging { state: Arc::new(Mutex::new(state)), apply, runtime: Handle::current() }
    }

    /// The level now.
    pub fn level(&self) -> u32 {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).level
    }

    /// Sets the level, and takes it back after a time.
    pub fn set(&self, level: u32, time: Duration) {
        let change = self.change(level);
        if level == ORIGINAL {
            return;
        }
        let this = self.clone();
        self.runtime.spawn(async move {
            tokio::time::sleep(time).await;
            if this.state.lock().unwrap_or_else(PoisonError::into_inner).changes == change {
                this.change(ORIGINAL);
            }
        });
    }

    fn change(&self, level: u32) -> u64 {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.level = level;
        state.changes += 1;
        (self.apply)(level);
        tracing::info!(level, "the verbosity of the log is set");
        state.changes
    }

    /// `?level=&duration=`: both, or neither to ask for the level.
    pub fn toggle(&self, request: &Request) -> Response {
        let query = request.query_pairs();
        let (level, time) = match (query.get("level"), query.get("duration")) {
            (None, None) => return Response::text(200, format!("{}\n", self.level())),
            (Some(_), None) => return Response::text(400, "Expecting 'duration=value' in query.\n"),
            (None, Some(_)) => return Response::text(400, "Expecting 'level=value' in query.\n"),
            (Some(level), Some(time)) => (level, time),
        };
        let Ok(number) = level.parse::<i32>() else {
            return Response::text(400, format!("Failed to convert '{level}' to number.\n"));
        };
        let Ok(number) = u32::try_from(number) else {
            return Response::text(400, format!("Invalid level '{number}'.\n"));
        };
        match duration::parse(time) {
            Err(error) => Response::text(400, format!("{error}.\n")),
            Ok(time) => {
                self.set(number, time);
                Response::empty(200)
            }
        }
    }
}

/// The file that holds a program's log: what `--external_log_file` says, or else the newest one it makes below `--log_dir`.
pub fn file(program: &str, values: &Values) -> Option<PathBuf> {
    let external = values.get("external_log_file").map(PathBuf::from);
    external.or_else(|| values.get("log_dir").map(|dir| Path::new(dir).join(format!("{program}.INFO"))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tepui_wire::Body;

    fn toggle(logging: &Logging, query: &str) -> (u16, String) {
        let response = logging.toggle(&crate::files::tests::request(query));
        let Body::Full(body) = response.body else { panic!("a whole body") };
        (response.status, String::from_utf8_lossy(&body).into_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn a_level_holds_for_its_time() {
        let logging = Logging::new(|_| {});
        assert_eq!(toggle(&logging, ""), (200, "0\n".to_owned()));
        assert_eq!(toggle(&logging, "level=2&duration=10secs"), (200, String::new()));
        tokio::time::sleep(Duration::from_secs(6)).await;
        assert_eq!(toggle(&logging, "level=3&duration=10secs"), (200, String::new()));
        tokio::time::sleep(Duration::from_secs(6)).await;
        assert_eq!(toggle(&logging, ""), (200, "3\n".to_owned()), "the first time does not end the second");
        tokio::time::sleep(Duration::from_secs(6)).await;
        assert_eq!(logging.level(), 0);
    }

    #[tokio::test]
    async fn what_is_wrong_is_said_as_libprocess_says_it() {
        let logging = Logging::new(|_| {});
        for (query, expected) in [
            ("level=1", "Expecting 'duration=value' in query.\n"),
            ("duration=1secs", "Expecting 'level=value' in query.\n"),
            ("level=x&duration=1secs", "Failed to convert 'x' to number.\n"),
            ("level=-1&duration=1secs", "Invalid level '-1'.\n"),
        ] {
            assert_eq!(toggle(&logging, query), (400, expected.to_owned()), "{query}");
        }
        assert_eq!(toggle(&logging, "level=1&duration=soon").0, 400);
        assert_eq!(logging.level(), 0);
    }
}
