//! Profiles the KubeVirt control plane as a Kubernetes Job.
//!
//! The layers, lowest first, are the table in `docs/architecture.md`; a test holds the imports
//! to it.

// They panic where nobody reads any more: `run/status/log.rs` has what does not.
#![warn(clippy::print_stdout, clippy::print_stderr)]

pub mod archive;
pub mod cluster;
pub mod commands;
pub mod component;
pub mod config;
pub mod destination;
pub mod diff;
pub mod engine;
pub mod errors;
pub mod file;
pub mod functions;
pub mod limits;
pub mod manifest;
pub mod outcome;
pub mod proxy;
pub mod push;
pub mod report;
pub mod run;
pub mod table;
pub mod trust;
pub mod verdict;
pub mod window;

pub use pprof;
