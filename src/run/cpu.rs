//! Whether a cpu profile is of this run's window, by its own account.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::manifest::Window;
use crate::pprof::proto::Summary;

/// Clocks of nodes differ; a stale profile is older than this.
const CLOCKS: SignedDuration = SignedDuration::from_mins(5);

/// What is wrong with a pod's cpu profile, if anything is. Its length may fall short of the
/// window's by `slack`, for pods start and stop one after another; longer is no fault.
pub(super) fn problem(times: &Summary, window: &Window, slack: Duration) -> Option<String> {
    let length = window.stop.duration_since(window.start);
    let covers = SignedDuration::from_nanos(times.duration_nanos);
    let slack = SignedDuration::try_from(slack).unwrap_or(SignedDuration::MAX);
    if covers.saturating_add(slack) < length {
        return Some(format!(
            "cpu covers {:.1} s of the window's {:.1} s: somebody else started or stopped the profiler",
            covers.as_secs_f64(),
            length.as_secs_f64()
        ));
    }
    let Ok(time) = Timestamp::from_nanosecond(times.time_nanos.into()) else {
        return Some("cpu.pprof has no time that makes sense".to_owned());
    };
    let off = time.duration_since(window.start).abs();
    (off > CLOCKS).then(|| format!("cpu was taken at {time:.0}, not in this window: it is stale"))
}
