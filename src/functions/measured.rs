//! The numbers whose functions profiles tell.

use std::io::{self, Read, Seek};

use crate::component::Component;
use crate::diff::{Diff, Word};
use crate::pprof::{Header, Kind, ProfileReader, SampleType};
use crate::report::{Group, Part, Tree, tree_of};

/// A thousandth of a sample is counted.
const PARTS: f64 = 1e3;

/// A number of a component, and the profile that has its functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Measured {
    pub(super) component: Component,
    /// The number's name, as `diff` has it.
    pub(super) number: &'static str,
    kind: Kind,
    part: Part,
    /// The name of the profile's value.
    value: &'static str,
    /// The name of the value that says how many samples, or objects, there are.
    counted: &'static str,
}

/// Of each component, in the order in which `diff` has the numbers.
const NUMBERS: [(&str, Kind, Part, [&str; 2]); 3] = [
    (
        "live_heap_bytes",
        Kind::Heap,
        Part::Whole,
        ["inuse_space", "inuse_objects"],
    ),
    (
        "allocated_bytes_per_second",
        Kind::Allocs,
        Part::Delta,
        ["alloc_space", "alloc_objects"],
    ),
    ("cpu_cores", Kind::Cpu, Part::Whole, ["cpu", "samples"]),
];

impl Measured {
    /// Those that changed; or all, if none did.
    pub(super) fn wanted(diff: &Diff) -> Vec<Self> {
        let all = Component::ALL.into_iter().flat_map(|component| {
            NUMBERS.map(|(number, kind, part, [value, counted])| Self {
                component,
                number,
                kind,
                part,
                value,
                counted,
            })
        });
        let changed = |measured: &Self| {
            diff.numbers.iter().any(|number| {
                number.component == Some(measured.component)
                    && number.name == measured.number
                    && matches!(number.verdict, Some(Word::Regression | Word::Improvement))
            })
        };
        let all: Vec<_> = all.collect();
        let some: Vec<_> = all.iter().copied().filter(changed).collect();
        if some.is_empty() { all } else { some }
    }

    /// Its profiles.
    pub(super) fn group(self) -> Group {
        Group {
            component: self.component,
            kind: self.kind,
            part: self.part,
        }
    }

    /// Its functions in one profile, with two values: what they cost, and of how many samples that is known, in thousandths.
    ///
    /// # Errors
    /// The profile cannot be read, or has no such value.
    pub(super) fn tree<R: Read + Seek>(self, profile: &mut ProfileReader<R>) -> io::Result<Tree> {
        let header = profile.header();
        let at = |name: &str| header.sample_types.iter().position(|of| of.name == name);
        let cost = at(self.value).or_else(|| at("samples"));
        let cost = cost
            .ok_or_else(|| io::Error::other(format!("the profile has no value {}", self.value)))?;
        let counted = at(self.counted).unwrap_or(cost);
        let period = period(header, self.kind);
        let samples = move |cost: i64, counted: i64| match period {
            // A profile of memory counts objects, of which it has seen a share by their size.
            Some(period) if counted != 0 => {
                let size = cost as f64 / counted as f64;
                counted as f64 * (1.0 - (-size / period).exp())
            }
            Some(_) => 0.0,
            None => counted as f64,
        };
        let types = vec![SampleType::default(); 2];
        tree_of(profile, types, |values, own| {
            let value = |index: usize| values.get(index).copied().unwrap_or_default();
            let (cost, counted) = (value(cost), value(counted));
            own.extend([cost, (samples(cost, counted) * PARTS) as i64]);
        })
    }

    /// Samples, of what a tree's second value says.
    pub(super) fn samples(thousandths: i64) -> f64 {
        thousandths as f64 / PARTS
    }
}

/// The distance of two samples in bytes, of a profile that samples by size.
fn period(header: &Header, kind: Kind) -> Option<f64> {
    let samples_by_size = match kind {
        Kind::Heap | Kind::Allocs => true,
        Kind::Cpu | Kind::Block | Kind::Goroutine | Kind::Mutex | Kind::Threadcreate => false,
    };
    samples_by_size.then_some(header.period.max(1) as f64)
}
