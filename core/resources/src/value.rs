//! The value of a resource, and the text form it shares with attributes.
//!
//! Facts from `src/common/values.cpp`.

use std::fmt;
use std::num::FpCategory;

use crate::{Ranges, Scalar, Set};

/// What a resource is worth. Values are never negative.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// An amount.
    Scalar(Scalar),
    /// A set of whole numbers.
    Ranges(Ranges),
    /// A set of texts.
    Set(Set),
}

impl Value {
    /// True for no amount (or less) and for empty sets.
    pub fn is_empty(&self) -> bool {
        match self {
            Value::Scalar(scalar) => *scalar <= Scalar::ZERO,
            Value::Ranges(ranges) => ranges.is_empty(),
            Value::Set(set) => set.is_empty(),
        }
    }

    /// True if both are of one kind (two scalars, for example).
    pub fn is_like(&self, other: &Value) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }

    /// True if `other` is of the same kind and not more than this.
    pub fn contains(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Scalar(mine), Value::Scalar(theirs)) => theirs <= mine,
            (Value::Ranges(mine), Value::Ranges(theirs)) => mine.contains(theirs),
            (Value::Set(mine), Value::Set(theirs)) => mine.contains(theirs),
            _ => false,
        }
    }

    /// True if some number or item is in both; amounts have none.
    pub fn intersects(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Ranges(mine), Value::Ranges(theirs)) => mine.intersects(theirs),
            (Value::Set(mine), Value::Set(theirs)) => mine.intersects(theirs),
            _ => false,
        }
    }

    /// Adds a value of the same kind; any other is ignored.
    pub fn add(&mut self, other: &Value) {
        match (self, other) {
            (Value::Scalar(mine), Value::Scalar(theirs)) => *mine += *theirs,
            (Value::Ranges(mine), Value::Ranges(theirs)) => *mine += theirs,
            (Value::Set(mine), Value::Set(theirs)) => *mine += theirs,
            _ => {}
        }
    }

    /// Subtracts a value of the same kind; any other is ignored. A scalar can become negative.
    pub fn subtract(&mut self, other: &Value) {
        match (self, other) {
            (Value::Scalar(mine), Value::Scalar(theirs)) => *mine -= *theirs,
            (Value::Ranges(mine), Value::Ranges(theirs)) => *mine -= theirs,
            (Value::Set(mine), Value::Set(theirs)) => *mine -= theirs,
            _ => {}
        }
    }

    /// How much it is as one amount: a scalar itself, the count of numbers or items.
    pub fn quantity(&self) -> Scalar {
        let units = |count: u64| Scalar::from_units(i64::try_from(count).unwrap_or(i64::MAX));
        match self {
            Value::Scalar(scalar) => *scalar,
            Value::Ranges(ranges) => units(ranges.count()),
            Value::Set(set) => units(set.len() as u64),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Scalar(scalar) => scalar.fmt(f),
            Value::Ranges(ranges) => ranges.fmt(f),
            Value::Set(set) => set.fmt(f),
        }
    }
}

/// What a text says, before anyone has decided whether it is allowed where it stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Parsed {
    /// A finite number that is not negative, not yet rounded.
    Scalar(f64),
    /// Ranges.
    Ranges(Ranges),
    /// Items as written, duplicates included.
    Set(Vec<String>),
    /// Anything else, without its spaces.
    Text(String),
}

/// Why a text is no value; the texts are those of Mesos.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is nothing but spaces.
    #[error("Expecting non-empty string")]
    Empty,
    /// Brackets do not pair.
    #[error("Mismatched brackets")]
    MismatchedBrackets,
    /// A range lacks an end.
    #[error("Expecting one or more \"ranges\"")]
    OddRanges,
    /// The ends of a range are not numbers.
    #[error("Expecting non-negative integers in '{0}'")]
    NotIntegers(String),
    /// A range runs backwards.
    #[error("Invalid ranges resource: begin > end")]
    InvertedRange,
    /// A number out of bounds; the second text says in which way.
    #[error("Invalid scalar value '{0}':{1}")]
    InvalidScalar(String, &'static str),
    /// A bracket inside the text.
    #[error("Unexpected '{0}' found")]
    UnexpectedBracket(char),
}

/// Reads `1.5`, `[1-4,7-7]`, `{a,b}` or a text. Spaces do not count anywhere.
pub fn parse(text: &str) -> Result<Parsed, Error> {
    let text = text.replace(' ', "");
    if text.is_empty() {
        return Err(Error::Empty);
    }
    if ![('{', '}'), ('[', ']'), ('(', ')')].iter().all(|&(open, close)| brackets_match(&text, open, close)) {
        return Err(Error::MismatchedBrackets);
    }
    match (text.find('['), text.find('{')) {
        (Some(0), _) => parse_ranges(&text).map(Parsed::Ranges),
        (Some(_), _) => Err(Error::UnexpectedBracket('[')),
        (None, Some(0)) => Ok(Parsed::Set(tokens(&text, "{},\n").map(str::to_owned).collect())),
        (None, Some(_)) => Err(Error::UnexpectedBracket('{')),
        (None, None) => match parse_number(&text) {
            Some(number) => match check_scalar(number) {
                Ok(()) => Ok(Parsed::Scalar(number)),
                Err(reason) => Err(Error::InvalidScalar(text, reason)),
            },
            None => Ok(Parsed::Text(text)),
        },
    }
}

/// Checks a scalar from outside (`validateInputScalarValue` of `src/common/validation.cpp`).
pub fn check_scalar(value: f64) -> Result<(), &'static str> {
    match value.classify() {
        FpCategory::Infinite => Err("Infinite values not supported"),
        FpCategory::Nan => Err("NaN not supported"),
        FpCategory::Subnormal => Err("Subnormal values not supported"),
        FpCategory::Normal if value < 0.0 => Err("Negative values not supported"),
        FpCategory::Normal | FpCategory::Zero => Ok(()),
    }
}

/// The non-empty pieces of a text between any of the separators.
pub(crate) fn tokens<'a>(text: &'a str, separators: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(|c| separators.contains(c)).filter(|token| !token.is_empty())
}

fn brackets_match(text: &str, open: char, close: char) -> bool {
    let depth = text.chars().try_fold(0usize, |depth, c| match c {
        c if c == open => Some(depth + 1),
        c if c == close => depth.checked_sub(1),
        _ => Some(depth),
    });
    depth == Some(0)
}

fn parse_ranges(text: &str) -> Result<Ranges, Error> {
    let ends: Vec<&str> = tokens(text, "[]-,\n").collect();
    let (pairs, []) = ends.as_chunks::<2>() else { return Err(Error::OddRanges) };
    let mut ranges = Vec::with_capacity(pairs.len());
    for [begin, end] in pairs {
        let (Some(low), Some(high)) = (parse_integer(begin), parse_integer(end)) else {
            return Err(Error::NotIntegers((*begin).to_owned()));
        };
        if low > high {
            return Err(Error::InvertedRange);
        }
        ranges.push((low, high));
    }
    Ok(Ranges::new(ranges))
}

/// A decimal number or a hexadecimal one after `0x`, as stout's `numify` takes them.
fn parse_integer(text: &str) -> Option<u64> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

fn parse_number(text: &str) -> Option<f64> {
    text.parse().ok().or_else(|| text.starts_with("0x").then(|| parse_integer(text)).flatten().map(|n| n as f64))
}
