//! What may be found after a crash, and the disks on which it is looked for.

use std::fmt::Debug;
use std::ops::ControlFlow;
use std::sync::Arc;
use tepui_store::disk::{Bounds, Disk, Fault, Image, Recorder, crashes};

use crate::skip::{Skip, Skipping};

/// Something that keeps what it was told.
pub trait Subject {
    /// All that can be seen of it. What it has by default is seen where nothing was written.
    type Content: Clone + Debug + Default + PartialEq;

    /// What runs once it has started. Its end does what an orderly end does.
    type Running;

    /// Syncs that it relies on, each kind by itself.
    const SYNCS: &'static [Skip];

    /// Works on an empty disk, and notes what is acknowledged when. The end of it is a crash.
    fn work(disk: Arc<dyn Disk>, diary: &mut Diary<Self::Content>);

    /// Starts on what a crash has left, and looks; why it cannot. All that is found must be durable when this returns.
    fn recover(disk: Arc<dyn Disk>) -> Result<(Self::Content, Self::Running), String>;
}

/// What was written, in order.
pub struct Diary<C> {
    recorder: Recorder,
    steps: Vec<Step<C>>,
}

struct Step<C> {
    /// Operations on the disk when it was asked for.
    begun: usize,
    /// And when it was durable for certain, if ever.
    acknowledged: Option<usize>,
    /// What is seen once it is done.
    content: C,
}

impl<C: Clone + Default> Diary<C> {
    fn new(recorder: Recorder) -> Diary<C> {
        Diary { recorder, steps: Vec::new() }
    }

    /// How many operations were done on the disk: the moment a change is asked for.
    pub fn now(&self) -> usize {
        self.recorder.len()
    }

    /// A change that was asked for then is acknowledged now; this is what is seen of all so far.
    pub fn acknowledged(&mut self, begun: usize, content: &C) {
        let acknowledged = Some(self.now());
        self.steps.push(Step { begun, acknowledged, content: content.clone() });
    }

    /// A change that may be lost until a later one is acknowledged.
    pub fn lazy(&mut self, begun: usize, content: &C) {
        self.steps.push(Step { begun, acknowledged: None, content: content.clone() });
    }

    /// The first change with which this holds is acknowledged now, if it was not before.
    pub fn acknowledge(&mut self, holds: impl Fn(&C) -> bool) {
        let now = self.now();
        let step = self.steps.iter_mut().find(|step| holds(&step.content));
        step.expect("what is acknowledged was written").acknowledged.get_or_insert(now);
    }

    /// What a crash after so many operations may leave: all that was acknowledged, and any number of the changes that
    /// were under way, in their order.
    fn allowed(&self, after: usize) -> Vec<C> {
        let durable = self.steps.iter().rposition(|step| step.acknowledged.is_some_and(|at| at <= after));
        let begun = self.steps.iter().take_while(|step| step.begun <= after).count();
        // So many steps are done; none of them, and nothing is seen.
        let content =
            |done: usize| done.checked_sub(1).map_or_else(C::default, |last| self.steps[last].content.clone());
        (durable.map_or(0, |durable| durable + 1)..=begun).map(content).collect()
    }
}

/// How much is tried.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Of so many disks one is recovered from.
    pub every: usize,
    /// Of so many recoveries one crashes in each of its steps; none if there is no number.
    pub again: Option<usize>,
}

impl Effort {
    /// All disks, and all those of each recovery.
    pub fn whole() -> Effort {
        Effort { every: 1, again: Some(1) }
    }
}

/// What was tried.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tried {
    /// Operations that were recorded.
    pub operations: usize,
    /// Disks that a crash may leave.
    pub disks: usize,
    /// Those that were recovered from.
    pub crashes: usize,
    /// Recoveries from disks that a crash in a recovery may leave.
    pub crashes_in_recovery: usize,
}

/// Works, and recovers from the disks that a crash may leave. What was found that may not be, if anything.
pub fn judge<S: Subject>(effort: Effort) -> Result<Tried, String> {
    let recorder = Recorder::default();
    let mut diary = Diary::new(recorder.clone());
    S::work(Arc::new(recorder), &mut diary);
    judge_diary::<S>(&diary, effort)
}

/// The same where one kind of sync is left out: whether it is missed.
pub fn misses<S: Subject>(skip: Skip) -> bool {
    let recorder = Recorder::default();
    let mut diary = Diary::new(recorder.clone());
    S::work(Arc::new(Skipping::new(recorder, skip)), &mut diary);
    judge_diary::<S>(&diary, Effort { every: 1, again: None }).is_err()
}

fn judge_diary<S: Subject>(diary: &Diary<S::Content>, effort: Effort) -> Result<Tried, String> {
    let mut tried = Tried { operations: diary.now(), ..Tried::default() };
    let verdict = crashes(&diary.recorder, Bounds::default(), |crash| {
        tried.disks += 1;
        if !tried.disks.is_multiple_of(effort.every) {
            return ControlFlow::Continue(());
        }
        tried.crashes += 1;
        let allowed = diary.allowed(crash.after);
        let again = effort.again.is_some_and(|again| tried.crashes.is_multiple_of(again));
        let recovered = recover::<S>(&crash.image, &allowed, again, &mut tried);
        stop_at(recovered.map_err(|why| format!("after {} operations: {why}", crash.after)))
    });
    verdict.break_value().map_or(Ok(tried), Err)
}

fn recover<S: Subject>(image: &Image, allowed: &[S::Content], again: bool, tried: &mut Tried) -> Result<(), String> {
    let recorder = Recorder::holding(image);
    let (found, settled_at) = found::<S>(&recorder, allowed)?;
    if !again {
        return Ok(());
    }
    let verdict = crashes(&recorder, Bounds::default(), |crash| {
        tried.crashes_in_recovery += 1;
        // Once it has started, what was found is durable.
        let settled = std::slice::from_ref(&found);
        let allowed = if crash.after >= settled_at { settled } else { allowed };
        stop_at(self::found::<S>(&Recorder::holding(&crash.image), allowed))
    });
    verdict.break_value().map_or(Ok(()), |why| Err(format!("in the recovery: {why}")))
}

fn stop_at<T>(result: Result<T, String>) -> ControlFlow<String> {
    result.err().map_or(ControlFlow::Continue(()), ControlFlow::Break)
}

/// What is found, and after how many operations. Then it ends, and nothing that its end writes is synced any more.
fn found<S: Subject>(recorder: &Recorder, allowed: &[S::Content]) -> Result<(S::Content, usize), String> {
    let (found, running) = S::recover(Arc::new(recorder.clone()))?;
    let settled_at = recorder.len();
    recorder.set_fault(Some(Fault::Sync));
    drop(running);
    let is_allowed = allowed.contains(&found);
    if is_allowed { Ok((found, settled_at)) } else { Err(format!("found {found:?}, expected one of {allowed:?}")) }
}
