//! Window: profiling is on, until the time, the stop file or a request to stop ends it.

use std::time::Duration;

use humantime::format_duration;

use crate::run::context::Context;
use crate::run::outcome::Fault;
use crate::run::phase_results::{Started, WindowOver};
use crate::run::snapshots;
use crate::run::status::signal_files;
use crate::run::vmis;
use crate::window::{self, WindowEnd};

/// Says that profiling is on, and waits for the window's end. A window that is over before it opens is
/// not told of.
///
/// # Errors
/// The ready file cannot be written.
pub(in crate::run) async fn wait(context: &Context, started: Started) -> Result<WindowOver, Fault> {
    let end = match context.shutdown.request() {
        Some(request) => WindowEnd {
            by: request.by,
            workload_exit_code: None,
        },
        None => wait_for_end(context, &started).await?,
    };
    Ok(WindowOver {
        started,
        end,
        stopped: None,
        died_dumping: None,
        warnings: Vec::new(),
    })
}

async fn wait_for_end(context: &Context, started: &Started) -> Result<WindowEnd, Fault> {
    let config = &context.config;
    signal_files::write_ready(&config.signals)?;
    let longest = longest(context);
    tracing::info!(longest = %format_duration(longest), "profiling is on");
    context.progress.show_window(longest);
    let told = async { context.shutdown.requested().await.by };
    let enough = vmis::until_running(context, started.vmis.as_ref());
    Ok(tokio::select! {
        end = window::wait_for_end(&config.window, &config.signals.stop, enough, told) => end,
        never = snapshots::take(context, &started.expected, started.since) => match never {},
    })
}

/// How long the window can last, as far as is known when it opens.
fn longest(context: &Context) -> Duration {
    let window = &context.config.window;
    if window.settles_from_the_beginning() {
        window.settle
    } else {
        window.max
    }
}
