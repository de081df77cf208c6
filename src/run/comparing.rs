//! The comparison of a run with those before it, once its archive is shipped and before its manifest is written. Nothing
//! that fails here is a fault of the run: its manifest says why it was not compared.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use tokio::time::sleep;

use super::context::Context;
use super::outcome::after_comparison;
use super::phase_results::Finished;
use crate::destination::Destination;
use crate::diff::{Diff, before, diff, note};
use crate::manifest::Manifest;
use crate::verdict::Rules;

/// What became of the comparison that a run was asked for.
pub(super) type Compared = Result<Diff, String>;

/// Compares a run with those before it, by its manifest as it is so far, for as long as there is time and nobody tells
/// the run to stop. `None` where that was not asked for.
pub(super) async fn compare(context: &Context, manifest: &Manifest) -> Option<Compared> {
    context.config.compare?;
    let longest = context.cluster.connection.limits.compare;
    let work = AssertUnwindSafe(try_to_compare(context, manifest)).catch_unwind();
    let compared = tokio::select! {
        biased;
        request = context.shutdown.requested() => Err(request.why().to_owned()),
        () = sleep(longest) => Err(format!("it took longer than {longest:?} to read the runs before")),
        compared = Box::pin(work) => {
            compared.unwrap_or_else(|_| Err("a defect in this program".to_owned()))
        }
    };
    match compared.as_ref().map(note) {
        Ok(of) if of.is_confirmed_regression() => {
            tracing::warn!(earlier_runs = of.earlier_runs, "compared: {}", of.summary);
        }
        Ok(of) => tracing::info!(earlier_runs = of.earlier_runs, "compared: {}", of.summary),
        Err(why) => tracing::warn!("not compared with the runs before: {why}"),
    }
    Some(compared)
}

async fn try_to_compare(context: &Context, manifest: &Manifest) -> Compared {
    let places: Vec<Destination> = context.destinations().cloned().collect();
    let rules = Rules::default();
    let history = before(&places, manifest, &rules).await;
    let history = history.map_err(|error| error.to_string())??;
    Ok(diff(history, &rules))
}

/// How a run ends that was compared with those before it, which its manifest says.
pub(super) fn finish_compared(
    context: &Context,
    finished: Finished,
    compared: Option<&Compared>,
    manifest: &mut Manifest,
) -> Finished {
    let comparison = match compared {
        Some(Ok(diff)) => note(diff),
        Some(Err(why)) => {
            manifest.not_compared = Some(why.clone());
            return finished;
        }
        None => return finished,
    };
    let config = context.config.compare;
    let fails = config.is_some_and(|config| config.fail_on_regression);
    let (code, reason) = after_comparison(finished.code, &finished.reason, &comparison, fails);
    manifest.exit_code = code.number();
    manifest.reason.clone_from(&reason);
    manifest.comparison = Some(comparison.clone());
    Finished {
        is_final: finished.is_final || code.is_final(),
        code,
        reason,
        comparison: Some(comparison),
        ..finished
    }
}
