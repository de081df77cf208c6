//! The engine `cluster-profiler`: upstream's program, called once for each component. It ends early in many
//! ways, some of which it calls a success; so what it does not deliver whole is fetched natively.

mod component_dump;
mod output_directory;
pub(super) mod program;
pub(super) mod scratch;

use std::collections::BTreeSet;

use tokio::sync::mpsc;

use self::component_dump::{ComponentDump, Delivered, Shortfall};
use self::program::Program;
use super::native;
use super::pod_dump::{DumpPlan, PodDump, note_unexpected_name};
use crate::cluster::call::CallError;

/// Dumps a plan's pods: those that the program delivers, then the rest natively.
///
/// # Errors
/// The native engine failed.
pub(super) async fn dump(
    plan: &DumpPlan,
    program: &Program,
    concurrency: usize,
    out: &mpsc::Sender<PodDump>,
) -> Result<(), CallError> {
    let delivered = call_program(plan, program, concurrency, out).await;
    if out.is_closed() {
        return Ok(());
    }
    let rest = plan.pods.len() - delivered.pods.len();
    if rest > 0 {
        tracing::info!(pods = rest, "fetching the rest natively");
    }
    let uncounted = native::dump(plan, concurrency, &delivered.pods, out).await?;
    let mut unexpected_names = Vec::new();
    for unexpected in delivered.unexpected_pods {
        // A pod that came later is told of as one.
        if !uncounted.contains(&unexpected.name) {
            let page_of = unexpected.component.name();
            let (name, why) = (&unexpected.name, unexpected.why);
            note_unexpected_name(&mut unexpected_names, page_of, name, why);
        }
    }
    if !unexpected_names.is_empty() {
        let _ = out.send(PodDump::UnexpectedNames(unexpected_names)).await;
    }
    Ok(())
}

/// Calls the program for one component after the other. If it cannot be run, or hangs, it is not called
/// again.
async fn call_program(
    plan: &DumpPlan,
    program: &Program,
    concurrency: usize,
    out: &mpsc::Sender<PodDump>,
) -> Delivered {
    let mut all = Delivered::default();
    let root = match scratch::make(&plan.spool) {
        Ok(root) => root,
        Err(error) => {
            tracing::warn!(%error, "no directory can be made for cluster-profiler");
            return all;
        }
    };
    for component in plan.order {
        let of_component = plan.pods.iter().filter(|pod| pod.component == component);
        let wanted: BTreeSet<_> = of_component.map(|pod| pod.name.clone()).collect();
        if wanted.is_empty() {
            continue;
        }
        let directory = root.path().join(component.name());
        let spool = plan.spool.clone();
        let (path, out) = (directory.clone(), out.clone());
        let dump = ComponentDump::new(component, wanted, path, spool, out, concurrency);
        let (delivered, result) = dump.run(program, &plan.connection.limits).await;
        all.pods.extend(delivered.pods);
        all.unexpected_pods.extend(delivered.unexpected_pods);
        let Err(shortfall) = result else { continue };
        if matches!(shortfall, Shortfall::NotWanted) {
            break;
        }
        let (path, component) = (program.path.display(), component.name());
        tracing::warn!(program = %path, component, why = %shortfall, "cluster-profiler fell short");
        if matches!(shortfall, Shortfall::NotRun(_) | Shortfall::Hung(_)) {
            break;
        }
        // The next call needs the room.
        let _ = tokio::fs::remove_dir_all(directory).await;
    }
    if let Err(error) = root.close() {
        tracing::warn!(%error, "cluster-profiler's directory could not be deleted");
    }
    all
}
