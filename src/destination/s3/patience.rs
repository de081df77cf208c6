//! Requests that bring a run's data. Each is sent again for as long as its failure may pass, and an object's
//! own mark tells whether a try whose answer was lost has made it.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::error::RequestError;
use super::objects::{Mark, Objects};
use crate::destination::error::DestinationError;
use crate::limits::{S3_FIRST_PAUSE, S3_LONGEST_PAUSE, S3_REFUSALS};

/// The tries of one request: as many as AWS_MAX_ATTEMPTS says, or as many as there is time for.
struct Tries {
    end: Instant,
    left: Option<u32>,
    pause: Duration,
    is_first: bool,
    refusals: u32,
}

impl Tries {
    fn new(objects: &Objects) -> Self {
        Self {
            end: Instant::now() + objects.limits().patience,
            left: objects.settings().max_attempts,
            pause: S3_FIRST_PAUSE,
            is_first: true,
            refusals: 0,
        }
    }

    /// Whether a failure may pass. Preflight was neither refused nor sent elsewhere, so one that is may be one
    /// server's of many: it is believed when it is repeated. So it is that an upload, or a part of it, is gone.
    fn may_pass(&mut self, failed: &RequestError) -> bool {
        let is_refusal = failed.error.permanent || failed.is_absent() || failed.lacks_part();
        self.refusals += u32::from(is_refusal);
        !is_refusal || self.refusals < S3_REFUSALS
    }

    /// Whether to try again, once it is time to. A server that says when is not asked before.
    async fn again(&mut self, failed: &RequestError) -> bool {
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(1);
        }
        let asked_for = failed.retry_after.unwrap_or_default();
        let pause = asked_for.max(self.next_pause());
        // A server may ask for any time.
        let left = self.end.saturating_duration_since(Instant::now());
        if self.left == Some(0) || pause >= left {
            return false;
        }
        if std::mem::take(&mut self.is_first) {
            tracing::warn!(error = %failed.error, ?pause, "trying again, for as long as there is time");
        } else {
            tracing::debug!(error = %failed.error, ?pause, "trying again");
        }
        sleep(pause).await;
        true
    }

    /// Pauses that double, each shortened by chance so that two parts do not come back together.
    fn next_pause(&mut self) -> Duration {
        let pause = self.pause.mul_f64(0.5 + fastrand::f64() / 2.0);
        self.pause = (self.pause * 2).min(S3_LONGEST_PAUSE);
        pause
    }
}

/// Sends a request until it succeeds, is refused for good, or has taken too long.
pub(super) async fn patiently<T, F: Future<Output = Result<T, RequestError>>>(
    objects: &Objects,
    mut send: impl FnMut() -> F,
) -> Result<T, DestinationError> {
    let mut tries = Tries::new(objects);
    loop {
        match send().await {
            Ok(done) => return Ok(done),
            Err(failed) if tries.may_pass(&failed) && tries.again(&failed).await => {}
            Err(failed) => return Err(failed.error),
        }
    }
}

/// Sends a request that makes an object until the object is there. After every failure the bucket is asked
/// for the object: a try whose answer was lost may have made it, and what the next one is answered then,
/// such as 404, 409 or 500, is the server's choice. Returns whether the server confirmed it.
pub(super) async fn until_it_appears<F: Future<Output = Result<(), RequestError>>>(
    objects: &Objects,
    key: &str,
    mark: &Mark,
    mut send: impl FnMut() -> F,
) -> Result<bool, DestinationError> {
    let mut tries = Tries::new(objects);
    let mut absent_until = None;
    loop {
        let failed = match send().await {
            Ok(()) => return Ok(true),
            Err(failed) => failed,
        };
        // A look that hangs may not take the time of the next try.
        if let Ok(Ok(Some(head))) = timeout(objects.limits().appearance, objects.head(key)).await
            && head.is_of(mark)
        {
            tracing::warn!(error = %failed.error, "it is there all the same, by its size and its mark");
            return Ok(false);
        }
        // An upload that is gone was completed, and its object may show a little later; or it was aborted.
        let may_pass = if failed.is_absent() {
            let now = Instant::now();
            now < *absent_until.get_or_insert(now + objects.limits().appearance)
        } else {
            tries.may_pass(&failed)
        };
        if !may_pass || !tries.again(&failed).await {
            return Err(failed.error);
        }
    }
}

/// Checks that the object has as many bytes as were sent. A server that confirmed it may be some time in
/// showing it, or show an earlier one meanwhile. If it does not answer in that time, or before `hurry` resolves, or the
/// account may not ask, the server is believed: an archive that it has confirmed is not to be without a manifest.
pub(super) async fn check(
    objects: &Objects,
    key: &str,
    mark: &Mark,
    hurry: impl Future<Output = ()>,
) -> Result<(), DestinationError> {
    let end = Instant::now() + objects.limits().appearance;
    let mut wrong = None;
    let shown = tokio::select! {
        biased;
        shown = until_it_shows(objects, key, mark, end, &mut wrong) => Some(shown),
        () = sleep_until(end) => None,
        () = hurry => None,
    };
    match (shown, wrong) {
        (Some(shown), _) => shown,
        (None, Some(error)) => Err(error),
        (None, None) => {
            tracing::warn!("the archive's size is not checked: the bucket does not answer");
            Ok(())
        }
    }
}

/// Looks until the object has as many bytes as were sent. `wrong` is what is wrong with what it has until then.
async fn until_it_shows(
    objects: &Objects,
    key: &str,
    mark: &Mark,
    end: Instant,
    wrong: &mut Option<DestinationError>,
) -> Result<(), DestinationError> {
    let mut pause = S3_FIRST_PAUSE;
    // The account's rights do not change by asking again.
    let look = || async {
        match objects.head(key).await {
            Err(failed) if failed.is_denied() => Ok(Err(failed.error)),
            looked => looked.map(Ok),
        }
    };
    loop {
        let head = match patiently(objects, look).await {
            Ok(Ok(head)) => head,
            Ok(Err(error)) | Err(error) => {
                tracing::warn!(%error, "the archive's size is not checked");
                return Ok(());
            }
        };
        let is_ours = head.as_ref().is_some_and(|head| head.has_mark(mark));
        let found = match head {
            Some(head) if head.bytes == mark.bytes && head.has_no_other_mark(mark) => return Ok(()),
            Some(head) => format!("there are {}", head.bytes),
            None => "it is not there".to_owned(),
        };
        let error = DestinationError {
            action: "check",
            object: objects.uri(key),
            detail: format!("{} bytes were sent, and {found}", mark.bytes),
            permanent: false,
        };
        if is_ours || Instant::now() + pause >= end {
            return Err(error);
        }
        tracing::debug!(%error, ?pause, "looking again");
        *wrong = Some(error);
        sleep(pause).await;
        pause = (pause * 2).min(S3_LONGEST_PAUSE);
    }
}
