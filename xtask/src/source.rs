//! Just enough of Rust's grammar to tell code from comments and strings, and tests from what ships.
//!
//! A check that greps raw text cries wolf at every comment that names the thing it forbids. Here comments and the
//! insides of literals become blanks, line by line and column by column, so that what remains is code.

/// A Rust file, prepared for searching.
pub struct Source {
    /// The code of each line, with comments and the insides of literals blanked.
    pub lines: Vec<String>,
    /// Which lines belong to a `#[cfg(test)]` item.
    pub in_test: Vec<bool>,
}

impl Source {
    /// Reads one file. `test_file` says that all of it is test code (a file under `tests/`, or named `tests.rs`).
    pub fn new(text: &str, test_file: bool) -> Source {
        let code = blank(text);
        let lines: Vec<String> = code.lines().map(str::to_owned).collect();
        let mut in_test = vec![test_file; lines.len()];
        for start in
            lines.iter().enumerate().filter(|(_, l)| l.trim_start().starts_with("#[cfg(test)]")).map(|(n, _)| n)
        {
            for line in in_test.iter_mut().take(end_of_item(&lines, start) + 1).skip(start) {
                *line = true;
            }
        }
        Source { lines, in_test }
    }

    /// Every line, numbered from one, with whether it is test code.
    pub fn numbered(&self) -> impl Iterator<Item = (usize, &str, bool)> {
        self.lines.iter().zip(&self.in_test).enumerate().map(|(n, (line, test))| (n + 1, line.as_str(), *test))
    }
}

/// The last line of the item that starts at `start`: where its braces close, or where a `;` ends it before any brace.
fn end_of_item(lines: &[String], start: usize) -> usize {
    let mut depth = 0usize;
    for (n, line) in lines.iter().enumerate().skip(start) {
        for c in line.chars() {
            match c {
                '{' => depth += 1,
                '}' if depth <= 1 => return n,
                '}' => depth -= 1,
                ';' if depth == 0 => return n,
                _ => {}
            }
        }
    }
    lines.len().saturating_sub(1)
}

/// Where `word` stands in `line` as a whole word (`std::fs` does not match `std::fsync`).
pub fn has_word(line: &str, word: &str) -> bool {
    let part_of_name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let open = word.starts_with(part_of_name);
        let close = word.ends_with(part_of_name);
        let inside_a_name = open && before.is_some_and(part_of_name) || close && after.is_some_and(part_of_name);
        !inside_a_name
    })
}

/// The same text with comments and the insides of literals replaced by spaces; line breaks stay.
fn blank(text: &str) -> String {
    let mut rest = text;
    let mut out = String::with_capacity(text.len());
    let mut after_name = false;
    while let Some(c) = rest.chars().next() {
        let (taken, keep) = match literal_or_comment(rest, after_name) {
            Some(length) => (length, false),
            None => (c.len_utf8(), true),
        };
        let (piece, remaining) = rest.split_at(taken);
        if keep {
            out.push_str(piece);
        } else {
            out.extend(piece.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        }
        after_name = keep && (c.is_alphanumeric() || c == '_');
        rest = remaining;
    }
    out
}

/// The length in bytes of the comment, string or character literal that starts here, if one does.
fn literal_or_comment(rest: &str, after_name: bool) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Some(block_comment(rest));
    }
    if rest.starts_with('"') {
        return Some(quoted(rest, 1));
    }
    if rest.starts_with('\'') {
        return character(rest);
    }
    if after_name {
        return None;
    }
    let body = rest.strip_prefix("br").or_else(|| rest.strip_prefix('r'))?;
    let hashes = body.len() - body.trim_start_matches('#').len();
    let body = body[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let opened = rest.len() - body.len();
    Some(body.find(&end).map_or(rest.len(), |at| opened + at + end.len()))
}

/// Block comments nest.
fn block_comment(rest: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

/// The length of a string literal whose opening quote ends at `opened`.
fn quoted(rest: &str, opened: usize) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip_while(|(at, _)| *at < opened) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// A character literal, as opposed to a lifetime such as `'a`.
fn character(rest: &str) -> Option<usize> {
    let mut chars = rest.char_indices().skip(1);
    let (_, first) = chars.next()?;
    if first == '\\' {
        return rest[2..].char_indices().skip(1).find(|(_, c)| *c == '\'').map(|(at, _)| 2 + at + 1);
    }
    let (at, close) = chars.next()?;
    (close == '\'').then_some(at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_strings_are_blank_and_columns_stay() {
        let text = "let a = \"todo!\\\"x\"; // todo!\nlet c = 'x'; let l: &'static str = r#\"todo!\"#; /* todo! /* */ todo! */ f();";
        let code = blank(text);
        assert!(!code.contains("todo!"), "{code}");
        assert!(code.contains("let l: &'static str ="), "{code}");
        assert!(code.ends_with("f();"), "{code}");
        assert_eq!(code.lines().count(), 2);
        assert_eq!(blank("let c = '\\''; x"), "let c =     ; x");
    }

    #[test]
    fn words_are_whole() {
        assert!(has_word("use std::fs;", "std::fs"));
        assert!(!has_word("use std::fsync;", "std::fs"));
        assert!(!has_word("my_slave", "slave"));
        assert!(has_word("a.sleep(x)", "sleep("));
    }

    #[test]
    fn test_items_end_where_their_braces_close() {
        let source = Source::new(
            "fn a() {}\n#[cfg(test)]\nmod tests {\n fn b() {}\n}\nfn c() {}\n#[cfg(test)]\nmod t;\nfn d() {}",
            false,
        );
        assert_eq!(source.in_test, [false, true, true, true, true, false, true, true, false]);
    }
}
