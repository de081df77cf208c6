//! The steps that are still to come after writes, each at its time.

use std::time::Duration;

use tokio::time::Instant;

/// A step that follows a write.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// HyperConverged makes the KubeVirt object what it asks for.
    Reconcile,
    /// virt-operator has deployed this generation of the KubeVirt object.
    Observe(i64),
    /// virt-api sees the profiler on or off.
    Enable(bool),
}

/// Steps in the order of their times.
#[derive(Debug, Default)]
pub(crate) struct Upcoming(Vec<(Instant, Step)>);

impl Upcoming {
    /// Adds a step, after those of the same time.
    pub(crate) fn after(&mut self, delay: Duration, step: Step) {
        let time = Instant::now() + delay;
        let place = self.0.partition_point(|(other, _)| *other <= time);
        self.0.insert(place, (time, step));
    }

    /// When the next step is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.0.first().map(|(time, _)| *time)
    }

    /// Takes the next step, if it is due.
    pub(crate) fn take(&mut self) -> Option<Step> {
        let is_due = self.next().is_some_and(|time| time <= Instant::now());
        is_due.then(|| self.0.remove(0).1)
    }
}
