//! threadcreate: `COUNT @ PCs` and the stack that made so many threads.
//! `printCountProfile`, <https://github.com/golang/go/blob/go1.26.0/src/runtime/pprof/pprof.go>

use std::io::{self, BufRead};

use super::parsed::{Ending, ParseError, Parsed, accept_damage};
use super::profile::{Profile, ValueType};
use super::records::Records;
use super::scanner::Scanner;
use super::stack::CUT;
use super::text::Lines;

/// Parses a text of threadcreate.
///
/// # Errors
/// The input cannot be read.
pub(super) fn parse(input: impl BufRead) -> io::Result<Parsed> {
    accept_damage(read(&mut Lines::new(input)))
}

fn read(lines: &mut Lines<impl BufRead>) -> Result<Parsed, ParseError> {
    let value = ValueType {
        name: "threadcreate",
        unit: "count",
    };
    let mut profile = Profile::new(&[value], value, 1);
    let total = header(lines)?;
    let mut threads: i64 = 0;
    let mut records = Records::default();
    let otherwise = "it is no record of threads";
    while let Some(count) = records.next(lines, &mut profile, record, otherwise)? {
        profile.sample(&records.stacks.last, &[count], &[]);
        threads = threads.saturating_add(count);
    }
    let is_cut = records.stacks.is_cut || lines.is_cut();
    let lacks_threads = threads != total && records.left_out.is_none();
    if lacks_threads && !(is_cut && records.read > 0) {
        return Err(lines.damage_at_end(format!("it has {threads} of {total} threads")));
    }
    let ends = if threads != total && is_cut {
        Ending::Early(CUT)
    } else {
        Ending::Whole
    };
    let mut parsed = Parsed::understood(profile);
    records.stacks.note_bare(&mut parsed);
    parsed.note_cut(is_cut);
    parsed.lacking(records.left_out, records.read, ends)
}

/// Reads the header, which has the number of all threads.
fn header(lines: &mut Lines<impl BufRead>) -> Result<i64, ParseError> {
    let Some(line) = lines.next()? else {
        return Err(lines.damage_at_end("it is empty"));
    };
    let total = |text| {
        let mut scanner = Scanner(text);
        scanner.literal(b"threadcreate profile: total ")?;
        let total = scanner.number()?;
        scanner.end().map(|()| total)
    };
    total(line.text).ok_or_else(|| line.damage("it is no header of a threadcreate profile"))
}

/// The number of threads in `COUNT @ PCs`.
fn record(text: &[u8]) -> Option<i64> {
    let mut scanner = Scanner(text);
    let count = scanner.number()?;
    scanner.literal(b" ")?;
    scanner.addresses().map(|_| count)
}
