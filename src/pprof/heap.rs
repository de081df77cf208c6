//! heap and allocs, whose texts are alike: live and all allocations of each stack, sampled.
//! `writeHeapInternal`, <https://github.com/golang/go/blob/go1.26.0/src/runtime/pprof/pprof.go>

use std::collections::BTreeMap;
use std::io::{self, BufRead};

use super::lines::Lines;
use super::parsed::{Parsed, settle};
use super::problem::Stop;
use super::profile::{Label, Profile};
use super::scan::Scan;
use super::stack::{DEEPEST, Stacks};

/// The most statistics that are kept. Go 1.26 writes 25.
const MOST_STATS: usize = 100;

/// Of those that every Go writes, the last.
const LAST_STAT: &str = "DebugGC";

/// Reads the text into a profile that shows this value first.
pub(super) fn parse(input: impl BufRead, default: &str) -> io::Result<Parsed> {
    settle(read(&mut Lines::new(input), default))
}

fn read(lines: &mut Lines<impl BufRead>, default: &str) -> Result<Parsed, Stop> {
    let (rate, total) = header(lines)?;
    let mut sum = Columns::default();
    let mut profile = empty(rate, default);
    let mut stacks = Stacks::default();
    let mut deep = 0;
    loop {
        let Some(line) = lines.whole()? else {
            return Err(lines.end("it ends before runtime.MemStats"));
        };
        if line.text.is_empty() {
            break;
        }
        let Some((record, depth)) = record(line.text) else {
            return Err(line.damage("it is no record of allocations"));
        };
        stacks.read(lines, &mut profile)?;
        add(&mut profile, &stacks.last, record, rate);
        sum = sum.plus(record);
        deep += u64::from(depth >= DEEPEST);
    }
    if !total.is(sum) {
        return Err(lines.end("its records are not all that its header counts"));
    }
    let mut parsed = Parsed::whole(profile);
    parsed.mem_stats = mem_stats(lines)?;
    parsed.note_deep(deep);
    Ok(parsed)
}

fn empty(rate: i64, default: &str) -> Profile {
    let values = [
        ("alloc_objects", "count"),
        ("alloc_space", "bytes"),
        ("inuse_objects", "count"),
        ("inuse_space", "bytes"),
    ];
    let mut profile = Profile::new(&values, ("space", "bytes"), rate);
    profile.default_sample_type(default);
    profile
}

/// The real rate, which is half the header's, and what the records come to.
fn header(lines: &mut Lines<impl BufRead>) -> Result<(i64, Columns), Stop> {
    let Some(line) = lines.whole()? else {
        return Err(lines.end("it is empty"));
    };
    let header = |text| {
        let mut scan = Scan(text);
        scan.literal(b"heap profile: ")?;
        let total = columns(&mut scan)?;
        scan.literal(b" @ heap/")?;
        let rate = scan.number()?;
        scan.end().map(|()| (rate / 2, total))
    };
    header(line.text).ok_or_else(|| line.damage("it is no header of a heap profile"))
}

/// What a record counts, as it stands in the text.
#[derive(Debug, Clone, Copy, Default)]
struct Columns {
    inuse: (i64, i64),
    alloc: (i64, i64),
}

impl Columns {
    fn plus(self, other: Self) -> Self {
        let plus =
            |(a, b): (i64, i64), (c, d): (i64, i64)| (a.saturating_add(c), b.saturating_add(d));
        Self {
            inuse: plus(self.inuse, other.inuse),
            alloc: plus(self.alloc, other.alloc),
        }
    }

    /// Whether they are the sum of the records. Go may count a byte more.
    fn is(self, sum: Self) -> bool {
        let (objects, bytes) = self.alloc;
        self.inuse == sum.inuse && objects == sum.alloc.0 && bytes.abs_diff(sum.alloc.1) <= 1
    }
}

/// `OBJECTS: BYTES [OBJECTS: BYTES]`: in use, and all.
fn columns(scan: &mut Scan<'_>) -> Option<Columns> {
    let pair = |scan: &mut Scan<'_>| {
        let objects = scan.number()?;
        scan.literal(b": ")?;
        Some((objects, scan.number()?))
    };
    let inuse = pair(scan)?;
    scan.literal(b" [")?;
    let alloc = pair(scan)?;
    scan.literal(b"]")?;
    Some(Columns { inuse, alloc })
}

fn record(text: &[u8]) -> Option<(Columns, usize)> {
    let mut scan = Scan(text);
    let columns = columns(&mut scan)?;
    scan.literal(b" ")?;
    let depth = scan.addresses()?;
    Some((columns, depth))
}

/// Adds one record as one sample. Records of one stack differ in their objects' size, on which the
/// scale depends, so they are not merged.
fn add(profile: &mut Profile, stack: &[u64], record: Columns, rate: i64) {
    let (alloc_objects, alloc_bytes) = unsampled(record.alloc, rate);
    let (inuse_objects, inuse_bytes) = unsampled(record.inuse, rate);
    let values = [alloc_objects, alloc_bytes, inuse_objects, inuse_bytes];
    let (objects, bytes) = record.alloc;
    match bytes.checked_div(objects) {
        Some(size) if objects > 0 && size != 0 => {
            profile.sample(stack, &values, &[Label::Number("bytes", size, "")]);
        }
        _ => profile.sample(stack, &values, &[]),
    }
}

/// Estimates what was there from what was sampled. An allocation of `size` bytes is sampled with
/// the probability 1 - exp(-size / rate), and stands for as many as it is improbable.
fn unsampled((objects, bytes): (i64, i64), rate: i64) -> (i64, i64) {
    if objects == 0 || bytes == 0 {
        return (0, 0);
    }
    if rate <= 1 {
        return (objects, bytes);
    }
    let size = bytes as f64 / objects as f64;
    let scale = 1.0 / (1.0 - (-size / rate as f64).exp());
    (
        (objects as f64 * scale) as i64,
        (bytes as f64 * scale) as i64,
    )
}

/// The trailer, without its two arrays of the last 256 pauses.
fn mem_stats(lines: &mut Lines<impl BufRead>) -> Result<BTreeMap<String, String>, Stop> {
    let mut stats = BTreeMap::new();
    let Some(line) = lines.whole()? else {
        return Err(lines.end("it ends before runtime.MemStats"));
    };
    if line.text != b"# runtime.MemStats" {
        return Err(line.damage("it is not the header of runtime.MemStats"));
    }
    while let Some(line) = lines.whole()? {
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
        return Err(lines.end("it ends before runtime.MemStats"));
    }
    Ok(stats)
}
