//! What a run works with.

use tokio::sync::Mutex;

use super::progress::Progress;
use super::told::Told;
use crate::cluster::call::Connection;
use crate::cluster::confirm::Confirmation;
use crate::config::Config;
use crate::destination::Destination;

/// A configured run; the work and whoever undoes it share it.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) config: Config,
    pub(super) connection: Connection,
    pub(super) destination: Destination,
    pub(super) progress: Progress,
    pub(super) told: Told,
    /// The stop of what was started, shared with whoever undoes. `None` until start is sent.
    pub(super) confirmation: Mutex<Option<Confirmation>>,
}
