//! What every storage of State must do, in one suite for all of them.

pub mod linearizable;

use bytes::Bytes;
use linearizable::{Operation, Outcome, Step, is_linearizable};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use tepui_stated::{State, Variable};

/// A storage under test.
pub trait Fixture {
    /// Whether it can notice that a variable was expunged and created again between its read and its change.
    const TELLS_RECREATED: bool = true;

    /// A way to the storage; where several are possible, another one.
    async fn open(&mut self) -> State;
}

fn bytes(text: &str) -> Bytes {
    Bytes::from(text.to_owned())
}

fn names(of: &[&str]) -> BTreeSet<String> {
    of.iter().map(|name| (*name).to_owned()).collect()
}

/// Creates or replaces a variable.
async fn put(state: &State, name: &str, value: &str) -> Variable {
    let variable = state.fetch(name).await.unwrap().mutate(bytes(value));
    state.store(&variable).await.unwrap().expect("nobody else writes")
}

/// All of it.
pub async fn run<F: Fixture>(fixture: &mut F) {
    let state = fixture.open().await;
    what_was_never_stored_is_empty(&state).await;
    only_the_present_version_is_replaced(&state).await;
    only_the_present_version_is_expunged(&state).await;
    names_and_values_of_all_kinds_are_kept(&state).await;
    expunged_or_not_it_may_be_stored(&state, &fixture.open().await).await;
    let states = [fixture.open().await, fixture.open().await, fixture.open().await];
    writers_agree_on_one_order(states, &state, Writers { sure: Sure::All, expunge: F::TELLS_RECREATED }).await;
}

async fn what_was_never_stored_is_empty(state: &State) {
    assert_eq!(state.names().await.unwrap(), names(&[]));
    let (one, other) = (state.fetch("none").await.unwrap(), state.fetch("none").await.unwrap());
    assert!(one.value().is_empty() && one.uuid() != other.uuid(), "each time it is a new variable");
    assert!(!state.expunge(&one).await.unwrap());
    assert_eq!(state.names().await.unwrap(), names(&[]), "to fetch creates nothing");
}

async fn only_the_present_version_is_replaced(state: &State) {
    let fetched = state.fetch("v").await.unwrap();
    let first = state.store(&fetched.mutate(bytes("1"))).await.unwrap().expect("it is new");
    assert_eq!(first.value(), "1");
    assert_ne!(first.uuid(), fetched.uuid());
    assert_eq!(state.fetch("v").await.unwrap(), first);
    assert_eq!(state.store(&fetched.mutate(bytes("2"))).await.unwrap(), None, "it is not new any more");
    let same = state.store(&first).await.unwrap().expect("the same value is a new version, too");
    assert_ne!(same.uuid(), first.uuid());
    assert_eq!(state.store(&first.mutate(bytes("3"))).await.unwrap(), None);
    assert_eq!(state.fetch("v").await.unwrap(), same);
    assert!(state.store(&same.mutate(bytes(""))).await.unwrap().is_some());
    assert_eq!(state.names().await.unwrap(), names(&["v"]), "an empty value is one");
}

async fn only_the_present_version_is_expunged(state: &State) {
    let old = state.fetch("v").await.unwrap();
    let new = put(state, "v", "4").await;
    assert!(!state.expunge(&old).await.unwrap());
    assert!(state.expunge(&new).await.unwrap());
    assert!(!state.expunge(&new).await.unwrap());
    assert_eq!(state.names().await.unwrap(), names(&[]));
    assert!(state.fetch("v").await.unwrap().value().is_empty());
    let again = state.store(&old.mutate(bytes("5"))).await.unwrap();
    let again = again.expect("what is not there may be created by who knows any version");
    assert!(state.expunge(&again).await.unwrap());
}

async fn names_and_values_of_all_kinds_are_kept(state: &State) {
    let large = "x".repeat(300_000);
    let all = ["app:foo", "registry", "task:marathon.a-b_c.1", "z"];
    for name in all {
        put(state, name, &large).await;
    }
    assert_eq!(state.names().await.unwrap(), names(&all));
    for name in all {
        let variable = state.fetch(name).await.unwrap();
        assert_eq!((variable.name(), variable.value().len()), (name, large.len()));
        assert!(state.expunge(&variable).await.unwrap());
    }
}

/// The version is the one that is known, or the variable is gone: there is no third moment, and no reason to refuse.
async fn expunged_or_not_it_may_be_stored(state: &State, other: &State) {
    for _ in 0..ROUNDS {
        let known = put(state, "v", "1").await;
        let next = known.mutate(bytes("2"));
        let (stored, expunged) = tokio::join!(state.store(&next), other.expunge(&known));
        let stored = stored.unwrap().expect("it is there in this version, or not at all");
        expunged.unwrap();
        assert!(other.expunge(&stored).await.unwrap());
    }
}

