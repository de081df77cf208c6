//! The profiler inside one component's process, with its file on the pod's volume.

use std::time::SystemTime;

/// One window, as the cpu profile records it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Window {
    pub(crate) start: SystemTime,
    pub(crate) stop: SystemTime,
}

/// A call virt-api makes to a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Start,
    Stop,
    Dump,
}

/// The cpu profile's file on the volume.
#[derive(Clone, Copy, Debug, Default)]
enum File {
    #[default]
    Missing,
    /// Created by a start; Go writes it only when the profile is stopped.
    Empty,
    Written(Window),
}

/// The cpu profile in a dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cpu {
    /// No results: the file is left out.
    LeftOut,
    /// There should be results but the file cannot be read: the dump fails.
    Unreadable,
    /// The file a killed process left.
    Empty,
    /// A finished window.
    Window(Window),
}

/// One process's profiler.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Profiler {
    running: Option<SystemTime>,
    has_results: bool,
    file: File,
}

impl Profiler {
    /// Begins a profile and forgets the one before, running or not.
    pub(crate) fn start(&mut self, now: SystemTime) {
        *self = Self {
            running: Some(now),
            has_results: false,
            file: File::Empty,
        };
    }

    /// Ends the profile. It claims results whether or not there was one.
    pub(crate) fn stop(&mut self, now: SystemTime) {
        if let Some(start) = self.running.take() {
            self.file = File::Written(Window { start, stop: now });
        }
        self.has_results = true;
    }

    /// The cpu profile that a dump would have now.
    pub(crate) fn cpu(&self) -> Cpu {
        match self.file {
            _ if !self.has_results => Cpu::LeftOut,
            File::Missing => Cpu::Unreadable,
            File::Empty => Cpu::Empty,
            File::Written(window) => Cpu::Window(window),
        }
    }

    /// Whether it profiles now.
    pub(crate) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Restarts the process; the volume stays.
    pub(crate) fn restart(&mut self) {
        *self = Self {
            file: self.file,
            ..Self::default()
        };
    }
}
