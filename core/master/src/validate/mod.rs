//! What is refused, and in which words.
//!
//! Checks run in the order of Mesos and stop at the first that fails, so that a client sees the text it knows. Source:
//! Mesos `src/master/validation.cpp`, `src/common/validation.cpp`.

pub mod agent;
pub mod call;
pub mod container;
pub mod executor;
pub mod framework;
pub mod group;
pub mod maintenance;
pub mod offer;
pub mod resource;
pub mod task;
pub mod version;

/// The text of the first check that failed.
pub type Checked = Result<(), String>;

/// Ids name files and parts of URLs.
pub fn id(id: &str) -> Checked {
    const MAX_LENGTH: usize = 255;
    if id.is_empty() {
        return Err("ID must not be empty".to_owned());
    }
    if id.len() > MAX_LENGTH {
        return Err(format!("ID must not be greater than {MAX_LENGTH} characters"));
    }
    if id == "." || id == ".." {
        return Err(format!("'{id}' is disallowed"));
    }
    if id.chars().any(|c| c.is_ascii_control() || c == '/' || c == '\\') {
        return Err(format!("'{id}' contains invalid characters"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_refused_in_the_words_of_mesos() {
        for (id_, expected) in [
            ("", "ID must not be empty"),
            (".", "'.' is disallowed"),
            ("..", "'..' is disallowed"),
            ("a/b", "'a/b' contains invalid characters"),
            ("a\\b", "'a\\b' contains invalid characters"),
            ("a\u{1}", "'a\u{1}' contains invalid characters"),
        ] {
            assert_eq!(id(id_), Err(expected.to_owned()));
        }
        assert_eq!(id(&"a".repeat(256)), Err("ID must not be greater than 255 characters".to_owned()));
        assert_eq!(id(&"a".repeat(255)), Ok(()));
        assert_eq!(id("a.b c"), Ok(()));
    }
}
