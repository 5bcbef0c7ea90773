//! Bugs between a machine and its client.

use super::super::check::NodeId;
use super::{Bug, Planted};
use tepui_log::{Answer, Request, RequestId};

/// Numbers that no client gives.
const ANOTHER: u64 = 1 << 40;

/// What a client asks.
pub fn requested(planted: &mut Planted, request: Request) -> Vec<Request> {
    match (planted.bug, request) {
        (Some(Bug::AppendTwice), Request::Append(id, bytes)) if planted.every(20) => {
            vec![Request::Append(id, bytes.clone()), Request::Append(RequestId(id.0 + ANOTHER), bytes)]
        }
        (Some(Bug::TruncateFurther), Request::Truncate(id, to)) => vec![Request::Truncate(id, to + 1)],
        (_, request) => vec![request],
    }
}

/// What it is answered.
pub fn answered(planted: &mut Planted, node: NodeId, answer: Answer) -> Vec<Answer> {
    let Some(bug) = planted.bug else { return vec![answer] };
    match answer {
        Answer::Written(id, _) if id.0 >= ANOTHER => Vec::new(),
        Answer::Unknown(id) if id.0 >= ANOTHER => Vec::new(),
        Answer::Written(id, position) => written(planted, bug, node, id, position),
        Answer::Unknown(_) if bug == Bug::UnknownUnsaid => Vec::new(),
        Answer::Unknown(id) if bug == Bug::UnknownAsWritten => {
            let end = planted.ends.get(&node).copied().unwrap_or_default();
            vec![Answer::Written(id, end + 1)]
        }
        Answer::Demoted if bug == Bug::DemotionUnsaid => Vec::new(),
        Answer::NotElected if bug == Bug::ElectedAtOnce => {
            let end = planted.ends.get(&node).copied().unwrap_or_default();
            vec![Answer::Elected { begin: end, end }]
        }
        Answer::Elected { begin, end } => {
            planted.ends.insert(node, end);
            vec![match bug {
                Bug::ElectedShort => {
                    Answer::Elected { begin: begin.min(end.saturating_sub(1)), end: end.saturating_sub(1) }
                }
                Bug::ElectedLate => Answer::Elected { begin: begin + 1, end },
                _ => Answer::Elected { begin, end },
            }]
        }
        Answer::Entries(id, mut entries) => {
            match (bug, entries.last_mut()) {
                (Bug::EntriesShort, _) => drop(entries.pop()),
                (Bug::EntriesShifted, Some((position, _))) => *position += 1,
                _ => {}
            }
            vec![Answer::Entries(id, entries)]
        }
        other => vec![other],
    }
}

fn written(planted: &mut Planted, bug: Bug, node: NodeId, id: RequestId, position: u64) -> Vec<Answer> {
    planted.ends.insert(node, position);
    let answer = Answer::Written(id, position);
    match bug {
        Bug::WrittenTwice if planted.every(20) => vec![answer.clone(), answer],
        Bug::WrittenElsewhere if planted.every(20) => vec![Answer::Written(id, position + 1)],
        Bug::WrittenUnsaid if planted.every(50) => Vec::new(),
        Bug::WrittenSwapped => match planted.held.remove(&node) {
            Some(held) => vec![answer, held],
            None if planted.every(20) => {
                planted.held.insert(node, answer);
                Vec::new()
            }
            None => vec![answer],
        },
        _ => vec![answer],
    }
}
