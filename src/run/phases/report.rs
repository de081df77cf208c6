//! Report: the run is compared with those before it, its page and then its manifest are written, and earlier runs that
//! are not to be kept are removed.

use std::io;

use tokio::time::{sleep, timeout};

use crate::config::{RunFile, RunId};
use crate::destination::{Destination, Found};
use crate::limits::{ADVICE_WAIT, REMOVAL};
use crate::manifest::{Manifest, PhaseSeconds};
use crate::run::comparing::{compare, finish_compared};
use crate::run::context::{Context, Target};
use crate::run::outcome::Fault;
use crate::run::phase_results::{Dumped, Finished, Restored, Stopped};
use crate::run::report_page::ReportPage;
use crate::run::run_manifest::{finish, finish_later, manifest};
use crate::run::{report_shipping, retention};

/// Vouches for an archive before the gate is put back, which may take minutes. An attempt that dies meanwhile has shipped
/// what it dumped. The manifest is written again at the run's end.
///
/// # Errors
/// The destination failed.
pub(in crate::run) async fn vouch(
    context: &Context,
    stopped: &Stopped,
    dumped: &Dumped,
    target: &Target<'_>,
    phases: Vec<PhaseSeconds>,
) -> Result<(), Fault> {
    let is_switched = context.cluster.last_change().is_some();
    // A run that was told to stop puts the gate back only shortly before its manifest.
    if dumped.kept.is_some() || !is_switched || context.shutdown.is_requested() {
        return Ok(());
    }
    let finished = finish_later(context, stopped, dumped);
    let mut manifest = manifest(context, stopped, dumped.clone(), &finished, target, phases)?;
    manifest.gate.after = true;
    let put = Box::pin(put(target.destination, &dumped.run_id, &manifest));
    tokio::select! {
        written = put => written,
        // The gate needs the rest.
        () = context.shutdown.share_is_over(2) => Ok(()),
    }
}

/// Compares the run, if that is wanted, writes the page, if one is wanted and can be made, and then the manifest: from
/// here on the archive can be trusted. Only then earlier runs are removed.
///
/// # Errors
/// The destination failed, or the run was told to stop and has no time left.
pub(in crate::run) async fn report(
    context: &Context,
    stopped: &Stopped,
    restored: Restored,
    target: &Target<'_>,
    phases: Vec<PhaseSeconds>,
) -> Result<Finished, Fault> {
    let finished = finish(context, stopped, &restored, target);
    let kept = restored.dumped.kept.as_ref().map(|kept| kept.place.clone());
    let run = restored.dumped.run_id.clone();
    let page = restored.dumped.page.clone();
    let may_have_stale_page = restored.dumped.may_have_stale_page;
    let mut manifest = manifest(context, stopped, restored.dumped, &finished, target, phases)?;
    let compared = Box::pin(compare(context, &manifest)).await;
    let finished = finish_compared(context, finished, compared.as_ref(), &mut manifest);
    let destination = kept.as_ref().unwrap_or(target.destination);
    let comparison = compared.and_then(Result::ok);
    let shipping = report_shipping::ship(context, &page, destination, &run, manifest, comparison);
    let mut manifest = shipping.await?;
    if kept.is_none() {
        manifest.peak_memory_bytes = peak_memory();
    }
    if may_have_stale_page && manifest.report.is_none() {
        let stays = report_shipping::remove_stale(destination, &run).await;
        manifest.warnings.extend(stays);
    }
    let write = write(context, destination, &run, manifest, &page);
    let written = Box::pin(context.shutdown.within(write)).await;
    match written.map_err(Fault::no_time_to_ship)? {
        // The place that failed has more than there is at the fallback.
        Err(fault) if kept.is_some() && target.fallback_reason.is_some() => {
            tracing::warn!(%fault, "the manifest stays as an earlier attempt wrote it");
        }
        written => written?,
    }
    if context.cluster.lease.is_held() {
        // The archive is whole without it, and a next attempt would do it.
        let removed = remove_unfinished(context, destination);
        let _is_late = Box::pin(context.shutdown.within(removed)).await;
    }
    Ok(finished)
}

