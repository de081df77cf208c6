//! A stand-in KubeVirt control plane: kube-apiserver, virt-api and the component pods behind it,
//! in one process on the loopback, with the manners that were seen in the real ones.
//!
//! It is a library for tests ([`Standin::start`]) and a program (`cargo run -p standin`).
//! What it answers, in which order it looks at things, and where it loses data are the real
//! ones' ways; only the pods are made up. Its memory does not grow with the number of pods.

mod annotation;
mod body;
mod client;
mod clock;
mod control;
mod cpu;
mod damage;
mod edits;
mod fault;
mod heavier;
mod hyperconverged;
mod json_patch_errors;
mod kubevirt;
mod list;
mod log;
mod managed;
mod names;
mod object;
mod operators;
mod options;
mod page;
mod pod;
mod pod_object;
mod profiler;
mod profiles;
mod rbac;
mod refusal;
mod reply;
mod resource;
mod revisions;
mod router;
mod routes;
mod selector;
mod server;
mod shared;
mod standin;
mod state;
mod strike;
pub mod tls;
mod token;
mod upcoming;
mod vm_object;
mod vms;

pub use fault::{Damage, Fault, RouteAnswer, RouteFault, Times};
pub use heavier::Heavier;
pub use log::Seen;
pub use names::component_of;
pub use options::{Denied, HyperConvergedApi, KubeVirt, Options, Profiles};
pub use profiles::KINDS;
pub use standin::Standin;
pub use state::State;
pub use vms::{Fate, VmCreation, VmScript, WatchEnd};
