//! What a run works with.

use crate::cluster::call::Connection;
use crate::config::Config;
use crate::destination::Destination;

/// A configured run, ready to begin.
#[derive(Debug)]
pub(super) struct Job<E> {
    pub(super) config: Config,
    pub(super) connection: Connection,
    pub(super) destination: Destination,
    pub(super) engine: E,
}
