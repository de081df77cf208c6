//! block and mutex: `CYCLES COUNT @ PCs` and the stack that waited, or held the lock.
//! `writeProfileInternal` and `printCountCycleProfile`,
//! <https://github.com/golang/go/blob/go1.26.0/src/runtime/pprof/pprof.go>

use std::io::{self, BufRead};

use super::parsed::{Ending, ParseError, Parsed, accept_damage};
use super::profile::{Profile, ValueType};
use super::records::Records;
use super::scanner::{Scanner, decimal};
use super::stack::{CUT, DEEPEST};
use super::text::Lines;

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
    // Go says the period of mutexes alone, at once.
    if name == "mutex" {
        period(lines, &mut profile)?;
    }
    let mut records = Records::default();
    let mut deep = 0;
    let otherwise = "it is no record of contention";
    while let Some(record) = records.next(lines, &mut profile, record, otherwise)? {
        let nanoseconds = (record.cycles as f64 / cycles_per_nanosecond) as i64;
        let values = [record.contentions, nanoseconds];
        profile.sample(&records.stacks.last, &values, &[]);
        deep += u64::from(record.depth >= DEEPEST);
    }
    let ends = if records.stacks.is_cut || lines.is_cut() {
        Ending::Early(CUT)
    } else {
        Ending::Whole
    };
    let mut parsed = Parsed::understood(profile);
    parsed.note_deep(deep);
    records.stacks.note_bare(&mut parsed);
    parsed.lacking(records.left_out, records.read, ends)
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
        _ if lines.is_cut() => Err(lines.damage_at_end("it ends in the middle of a line")),
        Some(cycles) if cycles > 0 => Ok(cycles as f64 / 1e9),
        _ => Err(lines.damage_at_end("it is no number of cycles in a second")),
    }
}

/// Reads the sampling period, if it comes next, and makes it a comment: Go has multiplied the records by
/// it already.
fn period(lines: &mut Lines<impl BufRead>, profile: &mut Profile) -> Result<(), ParseError> {
    let Some(line) = lines.next()? else {
        return Ok(());
    };
    if !line.text.starts_with(b"sampling period=") {
        lines.again();
        return Ok(());
    }
    let mut scanner = Scanner(line.text);
    let number = scanner.literal(b"sampling period=").and(scanner.number());
    let is_period = number.is_some() && scanner.end().is_some();
    let text = str::from_utf8(line.text).ok().filter(|_| is_period);
    let text = text.ok_or_else(|| line.damage("it is no sampling period"))?;
    profile.comment(text);
    Ok(())
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
