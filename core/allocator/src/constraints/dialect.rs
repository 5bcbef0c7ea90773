//! From the regular expressions of RE2 to those of `regex-syntax`, which differ in a few places: what a framework wrote
//! for RE2 means the same here.
//!
//! In RE2 `\d`, `\w`, `\s` and `\b` are ASCII, `\Q...\E` quotes, a brace that counts nothing is a brace, a class knows no
//! classes inside and no set operators, `**` is an error, and so are flags other than `imsU`.

use super::pattern::Fault;

/// The largest count in `x{n,m}` (RE2's own bound).
const MAX_REPEAT: u32 = 1000;

/// The classes that have names.
const CLASSES: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "word",
    "xdigit",
];

/// Rewrites an expression.
pub fn translate(pattern: &str) -> Result<String, Fault> {
    let mut writer = Writer { out: String::with_capacity(pattern.len()), rest: pattern, operator: None };
    while let Some(next) = writer.rest.chars().next() {
        match next {
            '\\' => writer.escape(false)?,
            '[' => writer.class()?,
            '(' => writer.group()?,
            '*' | '+' | '?' => writer.repeat(1)?,
            '{' => match count(writer.rest) {
                Some(length) => writer.counted(length)?,
                None => writer.replace(1, "\\{"),
            },
            '}' => writer.replace(1, "\\}"),
            _ => writer.copy(next.len_utf8()),
        }
    }
    Ok(writer.out)
}

struct Writer<'a> {
    out: String,
    rest: &'a str,
    /// Where the repetition stands that was just read.
    operator: Option<&'a str>,
}

impl<'a> Writer<'a> {
    fn copy(&mut self, length: usize) {
        let (done, rest) = self.rest.split_at(length);
        self.out.push_str(done);
        (self.rest, self.operator) = (rest, None);
    }

    fn replace(&mut self, length: usize, by: &str) {
        self.out.push_str(by);
        (self.rest, self.operator) = (&self.rest[length..], None);
    }

    fn fault(kind: &'static str, part: &str) -> Fault {
        Fault { kind, part: part.to_owned() }
    }

    /// A repetition of that length, and the `?` that makes it lazy.
    fn repeat(&mut self, length: usize) -> Result<(), Fault> {
        let length = length + usize::from(self.rest[length..].starts_with('?'));
        let start = self.rest;
        if let Some(before) = self.operator {
            let both = before.len() - start.len() + length;
            return Err(Self::fault("bad repetition operator", &before[..both]));
        }
        self.copy(length);
        self.operator = Some(start);
        Ok(())
    }

    fn counted(&mut self, length: usize) -> Result<(), Fault> {
        let text = &self.rest[..length];
        let mut bounds = text[1..length - 1].split(',').filter(|bound| !bound.is_empty());
        let mut bound = || bounds.next().map(|digits| digits.parse::<u32>().unwrap_or(u32::MAX));
        let (min, max) = (bound().unwrap_or(0), bound());
        if min > MAX_REPEAT || max.is_some_and(|max| max > MAX_REPEAT || max < min) {
            return Err(Self::fault("invalid repetition size", text));
        }
        self.repeat(length)
    }

    /// The head of a group: a name or flags of RE2.
    fn group(&mut self) -> Result<(), Fault> {
        let Some(inside) = self.rest.strip_prefix("(?").filter(|inside| !inside.starts_with("P<")) else {
            self.copy(1);
            return Ok(());
        };
        let flags = inside.find(|c| !"imsU-".contains(c)).unwrap_or(inside.len());
        let end = inside[flags..].chars().next();
        if !matches!(end, Some(':' | ')')) {
            let length = 2 + flags + end.map_or(0, char::len_utf8);
            return Err(Self::fault("invalid perl operator", &self.rest[..length]));
        }
        self.copy(2 + flags + 1);
        Ok(())
    }

    fn class(&mut self) -> Result<(), Fault> {
        let start = self.rest;
        self.copy(if self.rest.starts_with("[^") { 2 } else { 1 });
        if self.rest.starts_with(']') {
            self.replace(1, "\\]");
        }
        loop {
            let next = self.rest.chars().next().ok_or_else(|| Self::fault("missing ]", start))?;
            match next {
                ']' => break,
                '\\' => self.escape(true)?,
                '[' if self.rest.starts_with("[:") => {
                    let end = self.rest.find(":]").ok_or_else(|| Self::fault("missing ]", start))?;
                    self.named_class(end + 2)?;
                }
                '[' | '&' | '~' => self.replace(1, &format!("\\{next}")),
                '-' if self.out.ends_with('-') => self.replace(1, "\\-"),
                _ => self.copy(next.len_utf8()),
            }
        }
        self.copy(1);
        Ok(())
    }

    fn named_class(&mut self, length: usize) -> Result<(), Fault> {
        let text = &self.rest[..length];
        let name = text.trim_start_matches("[:").trim_start_matches('^').trim_end_matches(":]");
        if !CLASSES.contains(&name) {
            return Err(Self::fault("invalid character class range", text));
        }
        self.copy(length);
        Ok(())
    }

    fn escape(&mut self, in_class: bool) -> Result<(), Fault> {
        let Some(next) = self.rest[1..].chars().next() else { return Err(Self::fault("trailing \\", "")) };
        let length = 1 + next.len_utf8();
        match next {
            'd' => self.replace(length, "[0-9]"),
            'D' => self.replace(length, "[^0-9]"),
            'w' => self.replace(length, "[0-9A-Za-z_]"),
            'W' => self.replace(length, "[^0-9A-Za-z_]"),
            's' => self.replace(length, "[\\t\\n\\f\\r ]"),
            'S' => self.replace(length, "[^\\t\\n\\f\\r ]"),
            'b' if !in_class => self.replace(length, "(?-u:\\b)"),
            'B' if !in_class => self.replace(length, "(?-u:\\B)"),
            'Q' if !in_class => {
                let quoted = &self.rest[length..];
                let end = quoted.find("\\E").unwrap_or(quoted.len());
                let text = regex_syntax::escape(&quoted[..end]);
                self.replace((length + end + 2).min(self.rest.len()), &text);
            }
            'A' | 'z' if !in_class => self.copy(length),
            'p' | 'P' | 'x' if self.rest[length..].starts_with('{') => {
                let end = self.rest.find('}').ok_or_else(|| Self::fault("invalid escape sequence", self.rest))?;
                self.copy(end + 1);
            }
            'p' | 'P' | 'x' | 'a' | 'f' | 't' | 'n' | 'r' | 'v' => self.copy(length),
            '0' => self.replace(length, "\\x00"),
            _ if next.is_ascii_punctuation() && next != '_' => {
                let text =
                    if regex_syntax::is_meta_character(next) { &self.rest[..length] } else { &self.rest[1..length] };
                self.replace(length, text);
            }
            _ => return Err(Self::fault("invalid escape sequence", &self.rest[..length])),
        }
        Ok(())
    }
}

/// The length of `{n}`, `{n,}` or `{n,m}` at the start of a text.
fn count(text: &str) -> Option<usize> {
    let end = text.find('}')?;
    let (min, max) = text[1..end].split_once(',').unwrap_or((&text[1..end], ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    (!min.is_empty() && digits(min) && digits(max)).then_some(end + 1)
}
