//! The difference of two profiles of one process: what it did in between, as a delta of what is counted since it
//! began, or by how much what it holds at a moment grew. Growth has sample types of its own: subtracted in-use
//! values are no profile of memory in use. <https://github.com/golang/go/issues/67942>

use std::io::{self, Read, Seek, Write};

use super::kind::Kind;
use super::merge::{Merged, Part};
use super::proto::invalid;
use super::reader::{Header, Interval, ProfileReader, SampleType};

/// The difference of two profiles.
#[derive(Debug)]
pub struct Difference {
    header: Header,
    merged: Merged,
    is_growth: bool,
}

/// The values of a kind that are subtracted, and whether a label of this name is left out.
#[derive(Debug, Clone, Copy)]
struct Subtracted {
    columns: &'static [Column],
    left_out: fn(&str) -> bool,
    meaning: Meaning,
}

/// A value of the profiles, and its name in the difference.
#[derive(Debug, Clone, Copy)]
struct Column {
    of: &'static str,
    unit: &'static str,
    name: &'static str,
}

/// The meaning of the subtracted values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// Counted since the process began.
    Delta,
    /// There at a moment.
    Growth,
}

/// The column of a delta, whose name stays.
const fn counted(of: &'static str, unit: &'static str) -> Column {
    Column { of, unit, name: of }
}

/// The column of a growth.
const fn grown(of: &'static str, unit: &'static str, name: &'static str) -> Column {
    Column { of, unit, name }
}

/// The columns of each kind. The last one is what a viewer shows.
const ALLOCATIONS: [Column; 2] = [
    counted("alloc_objects", "count"),
    counted("alloc_space", "bytes"),
];
const CONTENTIONS: [Column; 2] = [
    counted("contentions", "count"),
    counted("delay", "nanoseconds"),
];
const GOROUTINES: [Column; 1] = [grown("goroutine", "count", "goroutine_growth")];
const IN_USE: [Column; 2] = [
    grown("inuse_objects", "count", "inuse_objects_growth"),
    grown("inuse_space", "bytes", "inuse_space_growth"),
];
const THREADS: [Column; 1] = [grown("threadcreate", "count", "threadcreate_growth")];

impl Subtracted {
    fn of(kind: Kind) -> Option<Self> {
        let (columns, meaning): (&[Column], _) = match kind {
            Kind::Allocs => (&ALLOCATIONS, Meaning::Delta),
            Kind::Block | Kind::Mutex => (&CONTENTIONS, Meaning::Delta),
            Kind::Cpu => return None,
            Kind::Goroutine => (&GOROUTINES, Meaning::Growth),
            Kind::Heap => (&IN_USE, Meaning::Growth),
            Kind::Threadcreate => (&THREADS, Meaning::Growth),
        };
        Some(Self {
            columns,
            // A goroutine that waits on is the same one some minutes later.
            left_out: if kind == Kind::Goroutine {
                |name| name == "minutes"
            } else {
                |_| false
            },
            meaning,
        })
    }

    /// Adds a profile's values, multiplied by the factor.
    fn add<R: Read + Seek>(
        self,
        merged: &mut Merged,
        profile: &mut ProfileReader<R>,
        factor: i64,
    ) -> io::Result<()> {
        let columns = places(self.columns, profile.header())?;
        let part = Part {
            columns: &columns,
            factor,
            left_out: self.left_out,
            no_stack: None,
        };
        merged.add_part(profile, part)
    }
}

/// The difference of two profiles of one kind. `before` is none for a process that began between the two dumps,
/// as one that was restarted did: its delta is all that it counted, and there is no growth, for there is nothing
/// that could have grown. A cpu profile has no difference: it is of its own window.
///
/// # Errors
/// A profile cannot be read, lacks the values of its kind, or both have more than [`Merged`] takes.
pub fn difference<B: Read + Seek, A: Read + Seek>(
    kind: Kind,
    before: Option<&mut ProfileReader<B>>,
    after: &mut ProfileReader<A>,
) -> io::Result<Option<Difference>> {
    let Some(subtracted) = Subtracted::of(kind) else {
        return Ok(None);
    };
    if before.is_none() && subtracted.meaning == Meaning::Growth {
        return Ok(None);
    }
    let header = header(subtracted.columns, after.header());
    let mut merged = Merged::with_types(&header.sample_types);
    subtracted.add(&mut merged, after, 1)?;
    if let Some(before) = before {
        subtracted.add(&mut merged, before, -1)?;
    }
    Ok(Some(Difference {
        header,
        merged,
        is_growth: subtracted.meaning == Meaning::Growth,
    }))
}

/// What the difference says of itself, but its time.
fn header(columns: &[Column], after: &Header) -> Header {
    let types = columns.iter().map(|column| SampleType {
        name: column.name.to_owned(),
        unit: column.unit.to_owned(),
    });
    let shown = columns.last().map(|column| column.name.to_owned());
    Header {
        sample_types: types.collect(),
        default_sample_type: shown.unwrap_or_default(),
        ..after.clone()
    }
}

/// The indexes of the columns in a profile.
///
/// # Errors
/// One is not there.
fn places(columns: &[Column], header: &Header) -> io::Result<Vec<usize>> {
    let place = |column: &Column| {
        let mut types = header.sample_types.iter();
        let place = types.position(|of| of.name == column.of && of.unit == column.unit);
        place.ok_or_else(|| {
            let Column { of, unit, .. } = column;
            invalid(&format!("it has no values of {of}/{unit}"))
        })
    };
    columns.iter().map(place).collect()
}

impl Difference {
    /// Whether it is growth of what is there at a moment, and no delta of what is counted.
    pub fn is_growth(&self) -> bool {
        self.is_growth
    }

    /// How many samples there are. Those that are as they were are none.
    pub fn samples(&self) -> u64 {
        self.merged.samples()
    }

    /// How many samples have a negative value. In growth they are what shrank; a delta should have none, or the
    /// profiles are not of one process, the earlier one first.
    pub fn negative(&self) -> u64 {
        self.merged.negative()
    }

    /// The sum of each value over all samples.
    ///
    /// # Errors
    /// A sum is more than 64 bits hold.
    pub fn totals(&self) -> io::Result<Vec<i64>> {
        self.merged.totals()
    }

    /// The sum of each value over the samples with such a function in their stacks.
    ///
    /// # Errors
    /// A sum is more than 64 bits hold.
    pub fn totals_through(&self, is_wanted: impl Fn(&str) -> bool) -> io::Result<Vec<i64>> {
        self.merged.totals_through(is_wanted)
    }

    /// Writes the difference as a packed profile of an interval.
    ///
    /// # Errors
    /// The output cannot be written.
    pub fn write(&self, interval: Interval, output: impl Write) -> io::Result<()> {
        self.merged.write_as(&self.header.at(interval), output)
    }
}
