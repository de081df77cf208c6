//! heap and allocs, whose texts are alike: live and all allocations of each stack, sampled.
//! `writeHeapInternal`, <https://github.com/golang/go/blob/go1.26.0/src/runtime/pprof/pprof.go>

use std::collections::BTreeMap;
use std::io::{self, BufRead};

use super::parsed::{ParseError, Parsed, accept_damage};
use super::profile::{Label, Profile, ValueType};
use super::stack::{DEEPEST, StackReader};
use super::text::{Lines, Scanner};

/// The most statistics that are kept. Go 1.26 writes 25.
const MOST_STATS: usize = 100;

/// The last of the statistics that every Go writes.
const LAST_STAT: &str = "DebugGC";

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
    let mut stacks = StackReader::default();
    let mut deep = 0;
    loop {
        let Some(line) = lines.next()? else {
            return Err(lines.damage_at_end("it ends before runtime.MemStats"));
        };
        if line.text.is_empty() {
            break;
        }
        let Some(record) = record(line.text) else {
            return Err(line.damage("it is no record of allocations"));
        };
        stacks.read(lines, &mut profile)?;
        add_sample(&mut profile, &stacks.last, record.columns, rate);
        sum = sum.plus(record.columns);
        deep += u64::from(record.depth >= DEEPEST);
    }
    if !total.is_sum(sum) {
        return Err(lines.damage_at_end("its records are not all that its header counts"));
    }
    let mut parsed = Parsed::understood(profile);
    parsed.mem_stats = mem_stats(lines)?;
    parsed.note_deep(deep);
    Ok(parsed)
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

/// Reads the trailer. Its two arrays of the last 256 pauses are left out.
fn mem_stats(lines: &mut Lines<impl BufRead>) -> Result<BTreeMap<String, String>, ParseError> {
    let mut stats = BTreeMap::new();
    let Some(title) = lines.next()? else {
        return Err(lines.damage_at_end("it ends before runtime.MemStats"));
    };
    if title.text != b"# runtime.MemStats" {
        return Err(title.damage("it is not the header of runtime.MemStats"));
    }
    while let Some(line) = lines.next()? {
        let text = str::from_utf8(line.text).ok();
        let stat = text.and_then(|text| text.strip_prefix("# ")?.split_once(" = "));
        let Some((name, value)) = stat.filter(|_| stats.len() < MOST_STATS) else {
            return Err(line.damage("it is no line of runtime.MemStats"));
        };
        if !matches!(name, "PauseNs" | "PauseEnd") {
            stats.insert(name.to_owned(), value.to_owned());
        }
    }
    if !stats.contains_key(LAST_STAT) {
        return Err(lines.damage_at_end("it ends before runtime.MemStats"));
    }
    Ok(stats)
}
