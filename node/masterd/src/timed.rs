//! The allocator, with a watch on its runs: the machine itself knows no clock that runs while it does.

use std::time::Instant as Watch;
use tepui_allocator::{Allocator, Effect, Hierarchical, Input};
use tepui_base::series::Series;
use tepui_base::{Instant, Machine, Now, Outbox};
use tepui_master::view::allocator::Figures;

/// See the module's text.
pub(crate) struct Timed {
    machine: Hierarchical,
    /// Since when a run is called for that is not one of the regular ones.
    called_for: Option<Watch>,
    run: Series,
    latency: Series,
}

impl Timed {
    pub fn new(machine: Hierarchical) -> Timed {
        Timed { machine, called_for: None, run: Series::default(), latency: Series::default() }
    }

    /// For the metrics. `waiting` inputs wait.
    pub fn figures(&self, waiting: usize) -> Figures {
        Figures {
            metrics: self.machine.metrics(),
            waiting,
            run: self.run.statistics(),
            latency: self.latency.statistics(),
        }
    }
}

impl Machine for Timed {
    type Input = Input;
    type Effect = Effect;

    fn handle(&mut self, now: Now, input: Input, out: &mut Outbox<Effect>) {
        self.machine.handle(now, input, out);
        if self.machine.is_run_due() {
            self.called_for.get_or_insert_with(Watch::now);
        }
    }

    fn tick(&mut self, now: Now, out: &mut Outbox<Effect>) {
        let (runs, start) = (self.machine.runs(), Watch::now());
        self.machine.tick(now, out);
        if self.machine.runs() == runs {
            return;
        }
        let millis = |duration: std::time::Duration| duration.as_secs_f64() * 1e3;
        self.run.push(now.monotonic, millis(start.elapsed()));
        // A regular run has no cause but its time.
        let waited = self.called_for.take().map_or(0.0, |since| millis(start.duration_since(since)));
        self.latency.push(now.monotonic, waited);
    }

    fn deadline(&self) -> Option<Instant> {
        self.machine.deadline()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tepui_allocator::Options;
    use tepui_base::Wall;

    #[test]
    fn every_run_is_measured_and_nothing_else() {
        let now = Now { monotonic: Instant(0), wall: Wall(0) };
        let mut timed = Timed::new(Hierarchical::new(Options::default(), 1, now));
        let mut out = Outbox::default();
        timed.tick(now, &mut out);
        assert_eq!(timed.figures(0).run, None);
        let later = timed.deadline().expect("a regular run is due");
        for _ in 0..2 {
            timed.tick(Now { monotonic: later, ..now }, &mut out);
        }
        let figures = timed.figures(3);
        assert_eq!((figures.metrics.allocation_runs, figures.waiting), (1, 3));
        assert_eq!(figures.latency.map(|latency| latency.last), Some(0.0));
        assert!(figures.run.is_some_and(|run| run.spread.is_empty()), "one value has no spread");
    }
}
