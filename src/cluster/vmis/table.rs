//! What is known of each virtual machine and each instance: some bytes, however large their objects are.

use std::collections::HashMap;

use jiff::Timestamp;

use super::api::{Kind, Object, Status, Uid};
use super::second::Second;
use crate::limits::{CLOCK_SKEW, VM_RECORDS};

/// The phases whose times are kept, in the order in which an instance comes up.
pub(super) const PHASES: [&str; 4] = ["Pending", "Scheduling", "Scheduled", "Running"];

/// The place of Running in [`PHASES`].
pub(super) const RUNNING: usize = 3;

/// What is known of an instance.
#[derive(Debug, Clone, Default)]
pub(super) struct Record {
    pub(super) created: Option<Second>,
    /// The VirtualMachine that it belongs to.
    pub(super) machine: Option<Uid>,
    /// When it was first in each of the phases.
    pub(super) reached: [Option<Second>; PHASES.len()],
    /// When it was first seen to be Ready.
    pub(super) ready: Option<Second>,
    pub(super) is_running: bool,
    pub(super) has_run: bool,
    pub(super) has_failed: bool,
    pub(super) is_deleted: bool,
    /// Whether it was there before the window opened.
    pub(super) was_there: bool,
    /// The last LIST that had it.
    listed: u32,
}

impl Record {
    fn note(&mut self, object: &Object) {
        let metadata = &object.metadata;
        self.created = metadata.creation_timestamp.or(self.created);
        self.machine = object.machine().or(self.machine);
        self.ready = self.ready.or(object.ready());
        self.is_deleted |= metadata.deletion_timestamp.is_some();
        if let Some(status) = &object.status {
            self.note_status(status);
        }
    }

    fn note_status(&mut self, status: &Status) {
        for transition in &status.phase_transition_timestamps {
            let place = PHASES.iter().position(|phase| *phase == transition.phase);
            if let Some(place) = place {
                let reached = &mut self.reached[place];
                *reached = reached.or(transition.at);
            }
        }
        self.is_running = status.phase == PHASES[RUNNING];
        self.has_run |= self.is_running || self.reached[RUNNING].is_some();
        self.has_failed = status.phase == "Failed";
    }

    fn counts_as_running(&self) -> bool {
        self.is_running && !self.is_deleted
    }
}

/// All that is known.
#[derive(Debug)]
pub struct Table {
    /// Since when machines are of interest. Older ones have nothing to do with the window.
    since: Option<Second>,
    pub(super) instances: HashMap<Uid, Record>,
    /// When each machine was created.
    pub(super) machines: HashMap<Uid, Second>,
    /// Whether machines can be read.
    pub(super) has_machines: bool,
    running: usize,
    listing: u32,
    is_open: bool,
    /// Whether what happened in the window was watched.
    pub(super) is_watched: bool,
    /// Why the watch of instances does not go on, while it does not.
    pub(super) broken: Option<String>,
    /// What may not be known, and why.
    pub(super) missed: Vec<String>,
}

impl Table {
    /// A table of which a window is part that opens at this time, or later.
    pub fn new(since: Timestamp) -> Self {
        let since = since.checked_sub(CLOCK_SKEW).unwrap_or(since);
        Self {
            since: Second::of(since),
            instances: HashMap::new(),
            machines: HashMap::new(),
            has_machines: true,
            running: 0,
            listing: 0,
            is_open: false,
            is_watched: false,
            broken: None,
            missed: Vec::new(),
        }
    }

    /// The window opens: what is there by now was not created in it.
    pub fn open(&mut self) {
        self.is_open = true;
        self.is_watched = true;
        for record in self.instances.values_mut() {
            record.was_there = true;
        }
    }

    /// The window is open, and nobody saw what was there before.
    pub(super) fn open_unseen(&mut self) {
        self.is_open = true;
    }

    /// Adds something that may not be known.
    pub fn miss(&mut self, what: impl Into<String>) {
        let what = what.into();
        if !self.missed.contains(&what) {
            self.missed.push(what);
        }
    }

    /// The instances that are Running now.
    pub(super) fn running(&self) -> usize {
        self.running
    }

    /// Begins a LIST.
    pub(super) fn begin_list(&mut self, kind: Kind) {
        if kind == Kind::Instance {
            self.listing += 1;
        }
    }

    /// Ends a LIST: an instance that it did not have is gone.
    pub(super) fn end_list(&mut self, kind: Kind) {
        if kind == Kind::Machine {
            return;
        }
        let listing = self.listing;
        let gone = self
            .instances
            .iter()
            .filter(|(_, record)| record.listed < listing);
        let gone: Vec<_> = gone.map(|(uid, _)| *uid).collect();
        gone.into_iter().for_each(|uid| self.delete(uid));
    }

    /// Notes an object as it is now.
    pub(super) fn note(&mut self, kind: Kind, object: &Object) {
        match kind {
            Kind::Machine => self.note_machine(object),
            Kind::Instance => self.note_instance(object),
        }
    }

    /// Notes that an object was deleted.
    pub(super) fn note_deleted(&mut self, kind: Kind, object: &Object) {
        if kind == Kind::Instance {
            self.note_instance(object);
            self.delete(object.uid());
        }
    }

    fn note_machine(&mut self, object: &Object) {
        let created = object.metadata.creation_timestamp;
        let Some(created) = created.filter(|created| Some(*created) >= self.since) else {
            return;
        };
        let uid = object.uid();
        if self.machines.len() < VM_RECORDS || self.machines.contains_key(&uid) {
            self.machines.insert(uid, created);
        } else {
            self.miss(format!(
                "of the virtual machines only the first {VM_RECORDS} are counted from"
            ));
        }
    }

    fn note_instance(&mut self, object: &Object) {
        let uid = object.uid();
        if self.instances.len() >= VM_RECORDS && !self.instances.contains_key(&uid) {
            self.miss(format!(
                "there were more than {VM_RECORDS} instances, and only so many are counted"
            ));
            return;
        }
        let record = self.instances.entry(uid).or_default();
        let before = record.counts_as_running();
        record.note(object);
        record.listed = self.listing;
        let now = record.counts_as_running();
        self.running = self.running + usize::from(now) - usize::from(before);
    }

    /// Keeps what is deleted only where it may be of the window.
    fn delete(&mut self, uid: Uid) {
        let Some(record) = self.instances.get_mut(&uid) else {
            return;
        };
        self.running -= usize::from(record.counts_as_running());
        record.is_deleted = true;
        if record.was_there || !self.is_open {
            self.instances.remove(&uid);
        }
    }
}
