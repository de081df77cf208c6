//! The native engine: it fetches each pod by a token of its own, several at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use backon::{BackoffBuilder, ExponentialBackoff};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use super::pace::Pace;
use super::page::{self, Page, Wanted};
use super::pod_dump::{DumpPlan, NATIVE, PodDump};
use super::stream;
use crate::archive::Spool;
use crate::cluster::call::CallError;
use crate::cluster::profiler::{self, DumpAnswer, DumpRequest};
use crate::cluster::retry::{self, Outlook};
use crate::cluster::tokens::{PodList, Step, Walker};
use crate::component::{Component, selector};
use crate::errors::joined;
use crate::limits::{DUMP_ROUNDS, FRESH_TOKENS};
use crate::manifest::{ExpectedPod, Uncounted};

/// Pages that are received at once. More may be asked for: a page that is not received yet takes no memory here.
const RECEIVED_AT_ONCE: usize = 3;

/// Why a pod has no dump.
const GONE: &str = "the pod was gone when it was to be dumped";

/// Where pages are received.
#[derive(Debug, Clone)]
struct Landing {
    spool: Spool,
    /// A permit for each page that is received.
    room: Arc<Semaphore>,
    pace: Arc<Pace>,
}

/// Dumps a plan's pods except those that are `delivered` already, component after component, and asks for
/// `concurrency` at once. Memory is bounded by the pages that are received at once, whatever the destination's
/// speed.
///
/// It walks all of the plan's components, so it hands over the same pods that do not count whatever is
/// delivered. Their names are returned.
///
/// # Errors
/// The API server failed for good: the pods cannot be listed, or no pod can be dumped.
pub(super) async fn dump(
    plan: &DumpPlan,
    concurrency: usize,
    delivered: &BTreeSet<String>,
    out: &mpsc::Sender<PodDump>,
) -> Result<BTreeSet<String>, CallError> {
    let landing = Landing {
        spool: plan.spool.clone(),
        room: Arc::new(Semaphore::new(RECEIVED_AT_ONCE)),
        pace: Arc::new(Pace::new(concurrency)),
    };
    let mut tasks = JoinSet::new();
    let mut uncounted = BTreeSet::new();
    for component in plan.order {
        let of_component = plan.pods.iter().filter(|pod| pod.component == component);
        let mut wanted: BTreeMap<_, _> = of_component.map(|pod| (pod.name.as_str(), pod)).collect();
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
            if let Some(undumped) = not_to_be_dumped(&step, wanted.remove(step.pod.as_str())) {
                if let PodDump::Uncounted(pod) = &undumped {
                    uncounted.insert(pod.name.clone());
                }
                let _ = out.send(undumped).await;
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
                landing.clone(),
                out.clone(),
            ));
        }
        for pod in wanted.into_keys() {
            let _ = out.send(PodDump::missing(pod, GONE)).await;
        }
        // virt-api serves them all: where its own dump has a place in the order, it is not to overlap with others'.
        while plan.order != Component::ALL
            && let Some(task) = tasks.join_next().await
        {
            joined(task)?;
        }
    }
    while let Some(task) = tasks.join_next().await {
        joined(task)?;
    }
    Ok(uncounted)
}

/// What is handed over in place of a dump, where the pod is not the one that is wanted under its name.
fn not_to_be_dumped(step: &Step, wanted: Option<&ExpectedPod>) -> Option<PodDump> {
    match wanted {
        None => Some(PodDump::Uncounted(Uncounted {
            name: step.pod.clone(),
            why: "it was not Ready when profiling started, or came later".to_owned(),
        })),
        Some(pod) if pod.uid != step.uid => {
            let why = "the pod was replaced by another of the same name";
            Some(PodDump::missing(&step.pod, why))
        }
        Some(_) => None,
    }
}

/// Why there is no page of a pod.
enum Fault {
    /// The pod cannot be dumped.
    Pod(String),
    /// No pod can be dumped: a right is gone, or the profiler was turned off.
    Run(CallError),
}

/// Dumps one pod and hands it over.
///
/// # Errors
/// No other pod could be dumped, either.
async fn dump_and_send(
    list: PodList,
    step: Step,
    landing: Landing,
    out: mpsc::Sender<PodDump>,
) -> Result<(), CallError> {
    let pod = step.pod.clone();
    let dump = match fetch_page(&list, step, &landing).await {
        Ok(Page {
            bundle,
            unexpected_names,
        }) => PodDump::Expected {
            pod,
            result: bundle.ok_or_else(|| page::why_not_there(&unexpected_names)),
            unexpected_names,
            engine: NATIVE,
        },
        Err(Fault::Pod(why)) => PodDump::missing(&pod, &why),
        Err(Fault::Run(error)) => return Err(error),
    };
    let _ = out.send(dump).await;
    Ok(())
}

