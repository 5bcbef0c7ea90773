//! Scalar amounts as fixed point numbers.
//!
//! Mesos keeps a double on the wire and rounds it to three decimals in every comparison, sum and text
//! (`src/common/values.cpp`). Here the rounded number is all there is, so arithmetic is exact.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub, SubAssign};
use tepui_base::double;

/// An amount in thousandths: 1.5 cpus are 1500. Arithmetic saturates, so no wire value can make it panic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scalar(i64);

/// Thousandths in one unit.
const UNIT: i64 = 1000;
/// Below this many thousandths a text has at most 15 significant digits, and needs no rounding to them.
const EXACT: u64 = 1_000_000_000_000_000;

impl Scalar {
    /// Nothing.
    pub const ZERO: Scalar = Scalar(0);
    /// The largest amount that can be held.
    pub const MAX: Scalar = Scalar(i64::MAX);

    /// An amount given in thousandths of a unit.
    pub const fn from_thousandths(thousandths: i64) -> Scalar {
        Scalar(thousandths)
    }

    /// The amount in thousandths of a unit.
    pub const fn thousandths(self) -> i64 {
        self.0
    }

    /// A whole number of units.
    pub const fn from_units(units: i64) -> Scalar {
        Scalar(units.saturating_mul(UNIT))
    }

    /// The nearest thousandth to a number of units, halves away from zero. NaN becomes zero; what is too large
    /// becomes the largest amount.
    pub fn from_f64(units: f64) -> Scalar {
        Scalar((units * UNIT as f64).round() as i64)
    }

    /// The amount in units, as it stands on the wire.
    pub fn to_f64(self) -> f64 {
        // Dividing only the remainder keeps the one inexact step in the range 0..1000.
        (self.0 / UNIT) as f64 + (self.0 % UNIT) as f64 / UNIT as f64
    }

    /// True for nothing.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// `self - other`, or zero if that would be negative.
    pub fn minus_floored(self, other: Scalar) -> Scalar {
        (self - other).max(Scalar::ZERO)
    }
}

impl Add for Scalar {
    type Output = Scalar;
    fn add(self, other: Scalar) -> Scalar {
        Scalar(self.0.saturating_add(other.0))
    }
}

impl Sub for Scalar {
    type Output = Scalar;
    fn sub(self, other: Scalar) -> Scalar {
        Scalar(self.0.saturating_sub(other.0))
    }
}

impl AddAssign for Scalar {
    fn add_assign(&mut self, other: Scalar) {
        *self = *self + other;
    }
}

impl SubAssign for Scalar {
    fn sub_assign(&mut self, other: Scalar) {
        *self = *self - other;
    }
}

impl Sum for Scalar {
    fn sum<I: Iterator<Item = Scalar>>(amounts: I) -> Scalar {
        amounts.fold(Scalar::ZERO, Add::add)
    }
}

/// As a C++ stream of 15 digits prints it: `1.5`, `1024`, and `1e+15` from there on.
impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let thousandths = self.0.unsigned_abs();
        if thousandths >= EXACT {
            return f.write_str(&double::stream(self.to_f64(), 15));
        }
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, part) = (thousandths / UNIT.unsigned_abs(), thousandths % UNIT.unsigned_abs());
        write!(f, "{sign}{whole}")?;
        match part {
            0 => Ok(()),
            part if part % 100 == 0 => write!(f, ".{}", part / 100),
            part if part % 10 == 0 => write!(f, ".{:02}", part / 10),
            part => write!(f, ".{part:03}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Scalar;

    #[test]
    fn rounds_halves_away_from_zero() {
        assert_eq!(Scalar::from_f64(0.0005).thousandths(), 1);
        assert_eq!(Scalar::from_f64(-0.0005).thousandths(), -1);
        assert_eq!(Scalar::from_f64(1.9996).thousandths(), 2000);
        assert_eq!(Scalar::from_f64(0.00049).thousandths(), 0);
        assert_eq!(Scalar::from_f64(f64::NAN), Scalar::ZERO);
        assert_eq!(Scalar::from_f64(f64::INFINITY), Scalar::MAX);
    }

    #[test]
    fn prints_as_a_stream_of_fifteen_digits() {
        let cases = [
            (0.0, "0"),
            (1.0, "1"),
            (1.5, "1.5"),
            (0.05, "0.05"),
            (0.001, "0.001"),
            (45.55, "45.55"),
            (-2.25, "-2.25"),
            (1_099_511_627_776.0, "1099511627776"),
            (123_456_789_012_345.0, "123456789012345"),
            (123_456_789_012_345.5, "123456789012346"),
            (1e15, "1e+15"),
            (1.234e15, "1.234e+15"),
            (f64::MIN, "-9.22337203685478e+15"),
        ];
        for (units, text) in cases {
            assert_eq!(Scalar::from_f64(units).to_string(), text);
        }
    }

    #[test]
    fn a_tenth_ten_times_is_one() {
        let sum: Scalar = std::iter::repeat_n(Scalar::from_f64(0.1), 10).sum();
        assert_eq!(sum, Scalar::from_units(1));
        assert_eq!(sum.to_f64(), 1.0);
    }
}
