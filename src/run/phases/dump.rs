//! Dump: the pods' profiles are fetched, and go into the archive as they come.

use std::io::{self, Read};

use bytes::Bytes;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use crate::archive::{Entry, Framing, Spool};
use crate::cluster::install::Install;
use crate::cluster::profiler;
use crate::cluster::stop_confirmation::StopConfirmation;
use crate::config::RunId;
use crate::destination::{Destination, DestinationError, Found, Upload};
use crate::engine::{DumpPlan, PodDump};
use crate::manifest::{Archive, ExpectedPod, File, KubeVirt};
use crate::run::context::{Context, Target};
use crate::run::outcome::Fault;
use crate::run::phase_results::{Dumped, Stopped};
use crate::run::pod_results::{Expectation, PodResults, judge};
use crate::run::profiler_switch;

/// Bytes handed to the destination at once.
const CHUNK: usize = 256 * 1024;

/// Dumps the expected pods into a new archive at the target. The stop of a run that was told to stop goes
/// on beside it, for there is no time to wait for one before.
///
/// # Errors
/// The API server or the destination failed; the archive is unfinished then.
pub(in crate::run) async fn dump(
    context: &Context,
    stopped: &Stopped,
    target: &Target<'_>,
) -> Result<Dumped, Fault> {
    context.progress.expect_pods(stopped.expected.len());
    let mut slot = context.stop_confirmation.lock().await;
    let confirmation = slot.as_mut().ok_or_else(Fault::stop_before_start)?;
    let expectation = Expectation {
        window: stopped.window,
        slack: context.cluster.connection.limits.cpu_slack,
        restarted: confirmation.restarted(),
    };
    let shipped = Box::pin(ship(context, stopped, target, &expectation));
    let (shipped, ()) = tokio::join!(
        context.shutdown.within(shipped),
        go_on_stopping(context, confirmation, stopped)
    );
    let mut dumped = shipped.map_err(Fault::no_time_to_ship)??;
    dumped.unstopped = unstopped(confirmation, &dumped.pods);
    Ok(dumped)
}

/// Sees that the pods can be dumped once more: a destination that failed at the manifest did so after the
/// profiler was turned off, and a dump needs it. Each component hears of it by itself; a stop, which does
/// no harm, tells when all have.
///
/// # Errors
/// The run was told to stop, the profiler cannot be turned on, or the API server failed.
pub(in crate::run) async fn prepare_again(context: &Context) -> Result<(), Fault> {
    tokio::select! {
        request = context.shutdown.requested() => Err(Fault::no_time_to_ship(request)),
        turned_on = turn_on_again(context) => turned_on,
    }
}

async fn turn_on_again(context: &Context) -> Result<(), Fault> {
    let cluster = &context.cluster;
    let changed = profiler_switch::turn_on(cluster, context.install()?).await?;
    if changed.is_none() {
        return Ok(());
    }
    context.gate().changed = changed;
    let limits = &cluster.connection.limits;
    let end = Instant::now() + limits.gate;
    while let Err(error) = profiler::stop(&cluster.connection).await {
        if !profiler::is_spreading(&error, true) || Instant::now() >= end {
            break;
        }
        sleep(limits.longest_pause).await;
    }
    Ok(())
}

/// Goes on with the stop of a run that was told to stop, until it would have ended anyway or the time is
/// over.
async fn go_on_stopping(context: &Context, confirmation: &mut StopConfirmation, stopped: &Stopped) {
    if let Some(request) = context.shutdown.request() {
        tokio::select! {
            () = confirmation.until(stopped.stop_until.min(request.stop_until)) => {}
            () = context.shutdown.stop_time_is_over() => {}
        }
    }
}

/// The pods that may go on profiling, loudly. One whose profile is of this window has stopped.
fn unstopped(confirmation: &StopConfirmation, pods: &PodResults) -> Vec<String> {
    let waiting = confirmation.waiting().map(|pod| pod.name.clone());
    let unstopped: Vec<_> = waiting.filter(|name| !pods.has_stopped(name)).collect();
    if let Some(remains) = confirmation.remains().filter(|_| !unstopped.is_empty()) {
        tracing::error!("{remains}");
    }
    unstopped
}

