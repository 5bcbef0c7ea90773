//! Runs any [`Machine`]: a mailbox, a timer, an [`EffectQueue`], and a recording of the inputs.
//!
//! The machine is handled by one task, one input at a time. Free effects leave at once through [`World::apply`]; writes
//! are performed and synced by [`World::sync`] while the machine goes on, and what waits for them leaves after.
//!
//! Inputs from outside are bounded by not reading: [`Mailbox::intake`] waits while [`INTAKE_LIMIT`] of them, or their
//! bytes, are on their way. Inputs from inside (another machine's effects) never block and are counted by [`Mailbox::len`].

mod clock;
mod record;

pub use clock::Clock;
pub use record::{Recorder, ReplayError, open, replay};

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tepui_base::{EffectQueue, Machine, Now, Outbox};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

/// Inputs from outside that may wait for the machine at one time. Enough to keep it busy through a burst, and few
/// enough that a peer that floods is slowed by its own socket.
pub const INTAKE_LIMIT: usize = 4096;

/// So many bytes of body an input may have before it counts as more than one: what waits is 64 MiB at most, or one input
/// that is larger.
const INTAKE_BYTES: usize = 16 << 10;

/// Inputs handled before effects leave and the timer is looked at: a burst costs few wake-ups, and no effect waits for
/// more than this many inputs.
const BATCH: usize = 64;

/// A sync under way.
pub type Syncing = Pin<Box<dyn Future<Output = Result<(), SyncFailed>> + Send>>;

/// Where a machine's effects go.
pub trait World<E>: Send + 'static {
    /// Carries out an effect, or hands it on. Never blocks.
    fn apply(&mut self, effect: E);

    /// Performs the writes and makes them durable with one sync. After an error the driver stops: the machine must be
    /// rebuilt by recovery.
    fn sync(&mut self, writes: Vec<E>) -> Syncing;
}

/// A write or sync failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a write to the local disk failed: {0}")]
pub struct SyncFailed(pub String);

/// Room for one input from outside; given back when it is handled.
#[derive(Debug)]
pub struct Place(Option<OwnedSemaphorePermit>);

enum Item<M: Machine> {
    Input(M::Input, Option<OwnedSemaphorePermit>),
    Inspect(Box<dyn FnOnce(&M) + Send>),
    Close,
}

/// Where a machine's inputs are put.
pub struct Mailbox<M: Machine> {
    sender: mpsc::UnboundedSender<Item<M>>,
    intake: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
}

impl<M: Machine> Clone for Mailbox<M> {
    fn clone(&self) -> Self {
        Mailbox { sender: self.sender.clone(), intake: self.intake.clone(), waiting: self.waiting.clone() }
    }
}

impl<M: Machine> Mailbox<M> {
    /// From inside the process: never blocks. Lost if the machine has stopped.
    pub fn post(&self, input: M::Input) {
        self.put(Item::Input(input, None));
    }

    /// From outside, with the size of its body: waits while too much of such input is on its way.
    pub async fn intake(&self, input: M::Input, bytes: usize) {
        let place = self.place(bytes).await;
        self.take(input, place);
    }

    /// The waiting half of [`Mailbox::intake`], which can be given up without losing an input.
    pub async fn place(&self, bytes: usize) -> Place {
        let share = (1 + bytes / INTAKE_BYTES).min(INTAKE_LIMIT) as u32;
        // The semaphore is never closed, so a permit always comes.
        Place(self.intake.clone().acquire_many_owned(share).await.ok())
    }

    /// The other half: takes an input in at its place.
    pub fn take(&self, input: M::Input, place: Place) {
        self.put(Item::Input(input, place.0));
    }

