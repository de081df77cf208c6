//! `convert`: gives names to the profiles that upstream's program, vmspawn or an older run left.

mod bounds;
mod conversions;
mod output;
mod source;
mod summary;

use std::io::{self, Write};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};

pub use bounds::Bounds;
pub(super) use bounds::Meter;
use conversions::Conversions;
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
    let begun = Instant::now();
    let mut summary = Summary::default();
    let result = convert(source, output, keep_originals, &meter, &mut summary);
    if result.is_ok() || !summary.is_empty() {
        // Whoever reads it may have gone; what was done is done.
        let _ = write!(io::stdout().lock(), "{summary}");
    }
    // Beside the results, which are the same each time.
    if summary.text_bytes > 0 {
        complain(speed(summary.text_bytes, begun.elapsed()));
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

/// Copies what is there, one after another, and converts profiles beside that.
fn convert(
    root: &Path,
    output: &Path,
    keep_originals: bool,
    meter: &Meter,
    summary: &mut Summary,
) -> Result<(), ConvertError> {
    let source = Source::open(root, meter)?;
    let output = Output::make(output, keep_originals)?;
    let bar = ProgressBar::new(source.bytes());
    let style = ProgressStyle::with_template(BAR).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.set_style(style.progress_chars("=> "));
    let result = thread::scope(|scope| {
        let mut conversions = Conversions::new(scope, root, &output, meter.stop());
        let read = source.each(&bar, meter, |found| {
            match found {
                Found::File(file) => {
                    conversions.make_way(&file.name, summary)?;
                    if let Some(profile) = output.take(file, summary)? {
                        conversions.begin(profile)?;
                    }
                }
                Found::Skipped(name, why) => summary.skipped(&name, why),
                Found::Unreadable(name, why) => summary.unreadable(&name, why),
            }
            Ok(())
        });
        // Those that go on were begun before whatever ended the reading.
        conversions.end(summary).and(read)
    });
    bar.finish_and_clear();
    result
}

/// How fast so many bytes of text became profiles.
fn speed(bytes: u64, time: Duration) -> String {
    let seconds = time.as_secs_f64().max(f64::EPSILON);
    let a_second = HumanBytes((bytes as f64 / seconds) as u64);
    let bytes = HumanBytes(bytes);
    format!("{bytes} of text in {seconds:.1} s: {a_second}/s")
}
