//! heap and allocs, whose texts are alike: live and all allocations of each stack, sampled.
//! `writeHeapInternal`, <https://github.com/golang/go/blob/go1.26.0/src/runtime/pprof/pprof.go>

use std::collections::BTreeMap;
use std::io::{self, BufRead};

use super::parsed::{Ending, LeftOut, ParseError, Parsed, accept_damage};
use super::profile::{Label, Profile, ValueType};
use super::records::Records;
use super::scanner::Scanner;
use super::stack::DEEPEST;
use super::text::Lines;

/// The most statistics that are kept. Go 1.26 writes 25.
const MOST_STATS: usize = 100;

/// The last of the statistics that every Go writes, and the one after it that some systems have.
const LAST_STATS: [&str; 2] = ["DebugGC", "MaxRSS"];

/// The reason why a text that has nothing else is not whole.
const NO_STATS: &str = "it ends before runtime.MemStats";

/// The reason why a line of the statistics is none.
const NO_STAT: &str = "it is no line of runtime.MemStats";

/// The values of a sample.
const VALUES: [ValueType; 4] = [
    ValueType {
        name: "alloc_objects",
        unit: "count",
    },
    ValueType {
        name: "alloc_space",
        unit: "bytes",
    },
    ValueType {
        name: "inuse_objects",
        unit: "count",
    },
    ValueType {
        name: "inuse_space",
        unit: "bytes",
    },
];

/// The type of the period, which is bytes between two samples.
const PERIOD_TYPE: ValueType = ValueType {
    name: "space",
    unit: "bytes",
};

/// Parses a text of heap or allocs into a profile that shows this value first.
///
/// # Errors
/// The input cannot be read.
pub(super) fn parse(input: impl BufRead, default: &str) -> io::Result<Parsed> {
    accept_damage(read(&mut Lines::new(input), default))
}

fn read(lines: &mut Lines<impl BufRead>, default: &str) -> Result<Parsed, ParseError> {
    let Header { rate, total } = header(lines)?;
    let mut profile = Profile::new(&VALUES, PERIOD_TYPE, rate);
    profile.default_sample_type(default);
    let mut sum = Columns::default();
    let mut records = Records::default();
    let mut deep = 0;
    let otherwise = "it is no record of allocations";
    while let Some(record) = records.next(lines, &mut profile, record, otherwise)? {
        add_sample(&mut profile, &records.stacks.last, record.columns, rate);
        sum = sum.plus(record.columns);
        deep += u64::from(record.depth >= DEEPEST);
    }
    let Records {
        stacks,
        mut left_out,
        read,
    } = records;
    let stats = mem_stats(lines, &mut left_out)?;
    let has_all = total.is_sum(sum) && !stacks.is_cut;
    let ends = match (stats.are_whole, has_all) {
        (true, false) if left_out.is_none() => {
            return Err(lines.damage_at_end("its records are not all that its header counts"));
        }
        (false, false) if read == 0 && left_out.is_none() => {
            return Err(lines.damage_at_end(NO_STATS));
        }
        (true, _) => Ending::Whole,
        (false, true) => Ending::BeforeStats,
        (false, false) => Ending::Early("it ends before all records that its header counts"),
    };
    let mut parsed = Parsed::understood(profile);
    parsed.mem_stats = stats.values;
    parsed.note_deep(deep);
    stacks.note_bare(&mut parsed);
    parsed.note_cut(lines.is_cut());
    parsed.lacking(left_out, read, ends)
}

/// The first line of a text.
struct Header {
    /// The real rate, which is half of what is written.
    rate: i64,
    /// The sum of the records.
    total: Columns,
}

fn header(lines: &mut Lines<impl BufRead>) -> Result<Header, ParseError> {
    let Some(line) = lines.next()? else {
        return Err(lines.damage_at_end("it is empty"));
    };
    let header = |text| {
        let mut scanner = Scanner(text);
        scanner.literal(b"heap profile: ")?;
        let total = columns(&mut scanner)?;
        scanner.literal(b" @ heap/")?;
        let rate = scanner.number()? / 2;
        scanner.end().map(|()| Header { rate, total })
    };
    header(line.text).ok_or_else(|| line.damage("it is no header of a heap profile"))
}

/// Allocations: their number and their size.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Allocations {
    objects: i64,
    bytes: i64,
}