    /// Looks at the machine between two inputs, for example to take a snapshot. `None` if it has stopped.
    pub async fn inspect<R: Send + 'static>(&self, look: impl FnOnce(&M) -> R + Send + 'static) -> Option<R> {
        let (sender, receiver) = oneshot::channel();
        self.put(Item::Inspect(Box::new(move |machine| drop(sender.send(look(machine))))));
        receiver.await.ok()
    }

    /// Ends the machine in order once it has handled what was put here before, as if every mailbox were gone.
    pub fn close(&self) {
        self.put(Item::Close);
    }

    /// Inputs that wait.
    pub fn len(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Whether no input waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn put(&self, item: Item<M>) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        if self.sender.send(item).is_err() {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// A machine that was given its mailbox and waits to be run.
pub struct Driver<M: Machine> {
    machine: M,
    clock: Clock,
    receiver: mpsc::UnboundedReceiver<Item<M>>,
    waiting: Arc<AtomicUsize>,
    recorder: Option<Recorder<M::Input>>,
    queue: EffectQueue<M::Effect>,
    out: Outbox<M::Effect>,
}

impl<M: Machine> Driver<M> {
    /// Gives a machine its mailbox. Machines that talk to each other are first all given theirs, then run.
    pub fn new(machine: M, clock: Clock) -> (Driver<M>, Mailbox<M>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let mailbox = Mailbox { sender, intake: Arc::new(Semaphore::new(INTAKE_LIMIT)), waiting: waiting.clone() };
        let driver = Driver {
            machine,
            clock,
            receiver,
            waiting,
            recorder: None,
            queue: EffectQueue::default(),
            out: Outbox::default(),
        };
        (driver, mailbox)
    }

    /// Writes every input down before it is handled.
    #[must_use]
    pub fn recorded(mut self, recorder: Recorder<M::Input>) -> Driver<M> {
        self.recorder = Some(recorder);
        self
    }

    /// Runs until every mailbox is gone or one is closed (`Ok`; all writes are on the disk then, lazy ones too) or a write fails.
    pub async fn run(mut self, mut world: impl World<M::Effect>) -> Result<(), SyncFailed> {
        let mut syncing: Option<Syncing> = None;
        loop {
            while let Some(effect) = self.queue.pop_ready() {
                world.apply(effect);
            }
            if syncing.is_none() {
                syncing = self.queue.begin_sync().map(|writes| world.sync(writes));
            }
            let deadline = self.machine.deadline().map(|at| self.clock.at(at));
            tokio::select! {
                biased;
                result = async { syncing.as_mut().expect("guarded").await }, if syncing.is_some() => {
                    result?;
                    syncing = None;
                    self.queue.finish_sync();
                }
                item = self.receiver.recv() => match item {
                    Some(item) => {
                        if !self.take_batch(item) {
                            break;
                        }
                    }
                    None => break,
                },
                () = tokio::time::sleep_until(deadline.unwrap_or_else(tokio::time::Instant::now)), if deadline.is_some() => {}
            }
            self.tick_if_due();
        }
        if let Some(syncing) = syncing {
            syncing.await?;
            self.queue.finish_sync();
        }
        // What was written while that sync ran, and lazy writes with it.
        if let Some(writes) = self.queue.begin_sync() {
            world.sync(writes).await?;
            self.queue.finish_sync();
        }
        match self.queue.take_lazy() {
            writes if writes.is_empty() => Ok(()),
            writes => world.sync(writes).await,
        }
    }

    /// Whether it goes on.
    fn take_batch(&mut self, first: Item<M>) -> bool {
        let mut item = Some(first);
        for _ in 0..BATCH {
            let Some(next) = item.take().or_else(|| self.receiver.try_recv().ok()) else { break };
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            match next {
                Item::Input(input, _permit) => self.handle(input),
                Item::Inspect(look) => look(&self.machine),
                Item::Close => return false,
            }
        }
        true
    }

    fn handle(&mut self, input: M::Input) {
        let now = self.clock.now();
        if let Some(recorder) = &mut self.recorder {
            recorder.input(now, &input);
        }
        or_abort(|| self.machine.handle(now, input, &mut self.out));
        self.queue.submit(&mut self.out);
    }

    /// A machine that gets inputs without pause must still see its timers.
    fn tick_if_due(&mut self) {
        let now: Now = self.clock.now();
        if self.machine.deadline().is_some_and(|at| at <= now.monotonic) {
            if let Some(recorder) = &mut self.recorder {
                recorder.tick(now);
            }
            or_abort(|| self.machine.tick(now, &mut self.out));
            self.queue.submit(&mut self.out);
        }
    }
}

/// Runs a step of a machine. One that panics has found itself broken: nothing it knows can be relied on, and whoever waits for
/// it would wait for ever. So the process ends, as Mesos' does when a CHECK fails, and others take over. The panic's text is
/// on stderr by then.
fn or_abort(step: impl FnOnce()) {
    struct Broken;
    impl Drop for Broken {
        fn drop(&mut self) {
            eprintln!("a machine has panicked; the process ends");
            std::process::abort();
        }
    }
    let broken = Broken;
    step();
    std::mem::forget(broken);
}

#[cfg(test)]
mod tests;
