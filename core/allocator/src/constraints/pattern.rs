//! A regular expression of a framework: bounded like those of RE2 in Mesos, with the texts of RE2.

use super::{dialect, size};
use regex_automata::meta::{Config, Regex};
use regex_automata::nfa::thompson::WhichCaptures;
use regex_syntax::ast::ErrorKind;
use regex_syntax::hir::{Hir, Look};
use std::fmt;

/// Where the engine may note what it tried, in bytes: enough for a program of the default size on any attribute of
/// reasonable length; beyond that it goes on with the slower engine that needs no notes.
const ENGINE_MEMORY: usize = 64 * 1024;

/// Limits on each regular expression (`--offer_constraints_re2_max_mem`, `--offer_constraints_re2_max_program_size`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegexLimits {
    /// Memory for the program, in bytes.
    pub max_mem: u64,
    /// Instructions in the program.
    pub max_program_size: u64,
}

impl Default for RegexLimits {
    /// The defaults of Mesos 1.11.
    fn default() -> RegexLimits {
        RegexLimits { max_mem: 4096, max_program_size: 100 }
    }
}

/// Why a regular expression cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It is none, or it is beyond the memory.
    #[error("Failed to construct regex from pattern '{pattern}': {fault}")]
    Syntax {
        /// The expression.
        pattern: String,
        /// What is wrong.
        fault: Fault,
    },
    /// Its program is too large.
    #[error("Regex '{pattern}' is too complex: program size of {size} is larger than maximum of {maximum} allowed")]
    TooComplex {
        /// The expression.
        pattern: String,
        /// Instructions.
        size: u64,
        /// How many are allowed.
        maximum: u64,
    },
}

/// What is wrong with a regular expression, and where; the texts are those of RE2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The kind.
    pub kind: &'static str,
    /// The part of the expression.
    pub part: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind)?;
        if !self.part.is_empty() { write!(f, ": {}", self.part) } else { Ok(()) }
    }
}

/// A compiled expression that must match a whole text.
#[derive(Clone)]
pub struct Pattern {
    text: String,
    regex: Regex,
}

impl Pattern {
    pub fn new(text: &str, limits: RegexLimits) -> Result<Pattern, PatternError> {
        let refuse = |fault| PatternError::Syntax { pattern: text.to_owned(), fault };
        let hir = parse(text).map_err(refuse)?;
        let size = size::of(&hir);
        if size > size::that_fit(limits.max_mem) {
            return Err(refuse(too_large()));
        }
        if size > limits.max_program_size {
            let (pattern, maximum) = (text.to_owned(), limits.max_program_size);
            return Err(PatternError::TooComplex { pattern, size, maximum });
        }
        let whole = Hir::concat(vec![Hir::look(Look::Start), hir, Hir::look(Look::End)]);
        // Small programs on short texts: neither tables worth building nor captures are needed.
        let config = Config::new()
            .which_captures(WhichCaptures::None)
            .nfa_size_limit(Some(ENGINE_MEMORY))
            .onepass_size_limit(Some(ENGINE_MEMORY))
            .dfa(false)
            .hybrid(false);
        let regex = Regex::builder().configure(config).build_from_hir(&whole).map_err(|_| refuse(too_large()))?;
        Ok(Pattern { text: text.to_owned(), regex })
    }

    pub fn matches(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        self.text == other.text
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

fn too_large() -> Fault {
    Fault { kind: "pattern too large - compile failed", part: String::new() }
}

fn parse(text: &str) -> Result<Hir, Fault> {
    let text = dialect::translate(text)?;
    let from = |start: usize| text.get(start..).unwrap_or_default().to_owned();
    regex_syntax::parse(&text).map_err(|error| match error {
        regex_syntax::Error::Parse(error) => {
            let span = error.span();
            let part = text.get(span.start.offset..span.end.offset).unwrap_or_default().to_owned();
            match error.kind() {
                ErrorKind::ClassUnclosed => Fault { kind: "missing ]", part: from(span.start.offset) },
                ErrorKind::GroupUnclosed => Fault { kind: "missing )", part: from(0) },
                ErrorKind::GroupUnopened => Fault { kind: "unexpected )", part: from(0) },
                ErrorKind::RepetitionMissing => {
                    // The span is the empty place where the argument should be.
                    let part = from(span.start.offset).chars().take(1).collect();
                    Fault { kind: "no argument for repetition operator", part }
                }
                ErrorKind::ClassRangeInvalid | ErrorKind::ClassRangeLiteral => {
                    Fault { kind: "invalid character class range", part }
                }
                ErrorKind::GroupNameDuplicate { .. }
                | ErrorKind::GroupNameEmpty
                | ErrorKind::GroupNameInvalid
                | ErrorKind::GroupNameUnexpectedEof => {
                    Fault { kind: "invalid named capture group", part: from(text.find("(?P").unwrap_or(0)) }
                }
                ErrorKind::NestLimitExceeded(_) | ErrorKind::CaptureLimitExceeded => too_large(),
                _ => Fault { kind: "invalid escape sequence", part },
            }
        }
        regex_syntax::Error::Translate(error) => {
            let span = error.span();
            let part = text.get(span.start.offset..span.end.offset).unwrap_or_default().to_owned();
            Fault { kind: "invalid character class range", part }
        }
        _ => too_large(),
    })
}