/// Begins the archive, writes what the engine brings, and finishes it. The dump of a run that was told to
/// stop ends when its time is over, and what there is by then is shipped.
async fn ship(
    context: &Context,
    stopped: &Stopped,
    target: &Target<'_>,
    expectation: &Expectation,
) -> Result<Dumped, Fault> {
    let install = context.install()?;
    let config = &context.config;
    let spool = Spool::new(
        config.run_id.stem(),
        config.temporary.clone(),
        config.keep_originals,
    );
    let cluster_json = cluster_json(&spool, install, &stopped.expected)?;
    let mut results = PodResults::new(stopped.expected.clone());
    let mut pods = stopped.expected.clone();
    if let Some(failed) = &stopped.start_failed {
        results.note_missing(&failed.pod, failed.why.clone());
        pods.retain(|expected| expected.name != failed.pod);
    }
    let mut writer = ArchiveWriter {
        framing: Framing::new(stopped.window.start.as_second().unsigned_abs()),
        upload: begin(target.destination, &config.run_id, install).await?,
    };
    context.progress.show_dump(pods.len());
    let cluster_file = writer.write_entry(cluster_json).await?;
    let plan = DumpPlan {
        connection: context.cluster.connection.clone(),
        namespace: install.namespace.clone(),
        pods,
        spool,
    };
    // One that waits beside those in flight: enough, since the destination takes them in turn.
    let (sender, mut dumps) = mpsc::channel(1);
    let dump = async {
        // Only the dump is cut: what the writer has begun, it finishes.
        tokio::select! {
            dumped = context.engine.dump(plan, sender) => dumped.map_err(Fault::from),
            () = context.shutdown.dump_time_is_over() => Ok(()),
        }
    };
    let write = async {
        while let Some(dump) = dumps.recv().await {
            let bytes = writer.write_pod(dump, expectation, &mut results).await?;
            if let Some(bytes) = bytes {
                context.progress.count_pod(bytes);
            }
        }
        Ok(())
    };
    tokio::try_join!(dump, write)?;
    let request = context.shutdown.request();
    // An empty archive would be final for nothing: the pods have what a next attempt can bring.
    if let Some(why) = results.nothing_because().filter(|_| request.is_none()) {
        return Err(Fault::may_pass(format!("no pod could be dumped: {why}")));
    }
    let archive = writer.finish().await?;
    results.explain_missing(request.map_or("the engine never told of it", |told| told.why()));
    Ok(Dumped {
        archive,
        cluster_file,
        pods: results,
        unstopped: Vec::new(),
    })
}

/// Begins the archive. A manifest that may be there is removed before, for it would vouch for another one.
async fn begin(
    destination: &Destination,
    run: &RunId,
    install: &Install,
) -> Result<Upload, DestinationError> {
    let found = destination.find(run).await?;
    match found.of_cluster(install.uid.as_deref()) {
        Found::Absent | Found::Unfinished => {}
        Found::Invalid(error) | Found::Mismatched(error) => return Err(error),
        Found::Complete(_) => destination.remove_manifest(run).await?,
        Found::Unknown => {
            if let Err(error) = destination.remove_manifest(run).await {
                tracing::warn!(%error, "a manifest that may be there stays until it is replaced");
            }
        }
    }
    destination.begin(run).await
}

/// Makes `cluster.json`: what was profiled, for whoever opens the archive later.
///
/// # Errors
/// The temporary file cannot be written.
fn cluster_json(spool: &Spool, install: &Install, pods: &[ExpectedPod]) -> Result<Entry, Fault> {
    #[derive(Serialize)]
    struct Cluster<'a> {
        kubevirt: KubeVirt,
        configuration: &'a serde_json::Value,
        status: &'a serde_json::Value,
        pods: &'a [ExpectedPod],
    }
    let mut entry = spool.begin()?;
    let cluster = Cluster {
        kubevirt: install.kubevirt(),
        configuration: &install.configuration,
        status: &install.status,
        pods,
    };
    serde_json::to_writer_pretty(&mut entry, &cluster).map_err(io::Error::from)?;
    Ok(spool.finish(entry, "cluster.json")?)
}

/// The one writer of an archive: an entry is written whole before the next begins.
struct ArchiveWriter {
    framing: Framing,
    upload: Upload,
}

impl ArchiveWriter {
    /// Writes what a pod brought, and returns the profiles' bytes if the pod was expected.
    async fn write_pod(
        &mut self,
        dump: PodDump,
        expectation: &Expectation,
        results: &mut PodResults,
    ) -> Result<Option<u64>, Fault> {
        let (pod, result, engine) = match dump {
            PodDump::Uncounted(pod) => {
                results.uncounted.push(pod);
                return Ok(None);
            }
            PodDump::UnexpectedNames(names) => {
                results.unexpected_names.extend(names);
                return Ok(None);
            }
            PodDump::Expected {
                pod,
                result,
                unexpected_names,
                engine,
            } => {
                results.unexpected_names.extend(unexpected_names);
                (pod, result, engine)
            }
        };
        let bundle = match result {
            Ok(bundle) => bundle,
            Err(why) => {
                results.note_missing(&pod, why);
                return Ok(Some(0));
            }
        };
        let judgement = judge(&pod, &bundle, expectation);
        // What is there is worth more than an archive that no bucket takes.
        if let Some(why) = self.upload.lacks_room_for(bundle.most_bytes()) {
            results.note_left_out(&pod, &judgement, why);
            return Ok(Some(0));
        }
        let mut files = Vec::with_capacity(bundle.entries.len() + bundle.originals.len());
        for entry in bundle.entries.into_values().chain(bundle.originals) {
            files.push(self.write_entry(entry).await?);
        }
        let bytes = files.iter().map(|file| file.bytes).sum();
        results.note(&pod, engine, files, bundle.mem_stats, judgement);
        Ok(Some(bytes))
    }

    async fn write_entry(&mut self, entry: Entry) -> Result<File, Fault> {
        let (file, mut content) = entry.into_parts();
        let header = self.framing.open(&file.path, file.bytes)?;
        self.upload.write(header.into()).await?;
        loop {
            let chunk = read_chunk(&mut content)?;
            if chunk.is_empty() {
                return Ok(file);
            }
            self.upload.write(chunk).await?;
        }
    }

    async fn finish(mut self) -> Result<Archive, Fault> {
        self.upload.write(self.framing.close().into()).await?;
        Ok(self.upload.finish().await?)
    }
}

fn read_chunk(content: &mut impl Read) -> io::Result<Bytes> {
    let mut chunk = Vec::new();
    content.take(CHUNK as u64).read_to_end(&mut chunk)?;
    Ok(chunk.into())
}
