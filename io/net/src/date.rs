//! The text of the `Date` header, made once a second.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use tepui_base::Wall;

/// The last text made and the second it is of.
#[derive(Default)]
pub(crate) struct DateText(Mutex<Option<(u64, Arc<str>)>>);

impl DateText {
    pub(crate) fn now(&self) -> Arc<str> {
        let second = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let mut cached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*cached {
            Some((of, text)) if *of == second => text.clone(),
            _ => {
                let text: Arc<str> = tepui_wire::date::text(Wall(second * 1_000_000_000)).into();
                *cached = Some((second, text.clone()));
                text
            }
        }
    }
}
