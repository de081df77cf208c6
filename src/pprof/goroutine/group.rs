//! What tells goroutines apart: the words in their headers and their stacks. Goroutines that nothing
//! tells apart are counted as one group, and each group becomes a sample with labels.

use hashbrown::DefaultHashBuilder;
use indexmap::{IndexMap, IndexSet};

use super::labels;
use crate::profile::{Label, Profile};
use crate::scanner::{Scanner, decimal};
use crate::tables::Strings;

/// About how many bytes a group, and a stack, take beside their content.
const COST: usize = 150;

/// One goroutine.
#[derive(Debug, Default)]
pub(super) struct Goroutine {
    state: String,
    /// How long it has waited.
    minutes: i64,
    /// Whether it is locked to its thread.
    locked: bool,
    /// As Go prints them, in braces; empty if there are none.
    labels: String,
    /// The ids of its locations, from the innermost.
    pub(super) stack: Vec<u64>,
}

impl Goroutine {
    /// Begins a new goroutine with its header: `goroutine 7 [chan receive, 2 minutes, locked to
    /// thread] {key: value}:`. What else stands in the brackets stays with the state. `None` if it is
    /// no header.
    pub(super) fn begin(&mut self, header: &[u8]) -> Option<()> {
        let mut scanner = Scanner(header);
        scanner.literal(b"goroutine ")?;
        scanner.number()?;
        let rest = str::from_utf8(scanner.0).ok()?;
        let (words, labels) = words_and_labels(rest.split_once(" [")?.1)?;
        self.state.clear();
        self.minutes = 0;
        self.locked = false;
        self.labels.clear();
        self.labels.push_str(labels);
        self.stack.clear();
        for word in words.split(", ") {
            if let Some(minutes) = word.strip_suffix(" minutes") {
                self.minutes = decimal(minutes.as_bytes())?;
            } else if word == "locked to thread" {
                self.locked = true;
            } else {
                let comma = if self.state.is_empty() { "" } else { ", " };
                self.state.extend([comma, word]);
            }
        }
        Some(())
    }
}

/// What stands in a header's brackets, and the labels, from the text after the opening bracket. The
/// labels stand in the brackets (Go 1.26, GODEBUG=tracebacklabels=1) or after them (Go 1.27). Their
/// values may hold anything, so the brackets end at the first that closes, unless labels come before.
fn words_and_labels(text: &str) -> Option<(&str, &str)> {
    let (inside, after) = text.split_at_checked(text.find(']')?)?;
    if let Some((words, _)) = inside.split_once(" labels:{") {
        let labels = text.get(words.len() + " labels:".len()..)?;
        return Some((words, labels.strip_suffix("]:")?));
    }
    if after == "]:" {
        return Some((inside, ""));
    }
    let labels = after.strip_prefix("] ")?.strip_suffix(':')?;
    (labels.starts_with('{') && labels.ends_with('}')).then_some((inside, labels))
}

/// What tells a group from the others. Texts and stack are by index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Group {
    state: usize,
    minutes: i64,
    locked: bool,
    labels: usize,
    stack: usize,
}

/// All goroutines that were read, in the order in which their groups came.
#[derive(Debug)]
pub(super) struct Groups {
    /// With the number of their goroutines.
    groups: IndexMap<Group, i64, DefaultHashBuilder>,
    stacks: IndexSet<Box<[u64]>, DefaultHashBuilder>,
    texts: Strings,
    bytes: usize,
}

impl Groups {
    pub(super) fn new() -> Self {
        Self {
            groups: IndexMap::default(),
            stacks: IndexSet::default(),
            texts: Strings::new(),
            bytes: 0,
        }
    }

    /// About how many bytes of memory they take.
    pub(super) fn bytes(&self) -> usize {
        self.bytes + self.texts.bytes()
    }

    /// Counts one more goroutine.
    pub(super) fn add(&mut self, goroutine: &Goroutine) {
        let group = Group {
            state: self.texts.intern(&goroutine.state),
            minutes: goroutine.minutes,
            locked: goroutine.locked,
            labels: self.texts.intern(&goroutine.labels),
            stack: self.stack(&goroutine.stack),
        };
        let count = self.groups.entry(group).or_insert(0);
        if *count == 0 {
            // Its sample will repeat the stack, some two bytes a frame.
            self.bytes += COST + 2 * goroutine.stack.len();
        }
        *count = count.saturating_add(1);
    }

    /// The index of a stack, which is added if it is new.
    fn stack(&mut self, stack: &[u64]) -> usize {
        self.stacks.get_index_of(stack).unwrap_or_else(|| {
            self.bytes += COST + size_of_val(stack);
            self.stacks.insert_full(stack.into()).0
        })
    }

    /// Adds a sample for each group.
    pub(super) fn add_samples(&self, profile: &mut Profile) {
        for (group, count) in &self.groups {
            let stack = self.stacks.get_index(group.stack);
            let mut labels = vec![Label::Text {
                name: "state",
                text: self.texts.get(group.state),
            }];
            if group.minutes > 0 {
                labels.push(Label::Number {
                    name: "minutes",
                    number: group.minutes,
                    unit: "minutes",
                });
            }
            if group.locked {
                labels.push(Label::Text {
                    name: "locked_to_thread",
                    text: "yes",
                });
            }
            let own = labels::parse(self.texts.get(group.labels));
            labels.extend(own.iter().map(|(name, text)| Label::Text { name, text }));
            profile.sample(stack.map_or(&[], |stack| stack), &[*count], &labels);
        }
    }
}
