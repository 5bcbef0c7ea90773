//! The fuzz body of the response parser: however an answer is cut into pieces, its parts are the same.

use crate::http::{Parser, Part};

/// Answers of an agent, in any chunks.
pub fn fuzz_http(data: &[u8]) {
    let whole = parts(data, data.len().max(1));
    let pieces = parts(data, 3);
    if let (Some(whole), Some(pieces)) = (whole, pieces) {
        assert_eq!(whole, pieces);
    }
}

/// Everything parsed, bodies joined; `None` if it is refused somewhere (in pieces, parts before that come first).
fn parts(data: &[u8], size: usize) -> Option<Vec<Part>> {
    let mut parser = Parser::default();
    let mut all: Vec<Part> = Vec::new();
    for chunk in data.chunks(size) {
        for part in parser.feed(chunk).ok()? {
            match (all.last_mut(), part) {
                (Some(Part::Data(before)), Part::Data(more)) => before.extend(more),
                (_, part) => all.push(part),
            }
        }
    }
    all.extend(parser.finish().ok()?);
    Some(all)
}
