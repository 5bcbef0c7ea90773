//! Running one machine as node/driver does, without its threads.

use tepui_base::{EffectQueue, Instant, Machine, Now, Outbox};

/// A machine and what stands between it and the world.
pub struct Driven<M: Machine> {
    /// The machine.
    pub machine: M,
    queue: EffectQueue<M::Effect>,
    out: Outbox<M::Effect>,
}

impl<M: Machine> Driven<M> {
    /// Takes a machine over.
    pub fn new(machine: M) -> Driven<M> {
        Driven { machine, queue: EffectQueue::default(), out: Outbox::default() }
    }

    /// Hands it one input; gives what it does.
    pub fn handle(&mut self, now: Now, input: M::Input) -> Vec<M::Effect> {
        self.machine.handle(now, input, &mut self.out);
        self.settle()
    }

    /// Lets it do what is due; nothing if nothing is.
    pub fn tick(&mut self, now: Now) -> Vec<M::Effect> {
        if self.machine.deadline().is_none_or(|at| at > now.monotonic) {
            return Vec::new();
        }
        self.machine.tick(now, &mut self.out);
        self.settle()
    }

    /// When it wants to be ticked.
    pub fn deadline(&self) -> Option<Instant> {
        self.machine.deadline()
    }

    /// The disk of this world is fast: a batch is durable as soon as it is written.
    fn settle(&mut self) -> Vec<M::Effect> {
        self.queue.submit(&mut self.out);
        let mut effects: Vec<M::Effect> = std::iter::from_fn(|| self.queue.pop_ready()).collect();
        while let Some(writes) = self.queue.begin_sync() {
            effects.extend(writes);
            self.queue.finish_sync();
            effects.extend(std::iter::from_fn(|| self.queue.pop_ready()));
        }
        effects
    }
}
