//! How large a program RE2 would make of a regular expression, so that its limits can be kept without it.
//!
//! The numbers were compared with those a Mesos master tells in its refusals. They are the same for texts, classes,
//! groups and counted repetitions; where an expression that may be empty is repeated they can differ by a few.

use regex_syntax::hir::{Class, ClassUnicode, Hir, HirKind};
use regex_syntax::utf8::Utf8Sequences;
use std::collections::BTreeSet;

/// What every program has: to fail, to match, and to skip what comes before.
const FRAME: u64 = 4;
/// What is not ASCII, all of it: RE2 has a short form for that.
const ALL_BEYOND_ASCII: u64 = 6;
/// What RE2 needs besides the instructions, in bytes.
const FIXED_BYTES: u64 = 432;
/// One instruction, in bytes.
const INSTRUCTION_BYTES: u64 = 8;

/// How many instructions fit into that many bytes: RE2 gives the program two thirds.
pub fn that_fit(max_mem: u64) -> u64 {
    (max_mem.saturating_mul(2) / 3).saturating_sub(FIXED_BYTES) / INSTRUCTION_BYTES
}

/// Instructions in the program of an expression.
pub fn of(hir: &Hir) -> u64 {
    part(hir).saturating_add(FRAME)
}

/// The depth of the recursion is bounded by the parser's limit on nesting.
fn part(hir: &Hir) -> u64 {
    match hir.kind() {
        HirKind::Empty => 0,
        HirKind::Look(_) => 1,
        HirKind::Literal(literal) => literal.0.len() as u64,
        HirKind::Class(Class::Unicode(class)) => class_size(class),
        HirKind::Class(Class::Bytes(class)) => class.ranges().len() as u64,
        HirKind::Capture(capture) => part(&capture.sub).saturating_add(2),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().map(part).fold(0, u64::saturating_add),
        HirKind::Repetition(repetition) => {
            let (one, min) = (part(&repetition.sub), u64::from(repetition.min));
            match repetition.max.map(u64::from) {
                None => one.saturating_mul(min.max(1)).saturating_add(u64::from(min > 0)),
                // Each copy that need not be there can be skipped.
                Some(max) => one.saturating_mul(max).saturating_add(max.saturating_sub(min)),
            }
        }
    }
}

/// One instruction per range of bytes; ends of sequences that are alike are there once.
fn class_size(class: &ClassUnicode) -> u64 {
    let folds = ignores_case(class);
    let mut size = 0;
    let mut tails = BTreeSet::new();
    for range in class.ranges() {
        // Letters in both cases are instructions that ignore the case.
        let counted_with_lower = folds && range.start() >= 'A' && range.end() <= 'Z';
        size += u64::from(range.start().is_ascii() && !counted_with_lower);
        let start = range.start().max('\u{80}');
        if start == '\u{80}' && range.end() == char::MAX {
            size += ALL_BEYOND_ASCII;
        } else if start <= range.end() {
            for sequence in Utf8Sequences::new(start, range.end()) {
                let bytes: Vec<(u8, u8)> = sequence.as_slice().iter().map(|bytes| (bytes.start, bytes.end)).collect();
                tails.extend((0..bytes.len()).map(|from| bytes[from..].to_vec()));
            }
        }
    }
    size + tails.len() as u64
}

/// Whether each ASCII letter is in it in both cases or in neither.
fn ignores_case(class: &ClassUnicode) -> bool {
    let has = |letter: char| class.ranges().iter().any(|range| (range.start()..=range.end()).contains(&letter));
    ('a'..='z').all(|letter| has(letter) == has(letter.to_ascii_uppercase()))
}
