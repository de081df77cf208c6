//! How continue tokens age.

use std::time::Duration;

use crate::client::{Bench, COMPONENTS};
use standin::Options;

#[tokio::test]
async fn a_stale_token_is_400_through_virt_api_and_410_with_a_fresh_one_on_list() {
    let bench = Bench::new(Options::default()).await;
    let pods = bench.standin.pods();
    let stale = bench.list(3, "").await.token();
    assert_eq!(bench.dump(COMPONENTS, &stale, 1).await.pods(), pods[3..4]);

    bench.standin.expire_tokens();
    let refused = bench.dump(COMPONENTS, &stale, 1).await;
    assert_eq!(
        (refused.status, refused.content_type.as_str()),
        (400, "text/plain; charset=utf-8")
    );
    assert!(refused.body.contains(
        "The provided continue parameter is too old to display a consistent list result"
    ));

    let gone = bench.list(1, &stale).await;
    let status = gone.json();
    assert_eq!((gone.status, &status["reason"]), (410, &"Expired".into()));
    assert_eq!(
        bench.dump(COMPONENTS, &gone.token(), 1).await.pods(),
        pods[3..4]
    );
}

#[tokio::test]
async fn tokens_age_by_themselves() {
    let bench = Bench::new(Options {
        token_age: Duration::from_millis(1),
        ..Options::default()
    })
    .await;
    let token = bench.list(1, "").await.token();
    while bench.list(1, &token).await.status != 410 {}
}

#[tokio::test]
async fn a_malformed_token_is_400_in_either_manner() {
    let bench = Bench::new(Options::default()).await;
    let text = bench.dump(COMPONENTS, "no token", 1).await;
    assert_eq!(text.status, 400);
    assert!(
        text.body.contains("invalid continue token"),
        "{}",
        text.body
    );
    let status = bench.list(1, "abc").await;
    assert_eq!(
        (status.status, &status.json()["reason"]),
        (400, &"BadRequest".into())
    );
}

#[tokio::test]
async fn a_chain_shows_the_pods_of_its_first_page() {
    let bench = Bench::new(Options::default()).await;
    let pods = bench.standin.pods();
    let token = bench.list(3, "").await.token();
    bench.standin.remove_pod(&pods[3]);
    let failed = bench.dump(COMPONENTS, &token, 1).await;
    assert_eq!(failed.status, 500);
    assert!(failed.body.contains("no route to host"), "{}", failed.body);
}
