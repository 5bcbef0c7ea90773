//! The fuzz body of this crate's parser: any text may come, nothing may panic.

use crate::RegexLimits;
use crate::constraints::Pattern;

/// A regular expression of a framework, and the same bytes as a text it is matched with.
pub fn fuzz_regex(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (regex, subject) = text.split_once('\n').unwrap_or((&text, ""));
    if let Ok(pattern) = Pattern::new(regex, RegexLimits { max_mem: 64 * 1024, max_program_size: 4_000 }) {
        assert_eq!(pattern.matches(subject), pattern.matches(subject));
    }
}
