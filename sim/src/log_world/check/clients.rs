//! What clients are told is true: an acknowledged append is where they were told, in the order they asked, and every
//! writer elected later reads it there until it is truncated; what nobody appended is nowhere.

use super::super::observe::Value;
use super::{Ledger, NodeId, show};
use bytes::Bytes;
use std::collections::{HashMap, HashSet};
use tepui_log::{Answer, Request, RequestId};

/// All clients.
pub struct Clients {
    quorum: usize,
    sessions: Vec<Session>,
    appended: HashSet<Bytes>,
    /// Positions of acknowledged appends.
    appends: HashSet<u64>,
    /// Positions of acknowledged truncations.
    truncations: HashSet<u64>,
    /// The last position that was acknowledged.
    end: u64,
    /// The highest truncation that was acknowledged.
    truncated: u64,
    /// Appends and truncations acknowledged.
    pub written: u64,
    /// Writers elected.
    pub elections: u64,
}

/// A client and the process it talks to.
#[derive(Default)]
struct Session {
    /// An election is under way: what had been acknowledged when it was asked for.
    electing: Option<Before>,
    /// Who has promised what to this node since then, one bit for each replica.
    promises: HashMap<u64, u32>,
    /// The positions of the elected writer.
    term: Option<(u64, u64)>,
    /// Writes not answered, in the order they were asked.
    writes: Vec<(RequestId, Value)>,
    /// Not answered: which, the positions, and where the writer's log had to begin then at least.
    reads: Vec<(RequestId, u64, u64, u64)>,
    /// Truncated before its election, or by itself. What a later writer truncates it need not know.
    truncated: u64,
    /// The highest truncation it has asked for. Several may be written as one.
    truncation: u64,
    /// Where its last write went.
    last: u64,
}

/// What had been acknowledged at some moment.
#[derive(Clone, Copy)]
struct Before {
    end: u64,
    truncated: u64,
}

impl Clients {
    /// One on each node.
    pub fn new(nodes: usize, quorum: usize) -> Clients {
        Clients {
            quorum,
            sessions: (0..nodes).map(|_| Session::default()).collect(),
            appended: HashSet::new(),
            appends: HashSet::new(),
            truncations: HashSet::new(),
            end: 0,
            truncated: 0,
            written: 0,
            elections: 0,
        }
    }

    fn before(&self) -> Before {
        Before { end: self.end, truncated: self.truncated }
    }

    /// A client asks.
    pub fn asked(&mut self, node: NodeId, request: &Request) {
        let before = self.before();
        let session = &mut self.sessions[node];
        match request {
            Request::Elect => {
                session.electing = Some(before);
                session.promises.clear();
            }
            Request::Resign => session.term = None,
            // Of masters that elect by the log; there are none here.
            Request::Contend(_) => {}
            Request::Append(id, bytes) => {
                self.appended.insert(bytes.clone());
                session.writes.push((*id, Value::Append(bytes.clone())));
            }
            Request::Truncate(id, to) => {
                session.truncation = session.truncation.max(*to);
                session.writes.push((*id, Value::Truncate(*to)));
            }
            Request::Read(id, from, to) => session.reads.push((*id, *from, *to, session.truncated)),
        }
    }

    /// Someone wants this in the log.
    pub fn appended(&self, value: &Value) -> Option<String> {
        let Value::Append(bytes) = value else { return None };
        (!self.appended.contains(bytes)).then(|| format!("{} was asked for by nobody", show(value)))
    }

    /// A replica promises all positions to a node.
    pub fn promised(&mut self, to: NodeId, proposal: u64, from: NodeId) {
        if let Some(session) = self.sessions.get_mut(to) {
            *session.promises.entry(proposal).or_default() |= 1 << from;
        }
    }

    /// The process has ended: nothing is answered any more.
    pub fn ended(&mut self, node: NodeId) {
        self.sessions[node] = Session::default();
    }

    /// A client is answered.
    pub fn answered(&mut self, node: NodeId, answer: &Answer, ledger: &Ledger) -> Vec<String> {
        match answer {
            Answer::Recovered => Vec::new(),
            Answer::Leads { .. } | Answer::Follows { .. } | Answer::NoLeader | Answer::Refused(..) => {
                vec!["somebody is said to lead, and masters do not elect by this log".to_owned()]
            }
            Answer::Elected { begin, end } => self.elected(node, *begin, *end, ledger),
            Answer::NotElected => {
                let asked = self.sessions[node].electing.take().is_some();
                objection(!asked, || "not elected, and had not asked".to_owned())
            }
            Answer::Written(id, position) => self.written(node, *id, *position, ledger),
            Answer::Unknown(id) => {
                let writes = &mut self.sessions[node].writes;
                let known = writes.iter().position(|(asked, _)| asked == id).map(|at| writes.remove(at));
                objection(known.is_none(), || format!("{id:?} is called unknown and was not under way"))
            }
            Answer::Demoted => {
                let session = &mut self.sessions[node];
                session.term = None;
                objection(!session.writes.is_empty(), || "demoted with writes under way".to_owned())
            }
            Answer::Entries(id, entries) => self.entries(node, *id, entries, ledger),
            Answer::ReadFailed(id, why) => self.read_failed(node, *id, why, ledger),
        }
    }

