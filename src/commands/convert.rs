//! `convert`: gives names to the profiles that upstream's program, vmspawn or an older run left.

mod bounds;
mod output;
mod source;
mod summary;

use std::io::{self, Write};
use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};

pub use bounds::Bounds;
pub(super) use bounds::Meter;
use output::Output;
use source::{Found, Source};
use summary::{ConvertError, Summary};

use crate::outcome::ExitCode;
use crate::run::status::log::complain;

/// The progress bar. It fits 80 columns.
const BAR: &str = "converting {wide_bar} {bytes}/{total_bytes}";

/// Converts what is in `source` into `output`, a directory which it makes, as far as the meter lets it, and
/// prints the summary.
pub(super) fn run(source: &Path, output: &Path, keep_originals: bool, meter: Meter) -> ExitCode {
    let mut summary = Summary::default();
    let result = convert(source, output, keep_originals, &meter, &mut summary);
    if result.is_ok() || !summary.is_empty() {
        // Whoever reads it may have gone; what was done is done.
        let _ = write!(io::stdout().lock(), "{summary}");
    }
    match result {
        Ok(()) if summary.is_whole() => ExitCode::Complete,
        Ok(()) => ExitCode::Finding,
        Err(error) => {
            complain(&error);
            error.exit_code()
        }
    }
}

fn convert(
    source: &Path,
    output: &Path,
    keep_originals: bool,
    meter: &Meter,
    summary: &mut Summary,
) -> Result<(), ConvertError> {
    let source = Source::open(source, meter)?;
    let output = Output::make(output, keep_originals)?;
    let bar = ProgressBar::new(source.bytes());
    let style = ProgressStyle::with_template(BAR).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.set_style(style.progress_chars("=> "));
    let result = source.each(&bar, meter, |found| {
        match found {
            Found::File(file) => output.take(file, summary)?,
            Found::Skipped(name, why) => summary.skipped(&name, why),
            Found::Unreadable(name, why) => summary.unreadable(&name, why),
        }
        Ok(())
    });
    bar.finish_and_clear();
    result
}