/// Removes uploads that nobody finishes any more: this attempt's, and at the run's other places those of attempts that
/// were killed. For the latter a run that was told to stop has no time.
async fn remove_unfinished(context: &Context, destination: &Destination) {
    destination.abort_unanswered().await;
    let elsewhere = async {
        for place in context.other_destinations(destination) {
            place.abort_left(&context.config.run_id).await;
        }
    };
    tokio::select! {
        biased;
        _ = context.shutdown.requested() => {}
        _ = timeout(ADVICE_WAIT, elsewhere) => {}
    }
}

/// Writes the manifest of a run that was told to stop once more, after it has put back what it had left for
/// later. Should that fail, the first one stays.
///
/// # Errors
/// The KubeVirt is not known: a defect.
pub(in crate::run) async fn report_again(
    context: &Context,
    stopped: &Stopped,
    restored: Restored,
    target: &Target<'_>,
    phases: Vec<PhaseSeconds>,
    first: Finished,
) -> Result<Finished, Fault> {
    match report(context, stopped, restored, target, phases).await {
        Err(fault) if !fault.is_defect() => {
            tracing::warn!(%fault, "the manifest stays as it was before the gate was put back");
            Ok(first)
        }
        finished => finished,
    }
}

/// Writes the manifest, removes earlier runs, and writes it once more where these could not be removed.
async fn write(
    context: &Context,
    destination: &Destination,
    run: &RunId,
    mut manifest: Manifest,
    page: &ReportPage,
) -> Result<(), Fault> {
    put_instead_of_page(destination, run, &mut manifest, page).await?;
    // Nothing older goes before this one is there, and a run that was told to stop has no time for it.
    if context.shutdown.is_requested() {
        return Ok(());
    }
    let warnings = retention::retain(context, destination, run).await;
    if !warnings.is_empty() {
        // One that an earlier attempt's manifest has already is not said twice.
        for warning in warnings {
            if !manifest.warnings.contains(&warning) {
                manifest.warnings.push(warning);
            }
        }
        // The manifest is there without them, and others wait for the lock.
        let put = put_warnings(destination, run, &manifest);
        let late = async {
            tokio::select! {
                () = context.shutdown.share_is_over(2) => {}
                () = sleep(REMOVAL) => {}
            }
        };
        tokio::select! {
            () = put => {}
            () = late => tracing::warn!("the manifest may stay without its warnings: the destination did not answer in time"),
        }
    }
    Ok(())
}

/// Writes the manifest. Where a volume has room for its page alone, that is removed.
async fn put_instead_of_page(
    destination: &Destination,
    run: &RunId,
    manifest: &mut Manifest,
    page: &ReportPage,
) -> Result<(), Fault> {
    let put_beside = put(destination, run, manifest).await;
    let Err(fault) = &put_beside else {
        return Ok(());
    };
    if manifest.report.take().is_none() || !matches!(destination, Destination::Directory(_)) {
        return put_beside;
    }
    page.note(Err(format!(
        "the manifest could not be written beside it: {fault}"
    )));
    page.tell(manifest);
    destination.remove_file(run, RunFile::Report).await?;
    put(destination, run, manifest).await
}

/// Writes the manifest once more, unless another cluster's run has removed this one by now.
async fn put_warnings(destination: &Destination, run: &RunId, manifest: &Manifest) {
    let found = destination.find(run).await;
    let written = match found {
        Ok(Found::Complete(_)) => put(destination, run, manifest).await,
        Ok(_) => return,
        Err(error) => Err(error.into()),
    };
    if let Err(fault) = written {
        tracing::warn!(%fault, "the manifest stays without its warnings");
    }
}

async fn put(destination: &Destination, run: &RunId, manifest: &Manifest) -> Result<(), Fault> {
    // Of thousands of pods it is megabytes, and a buffer that grows takes twice as much.
    let mut length = Length(0);
    serde_json::to_writer_pretty(&mut length, manifest).map_err(io::Error::from)?;
    let mut json = Vec::with_capacity(length.0);
    serde_json::to_writer_pretty(&mut json, manifest).map_err(io::Error::from)?;
    destination.put(run, RunFile::Manifest, json).await?;
    Ok(())
}

/// A writer that only counts.
struct Length(usize);

impl io::Write for Length {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.0 += data.len();
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The peak of resident memory so far in bytes, as Linux tells it (VmHWM in proc(5)).
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}