impl Allocations {
    fn plus(self, other: Self) -> Self {
        Self {
            objects: self.objects.saturating_add(other.objects),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }

    /// The estimate of what was there from what was sampled. An allocation of `size` bytes is sampled
    /// with the probability 1 - exp(-size / rate), and stands for as many as it is improbable.
    fn unsampled(self, rate: i64) -> Self {
        if self.objects == 0 || self.bytes == 0 {
            return Self::default();
        }
        if rate <= 1 {
            return self;
        }
        let size = self.bytes as f64 / self.objects as f64;
        let scale = 1.0 / (1.0 - (-size / rate as f64).exp());
        Self {
            objects: (self.objects as f64 * scale) as i64,
            bytes: (self.bytes as f64 * scale) as i64,
        }
    }
}

/// The numbers of a record, as they stand in the text.
#[derive(Debug, Clone, Copy, Default)]
struct Columns {
    inuse: Allocations,
    alloc: Allocations,
}

impl Columns {
    fn plus(self, other: Self) -> Self {
        Self {
            inuse: self.inuse.plus(other.inuse),
            alloc: self.alloc.plus(other.alloc),
        }
    }

    /// Whether they are the sum of the records. Go may count a byte more.
    fn is_sum(self, sum: Self) -> bool {
        self.inuse == sum.inuse
            && self.alloc.objects == sum.alloc.objects
            && self.alloc.bytes.abs_diff(sum.alloc.bytes) <= 1
    }
}

/// Takes `OBJECTS: BYTES [OBJECTS: BYTES]`: in use, and all.
fn columns(scanner: &mut Scanner<'_>) -> Option<Columns> {
    let inuse = allocations(scanner)?;
    scanner.literal(b" [")?;
    let alloc = allocations(scanner)?;
    scanner.literal(b"]")?;
    Some(Columns { inuse, alloc })
}

fn allocations(scanner: &mut Scanner<'_>) -> Option<Allocations> {
    let objects = scanner.number()?;
    scanner.literal(b": ")?;
    let bytes = scanner.number()?;
    Some(Allocations { objects, bytes })
}

/// The first line of a record.
struct Record {
    columns: Columns,
    /// The number of PCs.
    depth: usize,
}

fn record(text: &[u8]) -> Option<Record> {
    let mut scanner = Scanner(text);
    let columns = columns(&mut scanner)?;
    scanner.literal(b" ")?;
    let depth = scanner.addresses()?;
    Some(Record { columns, depth })
}

/// Adds one record as one sample. Records of one stack differ in their objects' size, on which the
/// scale depends, so they are not merged.
fn add_sample(profile: &mut Profile, stack: &[u64], record: Columns, rate: i64) {
    let alloc = record.alloc.unsampled(rate);
    let inuse = record.inuse.unsampled(rate);
    let values = [alloc.objects, alloc.bytes, inuse.objects, inuse.bytes];
    match record.alloc.bytes.checked_div(record.alloc.objects) {
        Some(size) if record.alloc.objects > 0 && size != 0 => {
            let label = Label::Number {
                name: "bytes",
                number: size,
                unit: "",
            };
            profile.sample(stack, &values, &[label]);
        }
        _ => profile.sample(stack, &values, &[]),
    }
}

/// `runtime.MemStats`.
#[derive(Debug, Default)]
struct MemStats {
    values: BTreeMap<String, String>,
    are_whole: bool,
}

/// Reads the trailer. Its array of the times at which the last 256 pauses ended is left out.
fn mem_stats(
    lines: &mut Lines<impl BufRead>,
    left_out: &mut LeftOut,
) -> Result<MemStats, ParseError> {
    let mut stats = MemStats::default();
    if lines.next()?.is_none() {
        return Ok(stats);
    }
    loop {
        let line = match lines.next() {
            Ok(Some(line)) => stat(line.text).ok_or_else(|| line.damage(NO_STAT)),
            Ok(None) => return Ok(stats),
            Err(error) => Err(error),
        };
        match line {
            Ok((name, value)) => {
                let is_last = LAST_STATS.contains(&name.as_str());
                stats.are_whole |= is_last;
                let is_times = name == "PauseEnd";
                let is_certain = is_last || !lines.is_cut();
                if is_certain && !is_times && stats.values.len() < MOST_STATS {
                    stats.values.insert(name, value);
                }
            }
            Err(ParseError::Damage { .. }) if lines.is_cut() => {}
            Err(error) => left_out.add(error, false)?,
        }
    }
}

/// The name and the value of `# NAME = VALUE`.
fn stat(line: &[u8]) -> Option<(String, String)> {
    let text = str::from_utf8(line).ok()?;
    let (name, value) = text.strip_prefix("# ")?.split_once(" = ")?;
    Some((name.to_owned(), value.to_owned()))
}
