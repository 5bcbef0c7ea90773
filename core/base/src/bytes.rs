//! Sizes in the text form of Mesos flags: `64MB`, `2GB`, `512B`. Units are powers of 1024.
//!
//! Source: stout `bytes.hpp`.

const UNITS: [(&str, u64); 5] = [("TB", 1 << 40), ("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10), ("B", 1)];

/// Why a text is not a size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Invalid bytes '{0}': expecting a whole number and one of B, KB, MB, GB, TB, e.g. 64MB")]
pub struct Error(String);

/// Reads a size such as `64MB`, in bytes.
pub fn parse(text: &str) -> Result<u64, Error> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let value: Option<u64> = number.parse().ok();
    let unit = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, size)| *size);
    value.zip(unit).and_then(|(v, u)| v.checked_mul(u)).ok_or_else(|| Error(text.to_owned()))
}

/// Writes a size in the largest unit that holds it whole.
pub fn format(bytes: u64) -> String {
    let (name, unit) = UNITS.iter().find(|(_, u)| bytes >= *u && bytes.is_multiple_of(*u)).copied().unwrap_or(("B", 1));
    format!("{}{name}", bytes / unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_round_trip() {
        for text in ["0B", "512B", "1KB", "64MB", "2GB", "1TB", "1536KB"] {
            assert_eq!(format(parse(text).unwrap()), text);
        }
        assert!(parse("64").is_err());
        assert!(parse("MB").is_err());
        assert!(parse("99999999999TB").is_err());
    }
}
