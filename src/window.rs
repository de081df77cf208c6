//! The window: the time between start and stop.

use std::time::Duration;

use crate::manifest::EndedBy;

/// Waits for the window's end.
pub async fn wait(settle: Duration) -> EndedBy {
    tokio::time::sleep(settle).await;
    EndedBy::Settle
}
