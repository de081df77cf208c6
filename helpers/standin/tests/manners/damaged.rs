//! Pages that break, end early or carry what they should not.

use std::time::Duration;

use crate::client::{Answer, Bench, COMPONENTS};
use standin::{Damage, Fault, Options, Times};

async fn damaged(damage: Damage) -> (Answer, Answer, String) {
    let bench = Bench::new(Options {
        pods: 4,
        ..Options::default()
    })
    .await;
    let pod = bench.standin.pods()[1].clone();
    bench
        .standin
        .pod_fault(&pod, Fault::Damaged(damage, Times::First(1)));
    let first = bench.dump(COMPONENTS, "", 4).await;
    (first, bench.dump(COMPONENTS, "", 4).await, pod)
}

#[tokio::test]
async fn a_break_or_an_end_in_a_string_is_at_no_multiple_of_four() {
    for (damage, ended) in [
        (Damage::BrokenInString, false),
        (Damage::EndsInString, true),
    ] {
        let (page, again, _) = damaged(damage).await;
        assert_eq!((page.status, page.ended), (200, ended));
        let (_, text) = page.body.rsplit_once('"').expect("a string");
        assert_ne!(text.len() % 4, 0);
        assert_eq!(again.pods().len(), 4, "only once");
    }
}

#[tokio::test]
async fn json_that_ends_early_or_is_not_base64() {
    let (page, ..) = damaged(Damage::EndsInStructure).await;
    assert!(page.ended && page.body.ends_with('"'));
    let (page, _, pod) = damaged(Damage::InvalidBase64).await;
    let heap = &page.json()["componentResults"][&pod]["pprofData"]["heap.pprof"];
    assert!(heap.as_str().is_some_and(|text| text.contains("!*?#")));
}

#[tokio::test]
async fn hostile_names_come_through() {
    let names = vec!["../evil".to_owned(), "nul\0".to_owned(), "n".repeat(300)];
    let (page, _, pod) = damaged(Damage::ExtraPods(names.clone())).await;
    assert!(names.iter().all(|name| page.pods().contains(name)));
    assert!(page.body.contains("\\u0000"));
    assert!(page.pods().contains(&pod));
    let (page, _, pod) = damaged(Damage::ExtraFiles(names.clone())).await;
    assert_eq!(page.files(&pod).len(), 6 + names.len());
}

#[tokio::test]
async fn a_file_is_missing_or_a_number() {
    let (page, _, pod) = damaged(Damage::MissingFile("block.pprof".to_owned())).await;
    assert_eq!(page.files(&pod).len(), 5);
    let (page, _, pod) = damaged(Damage::WrongType("mutex.pprof".to_owned())).await;
    assert!(page.json()["componentResults"][&pod]["pprofData"]["mutex.pprof"].is_number());
}

#[tokio::test]
async fn kube_apiserver_cuts_what_takes_too_long() {
    let response_limit = Duration::ZERO;
    let bench = Bench::new(Options {
        response_limit,
        ..Options::default()
    })
    .await;
    let page = bench.dump(COMPONENTS, "", 1).await;
    assert_eq!((page.status, page.ended), (200, false));
}
