//! `convert`: gives names to the profiles that upstream's program, vmspawn or an older run left.

mod dest;
mod fault;
mod source;
mod tally;

use std::io::{self, Write};
use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};

use dest::Dest;
use fault::Fault;
use source::{Found, Source};
use tally::Tally;

use crate::outcome::ExitCode;

/// Fits 80 columns.
const BAR: &str = "converting {wide_bar} {bytes}/{total_bytes}";

/// Converts what is in `source` into `dest`, which it makes.
pub(super) fn run(source: &Path, dest: &Path, keep_originals: bool) -> ExitCode {
    let mut tally = Tally::default();
    let result = convert(source, (dest, keep_originals), &mut tally);
    if result.is_ok() || !tally.is_empty() {
        // Whoever reads it may have gone; what was done is done.
        let _ = write!(io::stdout().lock(), "{tally}");
    }
    match result {
        Ok(()) if tally.is_whole() => ExitCode::Complete,
        Ok(()) => ExitCode::Finding,
        Err(fault) => {
            eprintln!("{fault}");
            fault.code()
        }
    }
}

fn convert(
    source: &Path,
    (dest, keep_originals): (&Path, bool),
    tally: &mut Tally,
) -> Result<(), Fault> {
    let source = Source::open(source)?;
    let dest = Dest::make(dest, keep_originals)?;
    let bar = ProgressBar::new(source.bytes());
    let style = ProgressStyle::with_template(BAR).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.set_style(style.progress_chars("=> "));
    let result = source.each(&bar, |found| {
        match found {
            Found::File(path, content) => dest.take(&path, content, tally)?,
            Found::Refused(name, why) => tally.refused(&name, why),
            Found::Unreadable(name, why) => tally.unreadable(&name, why),
        }
        Ok(())
    });
    bar.finish_and_clear();
    result
}
