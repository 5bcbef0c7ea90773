//! Differences that are meant, each with the line of COMPATIBILITY.md that tells people about it.

use anyhow::{Context, Result, ensure};

use super::compare::Difference;

/// One entry: `request | place | words of COMPATIBILITY.md`; `*` stands for any text in the first two.
#[derive(Clone, Debug)]
pub struct Allowed {
    request: String,
    place: String,
    /// How often it was met.
    pub met: usize,
}

/// Reads the list and checks that each entry is written down for people too.
pub fn read(text: &str, compatibility: &str) -> Result<Vec<Allowed>> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let entry = |(number, line): (usize, &str)| {
        let mut parts = line.split(" | ").map(str::trim);
        let (request, place, words) = (|| Some((parts.next()?, parts.next()?, parts.next()?)))()
            .with_context(|| format!("allowed.txt:{}: request | place | words", number + 1))?;
        let known = compatibility.lines().any(|line| line.contains(words));
        ensure!(known, "allowed.txt:{}: no line of COMPATIBILITY.md has `{words}`", number + 1);
        Ok(Allowed { request: request.to_owned(), place: place.to_owned(), met: 0 })
    };
    lines.map(entry).collect()
}

impl Allowed {
    /// Whether it allows this difference.
    pub fn allows(&self, difference: &Difference) -> bool {
        matches(&self.request, &difference.request) && matches(&self.place, &difference.place)
    }
}

impl std::fmt::Display for Allowed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} | {}", self.request, self.place)
    }
}

/// Whether a text is what a pattern says; `*` is any text, also none.
pub fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|text| {
            let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
            ends.into_iter().any(|at| matches(rest, &text[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_any_text() {
        for (pattern, text, matching) in
            [("a", "a", true), ("a*", "abc", true), ("*/c", "a/b/c", true), ("a/*/c", "a/c", false), ("*", "", true)]
        {
            assert_eq!(matches(pattern, text), matching, "{pattern} {text}");
        }
    }

    #[test]
    fn an_entry_that_people_are_not_told_of_is_refused() {
        assert_eq!(
            read("# why\nstate | body/x | order of entries", "| order of entries in arrays |").unwrap().len(),
            1
        );
        assert!(read("state | body/x | nothing", "something").is_err());
        assert!(read("state | body/x", "something").is_err());
    }
}
