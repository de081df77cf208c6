//! Profiles the KubeVirt control plane as a Kubernetes Job.
//!
//! The layers, lowest first, are the table in `docs/architecture.md`; a test holds the imports
//! to it.

pub mod archive;
pub mod cluster;
pub mod commands;
pub mod component;
pub mod config;
pub mod destination;
pub mod engine;
pub mod errors;
pub mod file;
pub mod limits;
pub mod manifest;
pub mod outcome;
pub mod pprof;
pub mod proxy;
pub mod run;
pub mod window;
