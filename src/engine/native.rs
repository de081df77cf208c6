//! The native engine: each pod by its own token, several at once.

use std::collections::{BTreeMap, BTreeSet};

use backon::{BackoffBuilder, ExponentialBackoff};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::dump::{DumpPlan, NATIVE, PodDump};
use super::page::{self, Page};
use super::stream;
use crate::archive::Spool;
use crate::cluster::call::CallError;
use crate::cluster::profiler::{self, DumpAnswer, DumpRequest};
use crate::cluster::tokens::{PodList, Step, Walker};
use crate::component::{Component, selector};
use crate::errors::joined;
use crate::manifest::{ExpectedPod, Uncounted, UnexpectedName};

/// How often one pod's token is exchanged because it went stale before virt-api used it.
const EXCHANGES: usize = 5;

/// Dumps a plan's pods but for those `delivered` already, component after component. A pod's slot is
/// free again once somebody has taken what it brought, so memory is bounded by `concurrency`
/// whatever the destination's speed.
///
/// It walks all of the plan's components, so whatever is delivered, it tells of the same pods that
/// were not expected. Their names come back.
pub(super) async fn dump(
    plan: &DumpPlan,
    concurrency: usize,
    delivered: &BTreeSet<String>,
    out: &mpsc::Sender<PodDump>,
) -> Result<BTreeSet<String>, CallError> {
    let mut tasks = JoinSet::new();
    let mut uncounted = BTreeSet::new();
    for component in Component::ALL {
        let pods = plan.pods.iter().filter(|pod| pod.component == component);
        let mut wanted: BTreeMap<_, _> = pods.map(|pod| (pod.name.as_str(), pod)).collect();
        if wanted.is_empty() {
            continue;
        }
        wanted.retain(|pod, _| !delivered.contains(*pod));
        let list = PodList {
            connection: plan.connection.clone(),
            namespace: plan.namespace.clone(),
            selector: selector(&[component].into()),
        };
        let mut walker = Walker::new(list.clone());
        while let Some(step) = walker.next().await? {
            if out.is_closed() {
                return Ok(uncounted);
            }
            if delivered.contains(&step.pod) {
                continue;
            }
            if let Some(other) = unexpected(&mut wanted, &step) {
                if let PodDump::Uncounted(pod) = &other {
                    uncounted.insert(pod.name.clone());
                }
                let _ = out.send(other).await;
                continue;
            }
            while tasks.len() >= concurrency {
                if let Some(task) = tasks.join_next().await {
                    joined(task)?;
                }
            }
            tasks.spawn(dump_and_send(
                list.clone(),
                step,
                plan.spool.clone(),
                out.clone(),
            ));
        }
        for pod in wanted.into_keys() {
            let why = "the pod was gone when it was to be dumped".to_owned();
            let _ = out.send(missing(pod, why)).await;
        }
    }
    while let Some(task) = tasks.join_next().await {
        joined(task)?;
    }
    Ok(uncounted)
}

/// Takes the pod off the list of those wanted. If it is not the one that was expected, says why.
fn unexpected(wanted: &mut BTreeMap<&str, &ExpectedPod>, step: &Step) -> Option<PodDump> {
    match wanted.remove(step.pod.as_str()) {
        None => Some(PodDump::Uncounted(Uncounted {
            name: step.pod.clone(),
            why: "it was not Ready when profiling started, or came later".to_owned(),
        })),
        Some(pod) if pod.uid != step.uid => {
            let why = "the pod was replaced by another of the same name".to_owned();
            Some(missing(&step.pod, why))
        }
        Some(_) => None,
    }
}

fn missing(pod: &str, why: String) -> PodDump {
    PodDump::Expected {
        pod: pod.to_owned(),
        result: Err(why),
        refused: Vec::new(),
        engine: NATIVE,
    }
}

/// Why there is no page of a pod.
enum Fault {
    /// The pod cannot be had.
    Pod(String),
    /// No pod can: a right is gone, or the profiler was turned off.
    Run(CallError),
}

