//! Log lines on standard output: JSON for machines, text for a terminal.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;

/// kube logs as an error what this program tries again.
const FILTER: &str = "info,kube_client=off";

/// Begins logging. A second call in one process changes nothing.
pub(super) fn init(format: Option<LogFormat>) {
    let terminal = std::io::stdout().is_terminal();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(FILTER));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false);
    let text = match format {
        Some(LogFormat::Text) => true,
        Some(LogFormat::Json) => false,
        None => terminal,
    };
    let begun = if text {
        lines.with_ansi(terminal).try_init()
    } else {
        lines.json().flatten_event(true).try_init()
    };
    if begun.is_err() {
        tracing::debug!("logging had begun already");
    }
}
