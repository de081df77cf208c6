//! The steps that happen by themselves, each at its time.

use std::{future, sync::Arc};

use tokio::time::{Instant, sleep_until};

use crate::shared::Shared;

/// Does every step at its time, until it is aborted.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut changes = shared.state.subscribe();
    loop {
        let next = changes.borrow_and_update().control.upcoming.next();
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            () = until(next) => shared.change(|_| ()),
        }
    }
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => future::pending().await,
    }
}
