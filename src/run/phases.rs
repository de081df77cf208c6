//! The phases of a run, one file each, in the order in which `run::work` goes through them. No phase
//! imports another one: what it needs of the phase before is handed to it.

pub(crate) mod dump;
pub(crate) mod gate;
pub(crate) mod lock;
pub(crate) mod preflight;
pub(crate) mod report;
pub(crate) mod restore;
pub(crate) mod start;
pub(crate) mod stop;
pub(crate) mod window;
