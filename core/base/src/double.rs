//! Text of doubles where Mesos writes them to a stream. (JSON has the shortest digits that read back the same.)

/// As a C++ stream of this precision prints a double: so many significant digits, no zeros behind them, and an exponent
/// where it is larger than they show, or smaller than a ten-thousandth. The default precision is six.
pub fn stream(value: f64, digits: u8) -> String {
    if !value.is_finite() {
        return value.to_string().to_lowercase();
    }
    let digits = i32::from(digits);
    let decimals = |places: i32| usize::try_from(places).unwrap_or(0);
    let scientific = format!("{value:.*e}", decimals(digits - 1));
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..digits).contains(&exponent) {
        return without_zeros(&format!("{value:.*}", decimals(digits - 1 - exponent)));
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", without_zeros(mantissa), exponent.unsigned_abs())
}

fn without_zeros(text: &str) -> String {
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_look_as_a_stream_prints_them() {
        let texts = [
            (0.0, "0"),
            (5.0, "5"),
            (1.2345678, "1.23457"),
            (12.50, "12.5"),
            (200.0 / 3.0, "66.6667"),
            (100.0 / 300.0, "0.333333"),
            (0.000123456789, "0.000123457"),
            (0.0000123, "1.23e-05"),
            (123_456.4, "123456"),
            (999_999.7, "1e+06"),
            (-12_345_678.0, "-1.23457e+07"),
            (1e20, "1e+20"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
        ];
        for (value, text) in texts {
            assert_eq!(stream(value, 6), text);
        }
        assert_eq!(stream(123_456_789_012_345.5, 15), "123456789012346");
        assert_eq!(stream(1.234e15, 15), "1.234e+15");
    }
}
