//! Versions of agents (`1.11.0-rc1+build`); only the three numbers, and whether it is a release, matter here.

/// A version. A release comes after its candidates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// Major, minor and patch; missing ones are 0.
    pub numbers: (u64, u64, u64),
    /// Whether it is no candidate of one (`-rc1`).
    pub is_release: bool,
}

impl Version {
    /// Reads a version.
    pub fn parse(text: &str) -> Option<Version> {
        let text = text.split('+').next()?;
        let (core, is_release) = text.split_once('-').map_or((text, true), |(core, _)| (core, false));
        let mut numbers = core.split('.').map(|number| number.parse::<u64>().ok());
        let version = (numbers.next()??, numbers.next().unwrap_or(Some(0))?, numbers.next().unwrap_or(Some(0))?);
        numbers.next().is_none().then_some(Version { numbers: version, is_release })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_by_their_numbers() {
        let numbers = |text| Version::parse(text).map(|version| version.numbers);
        assert_eq!(numbers("1.11.0"), Some((1, 11, 0)));
        assert_eq!(numbers("1.2"), Some((1, 2, 0)));
        assert_eq!(numbers("1.0.0-rc1"), Some((1, 0, 0)));
        assert_eq!(numbers("1.0.0+build-7"), Some((1, 0, 0)));
        assert_eq!(numbers("1"), Some((1, 0, 0)));
        for bad in ["", "x", "1.x", "1.2.3.4"] {
            assert_eq!(Version::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_candidate_comes_before_its_release() {
        assert!(Version::parse("1.0.0-rc1") < Version::parse("1.0.0"));
        assert!(Version::parse("1.0.0+build-7") == Version::parse("1.0.0"));
        assert!(Version::parse("1.0.1-rc1") > Version::parse("1.0.0"));
    }
}
