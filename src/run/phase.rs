//! The phases of a run, and what must be undone when it ends in one of them.

use std::time::Instant;

use tokio::sync::watch;

use crate::manifest::PhaseSeconds;

/// Where a run is. The work sets it before each change, never after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Proving that the run can succeed; nothing is changed.
    Preflight,
    /// Waiting for the cluster's lock, and dealing with what a dead run left.
    Lock,
    /// The profiler is turned on.
    Gate,
    /// Pods are dumped before start, for comparison.
    Baseline,
    /// Start is sent.
    Start,
    /// Profiling is on.
    Window,
    /// Stop is sent.
    Stop,
    /// Profiling is off; pods are dumped and shipped.
    Dump,
    /// The gate is put back.
    Restore,
    /// The archive is there; its manifest is written.
    Report,
}

/// One thing to undo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undo {
    /// Take the ready file away.
    NotReady,
    /// Remove what was dumped before start.
    RemoveBaseline,
    /// Send stop until every pod has seen it, and forget a window that never opened.
    CancelStart,
    /// Send stop until every pod has seen it.
    Stop,
    /// Remove the unfinished archive.
    RemoveUpload,
    /// Put the gate back, unless a pod may still be profiling.
    Restore,
    /// Give the lock up.
    Unlock,
}

impl Phase {
    /// Every phase, in order.
    pub const ALL: [Self; 10] = [
        Self::Preflight,
        Self::Lock,
        Self::Gate,
        Self::Baseline,
        Self::Start,
        Self::Window,
        Self::Stop,
        Self::Dump,
        Self::Restore,
        Self::Report,
    ];

    /// The phase's name in the log and the manifest.
    pub fn name(self) -> &'static str {
        match self {
            Self::Preflight => "preflight",
            Self::Lock => "lock",
            Self::Gate => "gate",
            Self::Baseline => "baseline",
            Self::Start => "start",
            Self::Window => "window",
            Self::Stop => "stop",
            Self::Dump => "dump",
            Self::Restore => "restore",
            Self::Report => "report",
        }
    }

    /// What to undo when the work ends in this phase without success, in order.
    pub fn undo(self) -> &'static [Undo] {
        match self {
            Self::Preflight => &[],
            Self::Lock => &[Undo::Unlock],
            Self::Gate => &[Undo::Restore, Undo::Unlock],
            Self::Baseline => &[Undo::RemoveBaseline, Undo::Restore, Undo::Unlock],
            Self::Start => &[
                Undo::CancelStart,
                Undo::RemoveBaseline,
                Undo::Restore,
                Undo::Unlock,
            ],
            Self::Window | Self::Stop => &[Undo::NotReady, Undo::Stop, Undo::Restore, Undo::Unlock],
            // A stop may be unconfirmed when the dump begins.
            Self::Dump | Self::Restore | Self::Report => {
                &[Undo::Stop, Undo::RemoveUpload, Undo::Restore, Undo::Unlock]
            }
        }
    }
}

/// Tells the phase to whoever watches, and remembers how long each took.
#[derive(Debug)]
pub struct Clock {
    phase: watch::Sender<Phase>,
    entered: Instant,
    past: Vec<PhaseSeconds>,
}

impl Clock {
    /// A clock in the first phase, and the place to watch it from.
    pub fn new() -> (Self, watch::Receiver<Phase>) {
        let (phase, watcher) = watch::channel(Phase::Preflight);
        let clock = Self {
            phase,
            entered: Instant::now(),
            past: Vec::new(),
        };
        (clock, watcher)
    }

    /// Enters a phase.
    pub fn enter(&mut self, phase: Phase) {
        let left = self.phase.send_replace(phase);
        let seconds = self.entered.elapsed().as_millis() as f64 / 1000.0;
        self.past.push(PhaseSeconds {
            phase: left.name().to_owned(),
            seconds,
        });
        self.entered = Instant::now();
    }

    /// The phases that were left, with the time they took.
    pub fn past(&self) -> Vec<PhaseSeconds> {
        self.past.clone()
    }
}
