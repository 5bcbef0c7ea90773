//! Versions of agents (`1.11.0-rc1+build`); only the three numbers matter here.

/// Major, minor and patch; missing ones are 0.
pub fn parse(text: &str) -> Option<(u64, u64, u64)> {
    let core = text.split(['-', '+']).next()?;
    let mut numbers = core.split('.').map(|number| number.parse::<u64>().ok());
    let version = (numbers.next()??, numbers.next().unwrap_or(Some(0))?, numbers.next().unwrap_or(Some(0))?);
    numbers.next().is_none().then_some(version)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn versions_are_read_by_their_numbers() {
        assert_eq!(parse("1.11.0"), Some((1, 11, 0)));
        assert_eq!(parse("1.2"), Some((1, 2, 0)));
        assert_eq!(parse("1.0.0-rc1"), Some((1, 0, 0)));
        assert_eq!(parse("1"), Some((1, 0, 0)));
        for bad in ["", "x", "1.x", "1.2.3.4"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
