//! Free-form labels of reservations and disk sources.

use std::fmt;

/// Keys with optional values. Order is kept, but does not count in comparisons.
#[derive(Clone, Debug, Default)]
pub struct Labels(pub Vec<Label>);

/// One label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The key; it need not be unique.
    pub key: String,
    /// The value, if there is one.
    pub value: Option<String>,
}

/// As in `src/common/type_utils.cpp`: equal sizes, and each on the left is somewhere on the right.
impl PartialEq for Labels {
    fn eq(&self, other: &Labels) -> bool {
        self.0.len() == other.0.len() && self.0.iter().all(|label| other.0.contains(label))
    }
}

/// `{key: value, bare}`.
impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (i, label) in self.0.iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            write!(f, "{comma}{}", label.key)?;
            if let Some(value) = &label.value {
                write!(f, ": {value}")?;
            }
        }
        f.write_str("}")
    }
}