/// What is there is there for who comes later, and has its version: with [`found_again`].
pub async fn leave(state: &State) -> Variable {
    put(state, "left", "old").await;
    let gone = put(state, "gone", "1").await;
    assert!(state.expunge(&gone).await.unwrap());
    put(state, "left", "new").await
}

/// See [`leave`].
pub async fn found_again(state: &State, left: &Variable) {
    assert_eq!(state.names().await.unwrap(), names(&["left"]));
    assert_eq!(state.fetch("left").await.unwrap(), *left);
    assert!(state.store(&left.mutate(bytes("newer"))).await.unwrap().is_some());
    assert_eq!(state.store(left).await.unwrap(), None);
}

/// How often each writer does something.
const ROUNDS: u32 = 10;

/// Shared by the writers: a clock that counts calls and returns, and values.
#[derive(Default)]
struct Shared {
    clock: AtomicU64,
    values: AtomicU32,
}

impl Shared {
    fn now(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }
}

/// Each reads, writes and expunges one variable as fast as it can.
async fn writers_agree_on_one_order(states: impl IntoIterator<Item = State>, reader: &State, writers: Writers) {
    let (shared, mut history) = compete(states, writers).await;
    let called = shared.now();
    let last = value(&reader.fetch("shared").await.unwrap());
    history.push(Operation { called, returned: shared.now(), step: Step::Fetch(last) });
    assert!(is_linearizable(&history), "{history:#?}");
}

/// The same where the place of the only writer can be lost without noticing: what is read may be old then, as in Mesos, and
/// what is refused may have been done all the same. Changes have one order for all that.
#[allow(dead_code, reason = "only a log has several writers")]
pub async fn changes_have_one_order(states: impl IntoIterator<Item = State>, last: State) {
    let writers = Writers { sure: Sure::Done, expunge: true };
    let (shared, mut history) = compete(states, writers).await;
    let alone = write(last, shared, 0, writers).await;
    let done = |operation: &Operation| matches!(operation.step, Step::Store { outcome: Outcome::Done, .. });
    assert!(alone.iter().filter(|operation| done(operation)).count() > 1, "who is alone is the writer in the end");
    history.extend(alone);
    assert!(is_linearizable(&history), "{history:#?}");
}

async fn compete(states: impl IntoIterator<Item = State>, writers: Writers) -> (Arc<Shared>, Vec<Operation>) {
    let shared = Arc::new(Shared::default());
    let writer = |(number, state)| tokio::spawn(write(state, shared.clone(), number, writers));
    let running: Vec<_> = (0..).zip(states).map(writer).collect();
    let mut history = Vec::new();
    for writer in running {
        history.extend(writer.await.unwrap());
    }
    (shared, history)
}

/// How the writers are, and what may be believed of their answers.
#[derive(Clone, Copy)]
struct Writers {
    sure: Sure,
    /// Whether they expunge, too.
    expunge: bool,
}

/// Which answers say how it was.
#[derive(Clone, Copy, PartialEq)]
enum Sure {
    All,
    /// Only that a change was made.
    Done,
}

fn value(variable: &Variable) -> Option<u32> {
    (!variable.value().is_empty()).then(|| std::str::from_utf8(variable.value()).unwrap().parse().unwrap())
}

async fn write(state: State, shared: Arc<Shared>, writer: u32, writers: Writers) -> Vec<Operation> {
    let sure = writers.sure;
    let refused = if sure == Sure::All { Outcome::Refused } else { Outcome::Unknown };
    let mut history = Vec::new();
    for round in 0..ROUNDS {
        let called = shared.now();
        let variable = state.fetch("shared").await.unwrap();
        let known = value(&variable);
        if sure == Sure::All {
            history.push(Operation { called, returned: shared.now(), step: Step::Fetch(known) });
        }
        let called = shared.now();
        let step = if writers.expunge && (round + writer) % 5 == 4 {
            let outcome = if state.expunge(&variable).await.unwrap() { Outcome::Done } else { refused };
            Step::Expunge { known, outcome }
        } else {
            let value = shared.values.fetch_add(1, Ordering::SeqCst);
            let stored = state.store(&variable.mutate(bytes(&value.to_string()))).await.unwrap();
            let outcome = if stored.is_some() { Outcome::Done } else { refused };
            Step::Store { known, value, outcome }
        };
        history.push(Operation { called, returned: shared.now(), step });
    }
    history
}