    fn elected(&mut self, node: NodeId, begin: u64, end: u64, ledger: &Ledger) -> Vec<String> {
        let quorum = self.quorum;
        let session = &mut self.sessions[node];
        let Some(before) = session.electing.take() else { return vec!["elected, and had not asked".to_owned()] };
        self.elections += 1;
        session.term = Some((begin, end));
        session.truncated = before.truncated;
        session.last = end;
        let most = session.promises.values().map(|mask| mask.count_ones() as usize).max().unwrap_or_default();
        let mut found = objection(most < quorum, || format!("elected by {most} of the {quorum} it takes"));
        found.extend(objection(end < before.end, || {
            format!("elected with the end {end}, and position {} was acknowledged before", before.end)
        }));
        found.extend(objection(begin < before.truncated, || {
            format!("elected with the beginning {begin}, and {} was truncated before", before.truncated)
        }));
        found.extend(objection(begin > ledger.truncated(), || {
            format!("elected with the beginning {begin}, and only {} is truncated", ledger.truncated())
        }));
        let undecided = (begin..=end).find(|position| ledger.decided(*position).is_none());
        found.extend(undecided.map(|position| format!("elected, and position {position} is not decided")));
        found
    }

    fn written(&mut self, node: NodeId, id: RequestId, position: u64, ledger: &Ledger) -> Vec<String> {
        let session = &mut self.sessions[node];
        let Some(at) = session.writes.iter().position(|(asked, _)| *asked == id) else {
            return vec![format!("{id:?} is acknowledged and was not under way")];
        };
        self.written += 1;
        let (_, asked) = session.writes.remove(at);
        let earlier = session.writes[..at].iter().any(|(_, other)| is_append(other));
        let mut found =
            objection(is_append(&asked) && earlier, || format!("{id:?} is acknowledged before appends asked earlier"));
        found.extend(objection(session.term.is_none(), || format!("{id:?} is acknowledged by no writer")));
        // Truncations that were written as one have one position.
        let again = position == session.last && !is_append(&asked) && self.truncations.contains(&position);
        found.extend(objection(position <= session.last && !again, || {
            format!("position {position} is acknowledged after {}", session.last)
        }));
        session.last = session.last.max(position);
        let right = match (&asked, ledger.decided(position)) {
            (Value::Truncate(to), Some(Value::Truncate(decided))) => (*to..=session.truncation).contains(decided),
            (asked, decided) => decided == Some(asked),
        };
        found.extend(objection(!right, || {
            let decided = ledger.decided(position).map(show);
            format!("{} is acknowledged at position {position}, where {decided:?} is decided", show(&asked))
        }));
        let is_new = match asked {
            Value::Truncate(to) => {
                self.truncated = self.truncated.max(to);
                session.truncated = session.truncated.max(to);
                self.truncations.insert(position) || again
            }
            _ => self.appends.insert(position),
        };
        found.extend(objection(!is_new, || format!("position {position} is acknowledged twice")));
        self.end = self.end.max(position);
        found
    }

    fn entries(&mut self, node: NodeId, id: RequestId, entries: &[(u64, Bytes)], ledger: &Ledger) -> Vec<String> {
        let reads = &mut self.sessions[node].reads;
        let Some(at) = reads.iter().position(|(asked, ..)| *asked == id) else {
            return vec![format!("{id:?} is a read that nobody asked for")];
        };
        let (_, from, to, truncated) = reads.remove(at);
        let mut found = objection(!entries.is_sorted_by(|a, b| a.0 < b.0), || "entries out of order".to_owned());
        for (position, bytes) in entries {
            let read = Value::Append(bytes.clone());
            found.extend(objection(!(from..=to).contains(position), || {
                format!("position {position} was read and not asked for")
            }));
            found.extend(objection(*position < truncated, || {
                format!("position {position} was read and had been truncated up to {truncated}")
            }));
            found.extend(objection(ledger.decided(*position) != Some(&read), || {
                let decided = ledger.decided(*position).map(show);
                format!("{} was read at position {position}, where {decided:?} is decided", show(&read))
            }));
        }
        let mut due = ledger.decisions(from.max(ledger.truncated())).take_while(|(position, _)| *position <= to);
        let missing = due.find(|(position, value)| {
            matches!(value, Value::Append(_)) && entries.binary_search_by_key(position, |(at, _)| *at).is_err()
        });
        found.extend(missing.map(|(position, value)| format!("{} at position {position} was not read", show(value))));
        found
    }

    /// A read fails only where something may have been truncated.
    fn read_failed(&mut self, node: NodeId, id: RequestId, why: &str, ledger: &Ledger) -> Vec<String> {
        let session = &mut self.sessions[node];
        let Some(at) = session.reads.iter().position(|(asked, ..)| *asked == id) else {
            return vec![format!("{id:?} is a read that nobody asked for")];
        };
        let (_, from, ..) = session.reads.remove(at);
        let whole = session.term.is_some() && from >= ledger.truncated();
        objection(whole, || format!("a read from position {from} failed: {why}"))
    }

    /// What a client still waits for.
    pub fn waiting(&self, node: NodeId) -> Option<String> {
        let session = &self.sessions[node];
        let (writes, reads) = (session.writes.len(), session.reads.len());
        let waits = writes + reads > 0 || session.electing.is_some();
        waits.then(|| format!("its client still waits for {writes} writes, {reads} reads, or an election"))
    }
}

fn is_append(value: &Value) -> bool {
    matches!(value, Value::Append(_))
}

fn objection(wrong: bool, text: impl FnOnce() -> String) -> Vec<String> {
    if wrong { vec![text()] } else { Vec::new() }
}
