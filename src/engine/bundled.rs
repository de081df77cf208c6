//! The engine `cluster-profiler`: upstream's program, called once for each component. It ends early
//! in many ways, some of which it calls a success; so what it does not deliver whole is fetched
//! natively.

use std::collections::BTreeSet;

use tempfile::TempDir;
use tokio::sync::mpsc;

use super::dump::{DumpPlan, PodDump};
use super::native;
use super::program::Program;
use super::refusal::refuse;
use super::sweep::{Catch, Short, Sweep};
use crate::cluster::call::CallError;
use crate::component::Component;

/// What its directory in the temporary one is called, before some random letters.
const SCRATCH: &str = "cluster-profiler-dump-";

/// Dumps a plan's pods: what the program delivers, then the rest.
pub(super) async fn dump(
    plan: &DumpPlan,
    program: &Program,
    concurrency: usize,
    out: &mpsc::Sender<PodDump>,
) -> Result<(), CallError> {
    let catch = call_program(plan, program, out).await;
    if out.is_closed() {
        return Ok(());
    }
    let rest = plan.pods.len() - catch.delivered.len();
    if rest > 0 {
        tracing::info!(pods = rest, "fetching the rest natively");
    }
    let uncounted = native::dump(plan, concurrency, &catch.delivered, out).await?;
    let mut refused = Vec::new();
    for (component, name, why) in catch.strangers {
        // A pod that came later is told of as one.
        if !uncounted.contains(&name) {
            refuse(&mut refused, component.name(), &name, why);
        }
    }
    if !refused.is_empty() {
        let _ = out.send(PodDump::Refused(refused)).await;
    }
    Ok(())
}

/// Calls the program for one component after the other. If it cannot be run, or hangs, it is not
/// called again.
async fn call_program(plan: &DumpPlan, program: &Program, out: &mpsc::Sender<PodDump>) -> Catch {
    let mut all = Catch::default();
    let scratch = match TempDir::with_prefix_in(SCRATCH, plan.spool.temporary()) {
        Ok(scratch) => scratch,
        Err(error) => {
            tracing::warn!(%error, "no directory can be made for cluster-profiler");
            return all;
        }
    };
    for component in Component::ALL {
        let pods = plan.pods.iter().filter(|pod| pod.component == component);
        let wanted: BTreeSet<_> = pods.map(|pod| pod.name.clone()).collect();
        if wanted.is_empty() {
            continue;
        }
        let directory = scratch.path().join(component.name());
        let sweep = Sweep::new(component, wanted, directory.clone(), (&plan.spool, out));
        let (catch, result) = sweep.call(program, &plan.connection.limits).await;
        all.delivered.extend(catch.delivered);
        all.strangers.extend(catch.strangers);
        let Err(short) = result else { continue };
        if matches!(short, Short::Unwanted) {
            break;
        }
        let (path, component) = (program.path.display(), component.name());
        tracing::warn!(program = %path, component, why = %short, "cluster-profiler fell short");
        if matches!(short, Short::NotRun(_) | Short::Hung(_)) {
            break;
        }
        // The next call needs the room.
        let _ = tokio::fs::remove_dir_all(directory).await;
    }
    if let Err(error) = scratch.close() {
        tracing::warn!(%error, "cluster-profiler's directory could not be deleted");
    }
    all
}
