//! Dump: the pods' profiles are fetched, and go into the archive as they come.

use futures::FutureExt;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use crate::archive::Baseline;
use crate::cluster::profiler;
use crate::cluster::stop_confirmation::StopConfirmation;
use crate::component::Component;
use crate::engine::{self, DumpPlan, Engine, Native};
use crate::limits::REOPENINGS;
use crate::run::archive_worth::{ShippedRun, Worth};
use crate::run::archive_writer::{ArchiveWriter, cluster_json};
use crate::run::context::{Context, Target};
use crate::run::dump_pass::{ChosenEngine, Ended, pass};
use crate::run::earlier_archive::EarlierArchive;
use crate::run::judgement::Expectation;
use crate::run::outcome::Fault;
use crate::run::phase_results::{Dumped, Stopped};
use crate::run::pod_results::PodResults;
use crate::run::shutdown::and_a_write;
use crate::run::{profiler_switch, report_shipping, snapshots};

/// Dumps the expected pods into a new archive at the target. The stop of a run that was told to stop goes
/// on beside it, for there is no time to wait for one before.
///
/// # Errors
/// The API server or the destination failed; the archive is unfinished then.
pub(in crate::run) async fn dump(
    context: &Context,
    stopped: &Stopped,
    target: &Target<'_>,
    baseline: Option<&Baseline>,
) -> Result<Dumped, Fault> {
    context.progress.expect_pods(stopped.expected.len());
    let mut slot = context.stop_confirmation.lock().await;
    let confirmation = slot.as_mut().ok_or_else(Fault::stop_before_start)?;
    let expectation = Expectation {
        window: stopped.window,
        slack: context.cluster.connection.limits.cpu_slack,
        restarted: confirmation.restarted(),
        baseline: baseline.cloned(),
    };
    let is_shipped = Notify::new();
    let ship = Box::pin(ship(context, stopped, target, &expectation));
    let shipping = context.shutdown.within(ship);
    let (shipped, ()) = tokio::join!(
        shipping.inspect(|_| is_shipped.notify_one()),
        go_on_stopping(context, confirmation, stopped, &is_shipped)
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
        request = and_a_write(context.shutdown.requested()) => Err(Fault::no_time_to_ship(request)),
        turned_on = turn_on_again(context) => turned_on,
    }
}

