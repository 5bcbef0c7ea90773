//! What the files of a database are called.

/// A file of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    /// `000012.log`: writes that are in no table yet.
    Wal(u64),
    /// `000012.ldb`, or `.sst` from before LevelDB 1.14.
    Table(u64),
    /// `MANIFEST-000012`: which tables there are.
    Manifest(u64),
    /// `000012.dbtmp`: what becomes `CURRENT`.
    Temporary(u64),
}

pub(crate) const CURRENT: &str = "CURRENT";
pub(crate) const LOCK: &str = "LOCK";

impl Name {
    /// What a file of this name is; `None` for `CURRENT`, `LOCK`, the info logs and what is not LevelDB's.
    pub fn parse(name: &str) -> Option<Name> {
        let number = |text: &str| text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
        if let Some(text) = name.strip_prefix("MANIFEST-") {
            return number(text).map(Name::Manifest);
        }
        let (stem, extension) = name.split_once('.')?;
        let number = number(stem)?;
        match extension {
            "log" => Some(Name::Wal(number)),
            "ldb" | "sst" => Some(Name::Table(number)),
            "dbtmp" => Some(Name::Temporary(number)),
            _ => None,
        }
    }

    pub fn number(self) -> u64 {
        let (Name::Wal(number) | Name::Table(number) | Name::Manifest(number) | Name::Temporary(number)) = self;
        number
    }

    pub fn text(self) -> String {
        match self {
            Name::Wal(number) => format!("{number:06}.log"),
            Name::Table(number) => format!("{number:06}.ldb"),
            Name::Manifest(number) => format!("MANIFEST-{number:06}"),
            Name::Temporary(number) => format!("{number:06}.dbtmp"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_leveldb() {
        for (text, name) in [
            ("000007.log", Name::Wal(7)),
            ("1234567.ldb", Name::Table(1_234_567)),
            ("MANIFEST-000002", Name::Manifest(2)),
            ("000003.dbtmp", Name::Temporary(3)),
        ] {
            assert_eq!(Name::parse(text), Some(name));
            assert_eq!(name.text(), text);
        }
        assert_eq!(Name::parse("000009.sst"), Some(Name::Table(9)));
        for text in ["CURRENT", "LOCK", "LOG", "LOG.old", "x.log", "+1.log", "7.log.bak", "MANIFEST-", "000001"] {
            assert_eq!(Name::parse(text), None, "{text}");
        }
    }
}
