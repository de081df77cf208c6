//! Pushes to a real Pyroscope and to a stand-in of it and of Parca (`helpers/push`), with the stand-in of a cluster, and
//! what comes back out of them.
//!
//! `cargo e2e` runs it, `cargo test --test push -- WORD…` only the cases with these words in their names.

mod by_rules;
mod dashboard;
#[expect(dead_code, reason = "the suite uses the rest of it")]
#[path = "../suite/harness.rs"]
mod harness;
mod pyroscope;
mod reference_client;
#[expect(dead_code, reason = "others build examples with it")]
#[path = "../rig/suite.rs"]
mod suite;
mod untold;

use std::collections::BTreeMap;
use std::time::Duration;

use by_rules::ByRules;
use harness::{Place, RUN_ID, until};
use pyroscope::Pyroscope;
use serde_json::Value;
use standin::{Options, Profiles, Standin};
use suite::{Case, Suite};

/// Longer than any case takes.
const PATIENCE: Duration = Duration::from_secs(300);

fn main() -> std::process::ExitCode {
    let mut suite = Suite::of_arguments();
    suite.on("by the rules", &[], RULED);
    suite.on("pyroscope", &[], TAKING);
    suite.on(
        "narrow",
        &["-ingester.max-global-series-per-tenant=40"],
        NARROW,
    );
    // To such a server everything is old.
    suite.on(
        "impatient",
        &["-validation.reject-older-than=1ms"],
        IMPATIENT,
    );
    suite.end()
}

const RULED: &[Case<ByRules>] = &[
    (
        "both servers take all, with and without a baseline",
        |server| to_the_end(taken_by_both(server)),
    ),
    (
        "a request is the reference client's but for what is better",
        |server| to_the_end(reference_client::compared(server)),
    ),
    (
        "a run that is told nothing of a push connects to no such server",
        |server| to_the_end(untold::reaches_nothing_else(server)),
    ),
];

const TAKING: &[Case<Pyroscope>] = &[
    ("a run comes back with the same sums", |server| {
        to_the_end(same_sums(server))
    }),
    ("each query of the dashboard has an answer", |server| {
        to_the_end(dashboard::answered(server))
    }),
];

const NARROW: &[Case<Pyroscope>] = &[("what a limit of series cuts off is sent once", |server| {
    to_the_end(cut_off(server))
})];

const IMPATIENT: &[Case<Pyroscope>] =
    &[("what is too old is told from what is refused", |server| {
        to_the_end(too_old(server))
    })];

/// Runs a case, with threads of their own for the stand-in.
fn to_the_end(case: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Runtime::new().expect("threads");
    let ended = runtime.block_on(async { tokio::time::timeout(PATIENCE, case).await });
    ended.expect("the case ends");
}

async fn place(target: String) -> (Place, Standin) {
    let options = Options {
        profiles: Profiles::Window,
        ..Options::default()
    };
    let standin = Standin::start(options).await.expect("a stand-in");
    let place = Place::new(&standin)
        .with("PROFILER_BASELINE", "true")
        .with("PROFILER_PUSH", target);
    (place, standin)
}

fn kept_push(place: &Place) -> Value {
    kept_pushes(place).swap_remove(0)
}

fn kept_pushes(place: &Place) -> Vec<Value> {
    let path = place.out().join(format!("profile-{RUN_ID}.push.json"));
    let json = std::fs::read(path).expect("a file");
    let file: Value = serde_json::from_slice(&json).expect("JSON");
    file["pushes"].as_array().expect("pushes").clone()
}

/// The sums that are kept are what google/pprof adds up, of the bytes that arrived.
async fn taken_by_both(server: &ByRules) {
    const KINDS: [&str; 2] = ["pyroscope", "parca"];
    let targets = KINDS.map(|kind| server.target(kind));
    let (place, _standin) = place(targets.join(",")).await;
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    for (kind, push) in KINDS.iter().zip(kept_pushes(&place)) {
        assert_eq!(push["complete"], true, "{push}");
        assert_eq!(server.totals(kind), push["totals"], "{kind}");
    }
    let place = place
        .with("PROFILER_BASELINE", "false")
        .with("PROFILER_RUN_ID", "second");
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert!(!ended.log.contains(" refused"), "{}", ended.log);
}

/// What the run says was stored is what the archive's profiles add up to, as the suite shows; here the server says it.
async fn same_sums(server: &Pyroscope) {
    let (place, _standin) = place(server.target()).await;
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let said = kept_push(&place);
    assert_eq!(said["complete"], true, "{said}");
    let wanted: BTreeMap<String, BTreeMap<String, i64>> =
        serde_json::from_value(said["totals"].clone()).expect("totals");
    assert_eq!(wanted.len(), 4, "every component: {said}");
    until("all that was pushed", || {
        server.types().len() >= types(&wanted).len()
    })
    .await;
    let mut compared = 0;
    for (component, totals) in &wanted {
        for (key, total) in totals {
            let served = server.types();
            let id = served.iter().find(|id| id.starts_with(&format!("{key}:")));
            let id = id.unwrap_or_else(|| panic!("{key} is not among {served:?}"));
            let got = server.total(id, component);
            println!("    {component} {id}: {total} pushed, {got} read back");
            assert_eq!(got, *total, "{component} {id}");
            compared += 1;
        }
    }
    assert!(compared >= 20, "only {compared} sums");
}

fn types(totals: &BTreeMap<String, BTreeMap<String, i64>>) -> std::collections::BTreeSet<&String> {
    totals.values().flat_map(BTreeMap::keys).collect()
}

/// The server stores some of a request, and says no: of that nobody knows what it was.
async fn cut_off(server: &Pyroscope) {
    let (place, _standin) = place(server.target()).await;
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let said = kept_push(&place);
    assert!(said.to_string().contains("series limit exceeded"), "{said}");
    assert!(said["profiles"]["stored"].as_u64() > Some(0), "{said}");
    assert!(said["profiles"]["unknown"].as_u64() > Some(0), "{said}");
    assert!(said["profiles"]["not_sent"].is_null(), "{said}");
    let pods = place.shipped().manifest.pods.len() as u64;
    let sent = pods - said["pods_not_reached"].as_u64().unwrap_or(0);
    assert_eq!(server.pushes(), sent, "each pod once: {said}");
}

async fn too_old(server: &Pyroscope) {
    let (place, _standin) = place(server.target()).await;
    let ended = place.run().await;
    assert_eq!(
        ended.code, 0,
        "a push is no fault of the run: {}",
        ended.log
    );
    let said = kept_push(&place);
    assert!(said["profiles"]["too_old"].as_u64() > Some(0), "{said}");
    assert!(said["profiles"]["refused"].is_null(), "{said}");
    assert!(
        said["advice"]
            .as_str()
            .expect("advice")
            .contains("reject-older-than"),
        "{said}"
    );
}
