//! threadcreate: `COUNT @ PCs` and the stack that made so many threads.
//! `printCountProfile`, <https://github.com/golang/go/blob/go1.26.0/src/runtime/pprof/pprof.go>

use std::io::{self, BufRead};

use super::lines::Lines;
use super::parsed::{Parsed, settle};
use super::problem::Stop;
use super::profile::Profile;
use super::scan::Scan;
use super::stack::Stacks;

/// Reads the text.
pub(super) fn parse(input: impl BufRead) -> io::Result<Parsed> {
    settle(read(&mut Lines::new(input)))
}

fn read(lines: &mut Lines<impl BufRead>) -> Result<Parsed, Stop> {
    let value = ("threadcreate", "count");
    let mut profile = Profile::new(&[value], value, 1);
    let total = total(lines)?;
    let mut threads: i64 = 0;
    let mut stacks = Stacks::default();
    while let Some(line) = lines.whole()? {
        let Some(count) = record(line.text) else {
            return Err(line.damage("it is no record of threads"));
        };
        stacks.read(lines, &mut profile)?;
        profile.sample(&stacks.last, &[count], &[]);
        threads = threads.saturating_add(count);
    }
    if threads != total {
        return Err(lines.end(format!("it has {threads} of {total} threads")));
    }
    Ok(Parsed::whole(profile))
}

fn total(lines: &mut Lines<impl BufRead>) -> Result<i64, Stop> {
    let Some(line) = lines.whole()? else {
        return Err(lines.end("it is empty"));
    };
    let header = |text| {
        let mut scan = Scan(text);
        scan.literal(b"threadcreate profile: total ")?;
        let total = scan.number()?;
        scan.end().map(|()| total)
    };
    header(line.text).ok_or_else(|| line.damage("it is no header of a threadcreate profile"))
}

fn record(text: &[u8]) -> Option<i64> {
    let mut scan = Scan(text);
    let count = scan.number()?;
    scan.literal(b" ")?;
    scan.addresses().map(|_| count)
}
