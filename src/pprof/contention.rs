//! block and mutex: `CYCLES COUNT @ PCs` and the stack that waited, or held the lock.
//! `writeProfileInternal` and `printCountCycleProfile`,
//! <https://github.com/golang/go/blob/go1.26.0/src/runtime/pprof/pprof.go>

use std::io::{self, BufRead};

use super::parsed::{ParseError, Parsed, accept_damage};
use super::profile::{Profile, ValueType};
use super::stack::{DEEPEST, StackReader};
use super::text::{Lines, Scanner, decimal};

/// Parses a text of block or mutex, with this name in its header.
///
/// # Errors
/// The input cannot be read.
pub(super) fn parse(input: impl BufRead, name: &str) -> io::Result<Parsed> {
    accept_damage(read(&mut Lines::new(input), name))
}

fn read(lines: &mut Lines<impl BufRead>, name: &str) -> Result<Parsed, ParseError> {
    let contentions = ValueType {
        name: "contentions",
        unit: "count",
    };
    let delay = ValueType {
        name: "delay",
        unit: "nanoseconds",
    };
    let mut profile = Profile::new(&[contentions, delay], contentions, 1);
    let cycles_per_nanosecond = header(lines, name)?;
    let mut stacks = StackReader::default();
    // Go says the period of mutexes alone, at once.
    let mut may_say_period = name == "mutex";
    let mut deep = 0;
    while let Some(line) = lines.next()? {
        if std::mem::take(&mut may_say_period) && line.text.starts_with(b"sampling period=") {
            let Some(comment) = period(line.text) else {
                return Err(line.damage("it is no sampling period"));
            };
            profile.comment(comment);
            continue;
        }
        let Some(record) = record(line.text) else {
            return Err(line.damage("it is no record of contention"));
        };
        stacks.read(lines, &mut profile)?;
        let nanoseconds = (record.cycles as f64 / cycles_per_nanosecond) as i64;
        profile.sample(&stacks.last, &[record.contentions, nanoseconds], &[]);
        deep += u64::from(record.depth >= DEEPEST);
    }
    let mut parsed = Parsed::understood(profile);
    parsed.note_deep(deep);
    Ok(parsed)
}

/// Reads the two lines of the header. Gives the cycles of a nanosecond.
fn header(lines: &mut Lines<impl BufRead>, name: &str) -> Result<f64, ParseError> {
    let Some(title) = lines.next()? else {
        return Err(lines.damage_at_end("it is empty"));
    };
    if title.text != format!("--- {name}:").as_bytes() {
        return Err(title.damage(format!("it is no header of {name}")));
    }
    let Some(line) = lines.next()? else {
        return Err(lines.damage_at_end("it ends in its header"));
    };
    let cycles = line.text.strip_prefix(b"cycles/second=").and_then(decimal);
    match cycles {
        Some(cycles) if cycles > 0 => Ok(cycles as f64 / 1e9),
        _ => Err(line.damage("it is no number of cycles in a second")),
    }
}

/// The sampling period, as a comment: Go has multiplied the records by it already.
fn period(text: &[u8]) -> Option<&str> {
    let mut scanner = Scanner(text);
    scanner.literal(b"sampling period=")?;
    scanner.number()?;
    scanner.end()?;
    str::from_utf8(text).ok()
}

/// The first line of a record.
struct Record {
    cycles: i64,
    contentions: i64,
    /// The number of PCs.
    depth: usize,
}

fn record(text: &[u8]) -> Option<Record> {
    let mut scanner = Scanner(text);
    let cycles = scanner.number()?;
    scanner.literal(b" ")?;
    let contentions = scanner.number()?;
    scanner.literal(b" ")?;
    let depth = scanner.addresses()?;
    Some(Record {
        cycles,
        contentions,
        depth,
    })
}