/// Dumps one pod and hands it over.
///
/// # Errors
/// No other pod could be dumped, either.
async fn dump_and_send(
    list: PodList,
    step: Step,
    spool: Spool,
    out: mpsc::Sender<PodDump>,
) -> Result<(), CallError> {
    let pod = step.pod.clone();
    let (result, refused) = match with_tries(&list, step, &spool).await {
        Ok(Page {
            bundle: Some(bundle),
            refused,
        }) => (Ok(bundle), refused),
        Ok(Page {
            bundle: None,
            refused,
        }) => (Err(not_in_page(&refused)), refused),
        Err(Fault::Pod(why)) => (Err(why), Vec::new()),
        Err(Fault::Run(error)) => return Err(error),
    };
    let engine = NATIVE;
    let _ = out
        .send(PodDump::Expected {
            pod,
            result,
            refused,
            engine,
        })
        .await;
    Ok(())
}

fn not_in_page(refused: &[UnexpectedName]) -> String {
    match refused.first() {
        Some(other) => format!("its page had {:?} in its place", other.name),
        None => "its page did not have it".to_owned(),
    }
}

/// One pod's page, tried again after every fault: a page that fails leaves nothing behind.
async fn with_tries(list: &PodList, mut step: Step, spool: &Spool) -> Result<Page, Fault> {
    let mut pauses: ExponentialBackoff = list.connection.pauses().build();
    let mut exchanges = 0;
    let mut tries = 1;
    loop {
        let fault = match attempt(list, &step, spool).await {
            // Without a token a page begins with whatever is first by now.
            Attempt::Done(Page { bundle: None, .. }) if step.token.is_empty() && tries == 1 => {
                step.token = locate(list, &step.pod).await?;
                "its page had another pod".to_owned()
            }
            Attempt::Done(page) => return Ok(page),
            Attempt::Stale if exchanges < EXCHANGES => {
                exchanges += 1;
                let fresh = list.refresh(&step.token).await;
                step.token = fresh.map_err(|error| Fault::Pod(error.to_string()))?;
                continue;
            }
            Attempt::Stale => {
                let why = format!("{EXCHANGES} fresh tokens were stale at once");
                return Err(Fault::Pod(why));
            }
            Attempt::Refused(error) if error.is_definite() => return Err(Fault::Run(error)),
            Attempt::Refused(error) => return Err(Fault::Pod(error.to_string())),
            Attempt::Failed(why) => why,
        };
        let Some(pause) = pauses.next() else {
            return Err(Fault::Pod(format!("{fault} ({tries} tries)")));
        };
        tracing::debug!(pod = step.pod, fault, ?pause, "dumping it again");
        tokio::time::sleep(pause).await;
        tries += 1;
    }
}

/// The token of a pod's page, found by walking the list from its beginning.
async fn locate(list: &PodList, pod: &str) -> Result<String, Fault> {
    let mut walker = Walker::new(list.clone());
    let fault = |error: CallError| Fault::Pod(error.to_string());
    while let Some(step) = walker.next().await.map_err(fault)? {
        if step.pod == pod {
            return Ok(step.token);
        }
    }
    Err(Fault::Pod(
        "the pod was gone when it was to be dumped".to_owned(),
    ))
}

/// What came of one try.
enum Attempt {
    Done(Page),
    Stale,
    Refused(CallError),
    Failed(String),
}

async fn attempt(list: &PodList, step: &Step, spool: &Spool) -> Attempt {
    let request = DumpRequest {
        label_selector: list.selector.clone(),
        continue_token: step.token.clone(),
        page_size: 1,
    };
    let body = match profiler::dump(&list.connection, &request).await {
        Ok(DumpAnswer::Page(body)) => body,
        Ok(DumpAnswer::Empty) => {
            return Attempt::Failed("the pod is not Ready, or is gone".to_owned());
        }
        Ok(DumpAnswer::Expired) => return Attempt::Stale,
        Err(error) if error.may_pass() => return Attempt::Failed(error.to_string()),
        Err(error) => return Attempt::Refused(error),
    };
    let (feeder, reader) = stream::channel();
    let (pod, spool) = (step.pod.clone(), spool.clone());
    let parse = tokio::task::spawn_blocking(move || page::read(reader, &pod, &spool));
    feeder.feed(body, list.connection.limits.idle).await;
    match joined(parse.await) {
        Ok(page) => Attempt::Done(page),
        Err(error) => Attempt::Failed(error.to_string()),
    }
}