/// Fetches one pod's page, and tries again after every fault: a page that fails leaves nothing behind.
async fn fetch_page(list: &PodList, mut step: Step, landing: &Landing) -> Result<Page, Fault> {
    let mut pauses: ExponentialBackoff = retry::pauses(&list.connection.limits).build();
    let mut fresh_tokens = 0;
    let mut rounds = 1;
    let mut tries = 1;
    loop {
        let (mut outage, mut refused) = (None, None);
        let asked = landing.pace.ask().await;
        let tried = try_page(list, &step, landing).await;
        if let Try::Unanswered(error) = &tried
            && error.is_overload()
        {
            asked.refused();
        } else {
            asked.answered();
        }
        let fault = match tried {
            // Without a token a page begins with whatever is first by now.
            Try::Done(Page { bundle: None, .. }) if step.token.is_empty() && tries == 1 => {
                step.token = find_token(list, &step.pod).await?;
                "its page had another pod".to_owned()
            }
            Try::Done(page) => return Ok(page),
            Try::Stale if fresh_tokens < FRESH_TOKENS => {
                fresh_tokens += 1;
                let fresh = list.refresh(&step.token).await;
                step.token = fresh.map_err(|error| Fault::Pod(error.to_string()))?;
                continue;
            }
            Try::Stale => {
                let why = format!("{FRESH_TOKENS} fresh tokens were stale at once");
                return Err(Fault::Pod(why));
            }
            Try::Refused(error) => refused.insert(error).to_string(),
            Try::FailedForGood(error) => return Err(for_good(error)),
            Try::Failed(why) => why,
            Try::Unanswered(error) => outage.insert(error).to_string(),
        };
        let pause = match (pauses.next(), outage, refused) {
            (Some(pause), ..) => pause,
            (None, _, Some(error)) => return Err(for_good(error)),
            (None, Some(_), _) if rounds < DUMP_ROUNDS => {
                wait_for_profiler(list).await?;
                rounds += 1;
                pauses = retry::pauses(&list.connection.limits).build();
                continue;
            }
            (None, ..) => return Err(Fault::Pod(format!("{fault} ({tries} tries)"))),
        };
        tracing::debug!(pod = step.pod, fault, ?pause, "dumping it again");
        tokio::time::sleep(pause).await;
        tries += 1;
    }
}

/// What an error means that no other try would mend.
fn for_good(error: CallError) -> Fault {
    if error.is_definite() {
        Fault::Run(error)
    } else {
        Fault::Pod(error.to_string())
    }
}

/// Asks whether virt-api is there, and waits for it if it is away: it was no fault of the pod then.
///
/// # Errors
/// It stays away, or the profiler is off: no other pod can be dumped, either.
async fn wait_for_profiler(list: &PodList) -> Result<(), Fault> {
    profiler::look(&list.connection).await.map_err(Fault::Run)
}

/// The token of a pod's page, found by walking the list from its beginning.
async fn find_token(list: &PodList, pod: &str) -> Result<String, Fault> {
    let mut walker = Walker::new(list.clone());
    let fault = |error: CallError| Fault::Pod(error.to_string());
    while let Some(step) = walker.next().await.map_err(fault)? {
        if step.pod == pod {
            return Ok(step.token);
        }
    }
    Err(Fault::Pod(GONE.to_owned()))
}

/// The result of one try to fetch a page.
enum Try {
    /// The page was read to its end.
    Done(Page),
    /// The token is too old; a fresh one is needed.
    Stale,
    /// The call failed, and would fail again.
    FailedForGood(CallError),
    /// The server refused the call. That is believed when it is repeated.
    Refused(CallError),
    /// The page could not be had, and may be the next time.
    Failed(String),
    /// The same, and it may be that nobody is there to answer.
    Unanswered(CallError),
}

async fn try_page(list: &PodList, step: &Step, landing: &Landing) -> Try {
    let request = DumpRequest {
        label_selector: list.selector.clone(),
        continue_token: step.token.clone(),
        page_size: 1,
    };
    let body = match profiler::dump(&list.connection, &request).await {
        Ok(DumpAnswer::Page(body)) => body,
        Ok(DumpAnswer::Empty) => return Try::Failed("the pod is not Ready, or is gone".to_owned()),
        Ok(DumpAnswer::Expired) => return Try::Stale,
        Err(error) if error.is_outage() => return Try::Unanswered(error),
        Err(error) if error.may_pass() => return Try::Failed(error.to_string()),
        Err(error) if error.outlook() == Outlook::Refused => return Try::Refused(error),
        Err(error) => return Try::FailedForGood(error),
    };
    let wanted = Wanted {
        pod: step.pod.clone(),
        dumped_at: (list.connection.limits.now)(),
    };
    // Nobody closes it.
    let _permit = landing.room.acquire().await;
    let (sender, reader) = stream::channel();
    let spool = landing.spool.clone();
    let parse = tokio::task::spawn_blocking(move || page::read(reader, &wanted, &spool));
    sender.send(body, list.connection.limits.idle).await;
    match joined(parse.await) {
        Ok(page) => Try::Done(page),
        Err(error) => Try::Failed(error.to_string()),
    }
}
