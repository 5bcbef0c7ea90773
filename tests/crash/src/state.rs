//! State: versioned variables, in a replicated log and in a LevelDB directory.

use crate::judge::{Diary, Subject};
use crate::replica::{Inside, Replica, SYNCS, small};
use crate::skip::{Skip, of_a_store};
use crate::store::scrambled;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;
use tepui_base::Rng;
use tepui_log::Log;
use tepui_state::logged::{Input, Output};
use tepui_state::{Ask, Entry, Logged, StorageId, Told, Uuid};
use tepui_stated::State;
use tepui_store::disk::Disk;

/// Each variable: its version and value.
type Variables = BTreeMap<String, (Uuid, Bytes)>;

/// What is done to variables.
enum Step {
    /// A value of so many bytes.
    Set(&'static str, u32),
    /// The last value with some more at its end: a small difference.
    Extend(&'static str),
    /// No more of it.
    Expunge(&'static str),
    /// A change by who does not know the present version, which is refused.
    Stale(&'static str),
}

const STEPS: [Step; 16] = [
    Step::Set("frameworks", 300),
    Step::Set("app:/web", 90),
    Step::Extend("frameworks"),
    Step::Extend("frameworks"),
    Step::Stale("app:/web"),
    Step::Set("app:/db", 1500),
    Step::Expunge("app:/web"),
    Step::Extend("frameworks"),
    Step::Set("app:/web", 200),
    Step::Set("app:/db", 90),
    Step::Set("app:/job", 600),
    Step::Expunge("app:/db"),
    Step::Extend("app:/job"),
    Step::Set("frameworks", 700),
    Step::Stale("frameworks"),
    Step::Set("app:/web", 300),
];

fn longer(value: &Bytes) -> Bytes {
    [&value[..], b" and one more"].concat().into()
}

/// Variables in a log, as one machine with it.
pub struct InLog;

impl Inside for Logged {
    fn build(log: Log) -> Logged {
        Logged::new(log, 7)
    }

    fn input(input: tepui_log::Input) -> Input {
        Input::Log(input)
    }

    fn effect(output: Output) -> Result<tepui_log::Effect, Output> {
        match output {
            Output::Log(effect) => Ok(effect),
            output => Err(output),
        }
    }
}

fn ask(replica: &mut Replica<Logged>, ask: Ask) -> Result<Told, String> {
    replica.input(Input::Ask(StorageId(1), ask));
    match replica.told()? {
        Output::Told(_, told) => Ok(told),
        other => Err(format!("{other:?} is no answer")),
    }
}

fn variable(entry: Entry) -> (Uuid, Bytes) {
    (entry.uuid, entry.value)
}

impl Subject for InLog {
    type Content = Variables;
    type Running = Replica<Logged>;

    const SYNCS: &'static [Skip] = SYNCS;

    fn work(disk: Arc<dyn Disk>, diary: &mut Diary<Variables>) {
        let mut replica = Replica::<Logged>::start(disk).unwrap();
        let (mut content, mut rng) = (Variables::new(), Rng::new(1));
        for (step, seed) in STEPS.iter().zip(1..) {
            let begun = diary.now();
            let entry = |name: &str, uuid, value| Entry { name: name.to_owned(), uuid, value };
            let known = |name: &str| content.get(name).cloned().unwrap_or_default();
            let (request, done) = match step {
                Step::Set(name, length) => {
                    (Ask::Set(entry(name, rng.uuid(), scrambled(*length, seed).into()), known(name).0), true)
                }
                Step::Extend(name) => (Ask::Set(entry(name, rng.uuid(), longer(&known(name).1)), known(name).0), true),
                Step::Expunge(name) => (Ask::Expunge(entry(name, known(name).0, known(name).1)), true),
                Step::Stale(name) => (Ask::Set(entry(name, rng.uuid(), Bytes::new()), rng.uuid()), false),
            };
            assert_eq!(ask(&mut replica, request.clone()), Ok(Told::Done(done)));
            match request {
                Ask::Set(entry, _) if done => _ = content.insert(entry.name.clone(), variable(entry)),
                Ask::Expunge(entry) => _ = content.remove(&entry.name),
                _ => {}
            }
            diary.acknowledged(begun, &content);
        }
    }

    fn recover(disk: Arc<dyn Disk>) -> Result<(Variables, Self::Running), String> {
        let mut replica = Replica::<Logged>::start(disk)?;
        let names = match ask(&mut replica, Ask::Names)? {
            Told::Names(names) => names,
            other => return Err(format!("{other:?} instead of the names")),
        };
        let mut content = Variables::new();
        for name in names {
            match ask(&mut replica, Ask::Get(name.clone()))? {
                Told::Entry(Some(entry)) => _ = content.insert(name, variable(entry)),
                other => return Err(format!("{other:?} instead of {name}")),
            }
        }
        Ok((content, replica))
    }
}

/// Variables in a LevelDB directory.
pub struct InLevelDb;

const DIR: &str = "/data/state";

/// Runs one thing to its end.
fn block_on<T>(what: impl Future<Output = T>) -> T {
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime =
            tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    }
    RUNTIME.with(|runtime| runtime.block_on(what))
}

async fn found(state: &State) -> Result<Variables, tepui_stated::Error> {
    let mut content = Variables::new();
    for name in state.names().await? {
        let variable = state.fetch(&name).await?;
        content.insert(name, (variable.uuid(), variable.value().clone()));
    }
    Ok(content)
}

async fn work(state: &State, diary: &mut Diary<Variables>) -> Result<(), tepui_stated::Error> {
    let mut content = Variables::new();
    for (step, seed) in STEPS.iter().zip(1..) {
        let begun = diary.now();
        let (Step::Set(name, _) | Step::Extend(name) | Step::Expunge(name) | Step::Stale(name)) = step;
        let variable = state.fetch(name).await?;
        let next = match step {
            Step::Set(_, length) => variable.mutate(scrambled(*length, seed).into()),
            Step::Extend(_) => variable.mutate(longer(variable.value())),
            Step::Expunge(_) => {
                assert!(state.expunge(&variable).await?);
                content.remove(*name);
                diary.acknowledged(begun, &content);
                continue;
            }
            Step::Stale(_) => {
                let newer = state.store(&variable).await?.expect("the present version");
                content.insert((*name).to_owned(), (newer.uuid(), newer.value().clone()));
                diary.acknowledged(begun, &content);
                assert_eq!(state.store(&variable).await?, None);
                continue;
            }
        };
        let stored = state.store(&next).await?.expect("the present version");
        content.insert((*name).to_owned(), (stored.uuid(), stored.value().clone()));
        diary.acknowledged(begun, &content);
    }
    assert_eq!(found(state).await?, content);
    Ok(())
}

impl Subject for InLevelDb {
    type Content = Variables;
    type Running = State;

    const SYNCS: &'static [Skip] = &of_a_store(DIR, "/data");

    fn work(disk: Arc<dyn Disk>, diary: &mut Diary<Variables>) {
        let state = State::level_db_on(disk, DIR, small()).unwrap();
        block_on(work(&state, diary)).unwrap();
    }

    fn recover(disk: Arc<dyn Disk>) -> Result<(Variables, State), String> {
        let state = State::level_db_on(disk, DIR, small()).map_err(|error| error.to_string())?;
        let found = block_on(found(&state)).map_err(|error| error.to_string())?;
        Ok((found, state))
    }
}
