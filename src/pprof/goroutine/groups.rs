//! Goroutines, counted by what tells them apart.

use std::collections::HashMap;

use crate::pprof::intern::{NO_TEXT, Strings};
use crate::pprof::profile::{Label, Profile};

/// About what a group and a stack take in memory beside their content.
const COST: usize = 150;

/// One goroutine.
#[derive(Debug, Default)]
pub(super) struct Goroutine {
    pub(super) state: String,
    /// How long it has waited.
    pub(super) minutes: i64,
    /// Whether it is locked to its thread.
    pub(super) locked: bool,
    /// As Go prints them under GODEBUG=tracebacklabels=1.
    pub(super) labels: String,
    /// The ids of its locations, from the innermost.
    pub(super) stack: Vec<u64>,
}

/// Goroutines that are told apart by nothing else. Texts and stack are by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Group {
    state: usize,
    minutes: i64,
    locked: bool,
    labels: usize,
    stack: usize,
}

/// All that were read.
#[derive(Debug)]
pub(super) struct Groups {
    /// With their order and how many there are.
    groups: HashMap<Group, (usize, i64)>,
    /// With their number.
    stacks: HashMap<Box<[u64]>, usize>,
    texts: Strings,
    bytes: usize,
}

impl Groups {
    pub(super) fn new() -> Self {
        Self {
            groups: HashMap::new(),
            stacks: HashMap::new(),
            texts: Strings::new(),
            bytes: 0,
        }
    }

    /// About how much memory they take.
    pub(super) fn bytes(&self) -> usize {
        self.bytes + self.texts.bytes()
    }

    /// Counts one more.
    pub(super) fn add(&mut self, goroutine: &Goroutine) {
        let group = Group {
            state: self.texts.intern(&goroutine.state),
            minutes: goroutine.minutes,
            locked: goroutine.locked,
            labels: self.texts.intern(&goroutine.labels),
            stack: self.stack(&goroutine.stack),
        };
        let order = self.groups.len();
        let (_, count) = self.groups.entry(group).or_insert((order, 0));
        if *count == 0 {
            // Its sample will repeat the stack, some two bytes a frame.
            self.bytes += COST + 2 * goroutine.stack.len();
        }
        *count = count.saturating_add(1);
    }

    fn stack(&mut self, stack: &[u64]) -> usize {
        if let Some(number) = self.stacks.get(stack) {
            return *number;
        }
        let number = self.stacks.len();
        self.bytes += COST + size_of_val(stack);
        self.stacks.insert(stack.into(), number);
        number
    }

    /// Adds a sample for each group, in the order in which they came.
    pub(super) fn put(self, profile: &mut Profile) {
        let mut groups: Vec<_> = self.groups.into_iter().collect();
        groups.sort_unstable_by_key(|(_, (order, _))| *order);
        let mut stacks: Vec<_> = self.stacks.into_iter().collect();
        stacks.sort_unstable_by_key(|(_, number)| *number);
        let texts: Vec<_> = self.texts.iter().collect();
        let text = |at: usize| texts.get(at).copied().unwrap_or_default();
        for (group, (_, count)) in groups {
            let stack = stacks.get(group.stack);
            let stack = stack.map_or(&[][..], |(stack, _)| stack);
            let mut labels = vec![Label::Text("state", text(group.state))];
            if group.minutes > 0 {
                labels.push(Label::Number("minutes", group.minutes, "minutes"));
            }
            if group.locked {
                labels.push(Label::Text("locked_to_thread", "yes"));
            }
            if group.labels != NO_TEXT {
                labels.push(Label::Text("labels", text(group.labels)));
            }
            profile.sample(stack, &[count], &labels);
        }
    }
}