/// Goes on with the stop of a run that was told to stop, until it would have ended anyway or its time is over. Once
/// the archive is shipped that is the dump's time, for the manifest needs what comes after it.
async fn go_on_stopping(
    context: &Context,
    confirmation: &mut StopConfirmation,
    stopped: &Stopped,
    is_shipped: &Notify,
) {
    let shipped = is_shipped.notified();
    if let Some(request) = context.shutdown.request() {
        tokio::select! {
            () = confirmation.until(stopped.stop_until.min(request.stop_until)) => {}
            () = shipped.then(|()| context.shutdown.dump_time_is_over()) => {}
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
    let spool = context.spool();
    let cluster_json = cluster_json(&spool, install, &stopped.expected, &stopped.surroundings)?;
    let mut results = PodResults::new(stopped.expected.clone());
    let mut pods = stopped.expected.clone();
    if let Some(failed) = &stopped.start_failed {
        results.note_missing(&failed.pod, failed.why.clone());
        pods.retain(|expected| expected.name != failed.pod);
    }
    let earlier = EarlierArchive::find(context, target, stopped.expected.len()).await?;
    earlier.remove_left_uploads(context, target).await;
    let upload = target.destination.begin(earlier.new_run_id()).await?;
    let page = report_shipping::begin(context);
    let mut writer = ArchiveWriter::new(upload, page.clone());
    context.progress.show_dump(pods.len());
    let opened_at = stopped.window.start;
    let cluster_file = writer.write_entry(cluster_json, opened_at).await?;
    let plan = DumpPlan {
        connection: context.cluster.connection.patient(),
        namespace: install.namespace.clone(),
        pods,
        order: match &expectation.baseline {
            Some(_) => Component::VIRT_API_FIRST,
            None => Component::ALL,
        },
        spool,
    };
    engine::remove_abandoned(&plan.spool).await;
    let chosen = ChosenEngine::choose(context, stopped.died_dumping.as_deref()).await?;
    let engine = chosen.engine();
    let ended = dump_pods(
        context,
        engine,
        plan,
        &mut writer,
        expectation,
        &mut results,
    )
    .await;
    chosen.note_ended(context).await?;
    let ended = ended?;
    let request = context.shutdown.request();
    // Nothing at all is not final where no attempt has brought anything, or the API server is away: the pods have it.
    let is_empty = results.nothing_because().is_some() && earlier.is_absent();
    if let Some(Ended { fault, why }) = ended {
        if request.is_none() && (fault.is_passing() || is_empty) {
            return Err(fault);
        }
        tracing::error!(%fault, "the dump ends here: shipping what there is");
        results.explain_missing(&why);
    }
    results.explain_missing(request.map_or("the engine never told of it", |told| told.why()));
    if let Some(why) = results
        .nothing_because()
        .filter(|_| request.is_none() && is_empty)
    {
        return Err(Fault::may_pass(format!("no pod could be dumped: {why}")));
    }
    let worth = Worth::new(
        &results.counts(),
        results.pods(),
        context.config.snapshots.is_some() && context.snapshots().any(),
        stopped.vmi_latencies.as_ref(),
    );
    if let Some(kept) = earlier.if_as_good(&worth) {
        drop(writer);
        return Ok(keep(context, target, kept, &results).await);
    }
    let left_out = snapshots::ship(context, &mut writer, &mut results).await?;
    let upload = writer.close().await?;
    earlier.give_way(context, target).await?;
    let archive = upload.finish(context.shutdown.share_is_over(2)).await?;
    context.set_aside().take();
    Ok(Dumped {
        archive,
        run_id: earlier.new_run_id().clone(),
        cluster_file,
        pods: results,
        unstopped: Vec::new(),
        kept: None,
        page,
        may_have_stale_page: earlier.may_have_page(),
        engine: engine.name().to_owned(),
        warnings: chosen
            .reason
            .into_iter()
            .chain(earlier.why_beside)
            .chain(no_baseline(expectation))
            .chain(left_out)
            .chain(stopped.warnings.iter().cloned())
            .collect(),
    })
}

/// What the manifest warns of where no pod has a baseline, though one was asked for.
fn no_baseline(expectation: &Expectation) -> Option<String> {
    let why = expectation.baseline.as_ref()?.why_missing()?;
    Some(format!("there is no baseline: {why}"))
}

/// Keeps the archive of an earlier attempt, and removes what was begun of a new one.
async fn keep(
    context: &Context,
    target: &Target<'_>,
    kept: ShippedRun,
    now: &PodResults,
) -> Dumped {
    tracing::warn!(
        uri = kept.manifest.archive.uri,
        "an earlier attempt has shipped as much as was dumped now: its archive stays"
    );
    let abort = async {
        if let Err(error) = target.destination.abort().await {
            tracing::warn!(%error, "what was uploaded of the new archive stays, unfinished");
        }
        if context.cluster.lease.is_held() {
            target.destination.abort_unanswered().await;
        }
    };
    tokio::select! {
        () = abort => {}
        // The manifest needs the rest.
        () = context.shutdown.share_is_over(2) => {}
    }
    Dumped::of_earlier(kept, now)
}

/// Dumps the pods of a plan. Where somebody turns the profiler off meanwhile, and the run may turn it on, it
/// does so, and dumps the rest. Gives what ended the dump early, if anything did.
///
/// # Errors
/// The destination failed.
async fn dump_pods(
    context: &Context,
    mut engine: &dyn Engine,
    mut plan: DumpPlan,
    writer: &mut ArchiveWriter,
    expectation: &Expectation,
    results: &mut PodResults,
) -> Result<Option<Ended>, Fault> {
    let turned_off = || "the profiler was turned off in the middle of the dump".to_owned();
    let again = Native {
        concurrency: context.config.concurrency,
    };
    for _ in 0..=REOPENINGS {
        let passed = pass(context, engine, plan.clone(), writer, expectation, results);
        let Some(error) = passed.await? else {
            return Ok(None);
        };
        if !profiler::is_off(&error) || context.shutdown.is_requested() {
            return Ok(Some(error.into()));
        }
        tracing::warn!("{}", turned_off());
        let turned_on = tokio::select! {
            turned_on = turn_on_again(context) => turned_on,
            () = and_a_write(context.shutdown.dump_time_is_over()) => return Ok(Some(error.into())),
        };
        if let Err(fault) = turned_on {
            let message = format!("{}: {fault}", turned_off());
            return Ok(Some(Ended {
                fault: Fault { message, ..fault },
                why: turned_off(),
            }));
        }
        plan.pods.retain(|pod| results.is_awaited(&pod.name));
        engine = &again;
    }
    let often = format!("{}, each time that it was on again", turned_off());
    Ok(Some(Ended {
        fault: Fault::not_allowed(often),
        why: turned_off(),
    }))
}

/// Turns the profiler on, if it is off, and waits until every component knows it.
///
/// # Errors
/// It cannot be turned on, or the API server failed.
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
