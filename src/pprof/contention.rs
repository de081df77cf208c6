//! block and mutex: `CYCLES COUNT @ PCs` and the stack that waited, or held the lock.
//! `writeProfileInternal` and `printCountCycleProfile`,
//! <https://github.com/golang/go/blob/go1.26.0/src/runtime/pprof/pprof.go>

use std::io::{self, BufRead};

use super::lines::Lines;
use super::parsed::{Parsed, settle};
use super::problem::Stop;
use super::profile::Profile;
use super::scan::{Scan, decimal};
use super::stack::{DEEPEST, Stacks};

/// Reads the text with this name in its header.
pub(super) fn parse(input: impl BufRead, name: &str) -> io::Result<Parsed> {
    settle(read(&mut Lines::new(input), name))
}

fn read(lines: &mut Lines<impl BufRead>, name: &str) -> Result<Parsed, Stop> {
    let count = ("contentions", "count");
    let mut profile = Profile::new(&[count, ("delay", "nanoseconds")], count, 1);
    let cycles_per_nanosecond = header(lines, name)?;
    let mut stacks = Stacks::default();
    // Go says the period of mutexes alone, at once.
    let mut may_say_period = name == "mutex";
    let mut deep = 0;
    while let Some(line) = lines.whole()? {
        if std::mem::take(&mut may_say_period) && line.text.starts_with(b"sampling period=") {
            let Some(comment) = period(line.text) else {
                return Err(line.damage("it is no sampling period"));
            };
            profile.comment(comment);
            continue;
        }
        let Some((cycles, count, depth)) = record(line.text) else {
            return Err(line.damage("it is no record of contention"));
        };
        stacks.read(lines, &mut profile)?;
        let delay = (cycles as f64 / cycles_per_nanosecond) as i64;
        profile.sample(&stacks.last, &[count, delay], &[]);
        deep += u64::from(depth >= DEEPEST);
    }
    let mut parsed = Parsed::whole(profile);
    parsed.note_deep(deep);
    Ok(parsed)
}

/// The two lines of the header. Gives the cycles of a nanosecond.
fn header(lines: &mut Lines<impl BufRead>, name: &str) -> Result<f64, Stop> {
    let Some(line) = lines.whole()? else {
        return Err(lines.end("it is empty"));
    };
    if line.text != format!("--- {name}:").as_bytes() {
        return Err(line.damage(format!("it is no header of {name}")));
    }
    let Some(line) = lines.whole()? else {
        return Err(lines.end("it ends in its header"));
    };
    let cycles = line.text.strip_prefix(b"cycles/second=").and_then(decimal);
    match cycles {
        Some(cycles) if cycles > 0 => Ok(cycles as f64 / 1e9),
        _ => Err(line.damage("it is no number of cycles in a second")),
    }
}

/// Go has multiplied by the sampling period already, so it is only told.
fn period(text: &[u8]) -> Option<&str> {
    let mut scan = Scan(text);
    scan.literal(b"sampling period=")?;
    scan.number()?;
    scan.end()?;
    str::from_utf8(text).ok()
}

fn record(text: &[u8]) -> Option<(i64, i64, usize)> {
    let mut scan = Scan(text);
    let cycles = scan.number()?;
    scan.literal(b" ")?;
    let count = scan.number()?;
    scan.literal(b" ")?;
    let depth = scan.addresses()?;
    Some((cycles, count, depth))
}
