//! The real control plane's manners, over the wire.

mod client;
mod damaged;
mod http2;
mod hyperconverged;
mod kubevirt;
mod leases;
mod pages;
mod refusals;
mod tokens;
mod windows;
