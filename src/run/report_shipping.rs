//! The making of a run's page, and its way to the destination, before the manifest is written.

use std::io::{self, Write};
use std::sync::Arc;

use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout};

use super::context::Context;
use super::outcome::Fault;
use super::report_page::ReportPage;
use crate::config::{RunFile, RunId};
use crate::destination::Destination;
use crate::diff::Diff;
use crate::limits::REMOVAL_GRACE;
use crate::manifest::{Manifest, StoredFile};
use crate::report::{self, ProfileStore};

/// The most bytes that a page may have, which is in memory until it is written. One of 500 pods has an eighth of it.
const MOST_OF_PAGE: usize = 16 << 20;

/// The page of a run whose dump begins. A run that was told to stop has no time for one.
pub(super) fn begin(context: &Context) -> ReportPage {
    let config = &context.config;
    match context.shutdown.request() {
        _ if !config.report => ReportPage::unwanted(),
        Some(request) => ReportPage::missing(request.why().to_owned()),
        None => ReportPage::begin(&config.temporary),
    }
}

/// Makes the page of a run's manifest and writes it to the destination of the archive, unless that was done or cannot
/// be. Gives the manifest with what became of it.
///
/// # Errors
/// The Lease is lost.
pub(super) async fn ship(
    context: &Context,
    page: &ReportPage,
    destination: &Destination,
    run: &RunId,
    manifest: Manifest,
    comparison: Option<Diff>,
) -> Result<Manifest, Fault> {
    let manifest = Arc::new(manifest);
    if let Some(store) = page.take_profiles() {
        let of = Arc::clone(&manifest);
        let page_of = move |out: &mut dyn Write| write_page(of, store, comparison, out);
        page.note(try_to_ship(context, destination, run, page_of).await?);
    }
    let mut manifest = Arc::unwrap_or_clone(manifest);
    page.tell(&mut manifest);
    Ok(manifest)
}

/// Removes the page that an earlier attempt may have left where the run has none of its own. Gives a warning if it
/// stays.
pub(super) async fn remove_stale(destination: &Destination, run: &RunId) -> Option<String> {
    // A run that was told to stop needs its time for the manifest.
    let removed = timeout(REMOVAL_GRACE, destination.remove_file(run, RunFile::Report)).await;
    let why = match removed {
        Ok(Ok(())) => return None,
        Ok(Err(error)) => error.to_string(),
        Err(_) => "the destination did not answer in time".to_owned(),
    };
    let warning = format!("a page may stay that is of an earlier attempt: {why}");
    tracing::warn!("{warning}");
    Some(warning)
}

/// Makes the page and writes it, for as long as there is time and nobody tells the run to stop. Gives the reason if
/// there is none.
async fn try_to_ship(
    context: &Context,
    destination: &Destination,
    run: &RunId,
    page_of: impl FnOnce(&mut dyn Write) -> io::Result<()> + Send + 'static,
) -> Result<Result<StoredFile, String>, Fault> {
    if let Some(request) = context.shutdown.request() {
        return Ok(Err(request.why().to_owned()));
    }
    let (begun, longest) = (Instant::now(), context.cluster.connection.limits.report);
    let written = async {
        if let Some(why) = note_begun(context).await? {
            return Ok(Err(why));
        }
        let page = match make(page_of).await {
            Ok(page) => page,
            Err(why) => return Ok(Err(why)),
        };
        let put = destination.put_report(run, page).await;
        Ok::<_, Fault>(put.map_err(|error| error.to_string()))
    };
    let shipped = tokio::select! {
        biased;
        request = context.shutdown.requested() => Err(request.why().to_owned()),
        () = sleep(longest) => Err(format!("it took longer than {longest:?}")),
        written = written => written?,
    };
    let lease = &context.cluster.lease;
    let survived = lease.note_survived(&context.shutdown, |journal| journal.reporting = false);
    survived.await?;
    if let Ok(page) = &shipped {
        let took = begun.elapsed();
        tracing::info!(
            uri = page.uri,
            bytes = page.bytes,
            ?took,
            "the page is there"
        );
    }
    Ok(shipped)
}

fn write_page(
    manifest: Arc<Manifest>,
    mut store: ProfileStore,
    comparison: Option<Diff>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut findings = report::collect(manifest, &mut store);
    findings.comparison = comparison;
    report::page(&findings, out)
}

/// Makes a page in a thread of its own, which a defect in what makes it ends, and not the run.
///
/// # Errors
/// The reason why there is no page.
pub async fn make(
    page: impl FnOnce(&mut dyn Write) -> io::Result<()> + Send + 'static,
) -> Result<Vec<u8>, String> {
    let making = spawn_blocking(move || {
        let mut made = Bounded(Vec::new());
        page(&mut made)?;
        Ok(made.0)
    });
    match making.await {
        Ok(page) => page.map_err(|error: io::Error| error.to_string()),
        Err(defect) => Err(format!("a defect in this program: {defect}")),
    }
}

/// A page in memory, of so many bytes at most.
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if self.0.len() + data.len() > MOST_OF_PAGE {
            let most = MOST_OF_PAGE >> 20;
            return Err(io::Error::other(format!("it has more than {most} MiB")));
        }
        self.0.write(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Notes in the journal that the page is being made: a run that dies of it has no manifest yet, and its next attempt
/// makes none. Gives the reason if there is to be none.
async fn note_begun(context: &Context) -> Result<Option<String>, Fault> {
    let lease = &context.cluster.lease;
    if lease.journal().is_some_and(|journal| journal.reporting) {
        let why = "an attempt of this run ended while it was making its page, most often for want of memory";
        return Ok(Some(why.to_owned()));
    }
    let noted = lease.note_risk(|journal| journal.reporting = true);
    let why = |error| format!("it could not be noted in the Lease that it is made: {error}");
    Ok(noted.await?.map(why))
}
