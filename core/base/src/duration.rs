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
    /// No number in front of the unit.
    #[error("Invalid duration '{0}': expecting a number and a unit, e.g. 15secs")]
    Number(String),
    /// An unknown unit.
    #[error("Unknown duration unit '{0}'; expecting one of ns, us, ms, secs, mins, hrs, days, weeks")]
    Unit(String),
    /// Negative, or more nanoseconds than an i64 holds.
    #[error("Argument '{0}' out of the range that a Duration could represent")]
    Range(String),
}

/// Reads a duration such as `15secs` or `1.5mins`.
pub fn parse(text: &str) -> Result<Duration, Error> {
    let split =
        text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | 'e' | 'E'))).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let value: f64 = number.parse().map_err(|_| Error::Number(text.to_owned()))?;
    let Some((_, nanos)) = UNITS.iter().find(|(name, _)| *name == unit) else {
        return Err(Error::Unit(unit.to_owned()));
    };
    from_nanos_f64(value * *nanos as f64).ok_or_else(|| Error::Range(text.to_owned()))
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
        assert!(matches!(parse("secs"), Err(Error::Number(_))));
        assert!(matches!(parse("5"), Err(Error::Unit(_))));
        assert!(matches!(parse("5parsecs"), Err(Error::Unit(_))));
        assert!(matches!(parse("-5secs"), Err(Error::Range(_))));
        assert!(matches!(parse("1e30weeks"), Err(Error::Range(_))));
    }
}
