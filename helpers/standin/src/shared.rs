//! The state and the options, shared by all requests.

use std::sync::atomic::AtomicUsize;

use tokio::sync::watch;

use crate::{options::Options, profiles::Encoded, state::State};

/// Everything that a request needs.
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) profiles: Encoded,
    pub(crate) state: watch::Sender<State>,
    /// How many dumps are under way.
    pub(crate) dumps: AtomicUsize,
    /// The most dumps that were under way at once.
    pub(crate) most_dumps: AtomicUsize,
}

impl Shared {
    /// Changes the state, does what is due then, and wakes whoever waits for a change.
    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let mut result = None;
        self.state.send_modify(|state| {
            result = Some(change(state));
            state.settle();
        });
        result.expect("send_modify calls its closure")
    }
}
