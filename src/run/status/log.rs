//! Log lines on standard output: JSON for machines, text for a terminal, where a bar may be drawn. And the lines
//! that commands print.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::LazyLock;

use indicatif::MultiProgress;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use tracing::Level;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::LogFormat;
use crate::errors::plain_lines;

/// The default filter. kube logs as errors what this program tries again.
const FILTER: &str = "info,kube_client=off";

/// Modules that log requests as they are at the finest level, with tokens in them. Nobody gets to see that.
const TELLTALES: [&str; 2] = ["aws_sigv4", "aws_smithy_runtime"];

/// The bars on the terminal. Log lines are written through them, for both share the terminal.
pub(super) static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// Begins logging, and says whether a person watches. A second call in one process changes nothing.
pub(crate) fn init(format: Option<LogFormat>, filter: Option<&str>) -> bool {
    let terminal = io::stdout().is_terminal();
    let filter = EnvFilter::new(filter.unwrap_or(FILTER));
    let discreet = filter_fn(|event| {
        let tells = || TELLTALES.iter().any(|of| event.target().starts_with(of));
        *event.level() != Level::TRACE || !tells()
    });
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        // Its own complaint about a line it could not write is a panic where stderr is closed.
        .log_internal_errors(false)
        .with_writer(|| Lines);
    let text = format.map_or(terminal, |format| format == LogFormat::Text);
    let begun = if text {
        let lines = lines.with_timer(TimeOfDay).with_ansi(terminal);
        lines.finish().with(discreet).try_init()
    } else {
        let lines = lines.json().flatten_event(true);
        lines.finish().with(discreet).try_init()
    };
    if begun.is_err() {
        tracing::debug!("logging had begun already");
    }
    text && terminal && io::stderr().is_terminal()
}

/// Prints a line, or some, with control characters written out: a path or an argument may have any. Whoever reads the
/// output may have gone, which is no fault of what was done.
pub(crate) fn say(line: impl fmt::Display) {
    let line = plain_lines(&line.to_string());
    let _ = writeln!(io::stdout().lock(), "{line}");
}

/// Prints a line to the standard error, in the same way.
pub(crate) fn complain(line: impl fmt::Display) {
    let line = plain_lines(&line.to_string());
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Prints a whole text. Whoever closes the output has seen enough of it.
///
/// # Errors
/// It cannot be written.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        printed => printed,
    }
}

/// The time of day, in UTC: for a person, who knows the day.
struct TimeOfDay;

impl FormatTime for TimeOfDay {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let now = Timestamp::now().to_zoned(TimeZone::UTC);
        write!(writer, "{}", now.strftime("%H:%M:%SZ"))
    }
}

/// Writes lines above the bars.
struct Lines;

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        BARS.suspend(|| io::stdout().write(line))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush()
    }
}
