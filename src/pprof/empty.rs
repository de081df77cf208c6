//! The reason why a profile of a whole text has no samples, for a person.

use super::kind::Kind;
use super::reader::Header;

/// The comment of a mutex profile whose process samples none.
const NO_MUTEXES: &str = "sampling period=0";

/// How the comment of any mutex profile begins.
const PERIOD: &str = "sampling period=";

/// Why a profile without samples may have none. KubeVirt's profiler switches neither block nor mutex on, so a stock
/// build's are always empty. None for the kinds that have samples in every process, and cpu, whose window is
/// looked at elsewhere.
pub fn why_empty(kind: Kind, header: &Header) -> Option<&'static str> {
    let is_off = header.comments.iter().any(|comment| comment == NO_MUTEXES);
    let mut comments = header.comments.iter();
    let has_period = comments.any(|comment| comment.starts_with(PERIOD));
    match kind {
        Kind::Mutex if is_off => Some(
            "the component samples no contended mutexes: its mutex profile fraction is 0, as a stock KubeVirt leaves it",
        ),
        Kind::Mutex if has_period => {
            Some("the component samples contended mutexes, but none that it sampled was contended")
        }
        Kind::Mutex => Some(
            "the component samples no contended mutexes, as a stock KubeVirt does not, or none was contended: its text does not say which",
        ),
        Kind::Block => Some(
            "the component samples no waits, as a stock KubeVirt does not, or nothing waited: its text does not say which",
        ),
        Kind::Allocs | Kind::Cpu | Kind::Goroutine | Kind::Heap | Kind::Threadcreate => None,
    }
}
