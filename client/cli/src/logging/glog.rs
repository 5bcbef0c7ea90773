//! The line format of glog, which Mesos logs in: `I1122 07:41:03.123456  1234 register.rs:42] text key=value`.
//!
//! Severity letter, month and day, time with microseconds (UTC), thread, source file and line. Programs that read the
//! logs of Mesos split at `] `.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::registry::LookupSpan;

/// Formats events as glog does.
pub struct Glog;

impl<S, N> FormatEvent<S, N> for Glog
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let metadata = event.metadata();
        let file = metadata.file().unwrap_or("unknown");
        let file = file.rsplit('/').next().unwrap_or(file);
        let (severity, at, thread) = (severity(metadata.level()), stamp(now()), nix::unistd::gettid());
        write!(writer, "{severity}{at} {thread:>5} {file}:{}] ", metadata.line().unwrap_or(0))?;
        context.field_format().format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}

fn severity(level: &Level) -> char {
    match *level {
        Level::ERROR => 'E',
        Level::WARN => 'W',
        _ => 'I',
    }
}

/// Time since the epoch.
pub(super) fn now() -> std::time::Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// `MMDD HH:MM:SS.uuuuuu`
fn stamp(at: std::time::Duration) -> String {
    let (_, month, day, [hour, minute, second]) = civil(at.as_secs());
    format!("{month:02}{day:02} {hour:02}:{minute:02}:{second:02}.{:06}", at.subsec_micros())
}

/// Year, month, day and time of day of a time in seconds since the epoch.
pub(super) fn civil(seconds: u64) -> (u64, u64, u64, [u64; 3]) {
    let (year, month, day) = tepui_base::date::civil(seconds / 86_400);
    let rest = seconds % 86_400;
    (year, month, day, [rest / 3_600, rest / 60 % 60, rest % 60])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;
    use tracing_subscriber::layer::SubscriberExt;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_reads_as_one_of_glog() {
        let kept = Kept::default();
        let writer = kept.clone();
        let layer = tracing_subscriber::fmt::layer().event_format(Glog).with_ansi(false);
        let subscriber = tracing_subscriber::registry().with(layer.with_writer(move || writer.clone()));
        tracing::subscriber::with_default(subscriber, || tracing::warn!(agent = "S0", "gone"));
        let line = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        let (head, text) = line.split_once("] ").unwrap();
        let words: Vec<&str> = head.split_whitespace().collect();
        assert_eq!(words.len(), 4, "{line}");
        assert!(words[0].starts_with('W') && words[0].len() == 5, "{line}");
        assert_eq!(words[1].len(), "07:41:03.123456".len());
        assert_eq!(words[2], nix::unistd::gettid().to_string());
        assert!(words[3].starts_with("glog.rs:"));
        assert_eq!(text, "gone agent=\"S0\"\n");
    }

    #[test]
    fn times_are_civil() {
        assert_eq!(stamp(Duration::new(1_600_000_000, 5_000)), "0913 12:26:40.000005");
        assert_eq!(civil(0), (1970, 1, 1, [0, 0, 0]));
    }
}
