//! Durations in the text form of Mesos flags and messages: `15secs`, `1.5mins`, `500ms`, `10days`.
//!
//! Source: stout `duration.hpp`. A number and a unit without space; units are `ns us ms secs mins hrs days weeks`.

use std::time::Duration;

const UNITS: [(&str, u64); 8] = [
    ("weeks", 604_800_000_000_000),
    ("days", 86_400_000_000_000),
    ("hrs", 3_600_000_000_000),
    ("mins", 60_000_000_000),
    ("secs", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// Why a text is not a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No number in front of the unit; this stands there.
    #[error("Failed to convert '{0}' to number")]
    Number(String),
    /// No unit.
    #[error("Invalid duration '{0}'")]
    NoUnit(String),
    /// An unknown unit.
    #[error(
        "Unknown duration unit '{0}'; supported units are 'ns', 'us', 'ms', 'secs', 'mins', 'hrs', 'days', and 'weeks'"
    )]
    Unit(String),
    /// More nanoseconds than an i64 holds.
    #[error("Argument out of the range that a Duration can represent due to int64_t's size limit")]
    Range,
}

/// Reads a duration such as `15secs` or `1.5mins`.
pub fn parse(text: &str) -> Result<Duration, Error> {
    let split = text.find(|c: char| !(c.is_ascii_digit() || c == '.'));
    let (number, unit) = text.split_at(split.ok_or_else(|| Error::NoUnit(text.to_owned()))?);
    let value: f64 = number.parse().map_err(|_| Error::Number(number.to_owned()))?;
    let Some((_, nanos)) = UNITS.iter().find(|(name, _)| *name == unit) else {
        return Err(Error::Unit(unit.to_owned()));
    };
    from_nanos_f64(value * *nanos as f64).ok_or(Error::Range)
}

/// Seconds with fraction, as `Filters.refuse_seconds` and `FrameworkInfo.failover_timeout` carry them. `None` when
/// negative, not a number, or beyond what 64-bit nanoseconds hold.
pub fn from_secs_f64(secs: f64) -> Option<Duration> {
    from_nanos_f64(secs * 1e9)
}

fn from_nanos_f64(nanos: f64) -> Option<Duration> {
    (nanos >= 0.0 && nanos <= i64::MAX as f64).then(|| Duration::from_nanos(nanos as u64))
}

/// Writes a duration as Mesos prints it: in the unit of its magnitude, or one unit lower when it is not whole there
/// but whole below (`90secs`, `2500ms`), with a fraction otherwise.
pub fn format(duration: Duration) -> String {
    let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    let Some(at) = UNITS.iter().position(|(_, unit)| nanos >= *unit) else {
        return "0ns".to_owned();
    };
    let (name, unit) = UNITS[at];
    if nanos.is_multiple_of(unit) {
        return format!("{}{name}", nanos / unit);
    }
    if let Some((lower, size)) = UNITS.get(at + 1)
        && nanos.is_multiple_of(*size)
    {
        return format!("{}{lower}", nanos / size);
    }
    format!("{}{name}", nanos as f64 / unit as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_mesos_round_trip() {
        for text in ["5secs", "15mins", "1weeks", "500ms", "2500ms", "90secs", "10days", "0ns", "1us"] {
            assert_eq!(format(parse(text).unwrap()), text);
        }
    }

    #[test]
    fn a_fraction_is_read() {
        assert_eq!(parse("1.5mins").unwrap(), Duration::from_secs(90));
    }

    #[test]
    fn nonsense_names_what_is_wrong() {
        let text = |duration| parse(duration).unwrap_err().to_string();
        assert_eq!(text("secs"), "Failed to convert '' to number");
        assert_eq!(text("-5secs"), "Failed to convert '' to number");
        assert_eq!(text("1.2.3secs"), "Failed to convert '1.2.3' to number");
        assert_eq!(text("5"), "Invalid duration '5'");
        assert!(text("5parsecs").starts_with("Unknown duration unit 'parsecs'; supported units are 'ns', 'us', "));
        assert_eq!(parse("1e30weeks"), Err(Error::Unit("e30weeks".to_owned())));
        assert_eq!(parse("1000000000weeks"), Err(Error::Range));
    }
}
