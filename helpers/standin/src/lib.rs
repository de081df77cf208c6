//! A stand-in KubeVirt control plane: kube-apiserver, virt-api and the component pods behind it,
//! in one process on the loopback, with the manners that were seen in the real ones.
//!
//! It is a library for tests ([`Standin::start`]) and a program (`cargo run -p standin`).
//! What it answers, in which order it looks at things, and where it loses data are the real
//! ones' ways; only the pods are made up. Its memory does not grow with the number of pods.

mod body;
mod client;
mod cpu;
mod damage;
mod fault;
mod list;
mod log;
mod names;
mod options;
mod page;
mod pod;
mod pod_object;
mod profiler;
mod profiles;
mod rbac;
mod reply;
mod revisions;
mod router;
mod routes;
mod selector;
mod server;
mod standin;
mod state;
mod strike;
mod tls;
mod token;

pub use fault::{Damage, Fault, RouteAnswer, RouteFault, Times};
pub use log::Seen;
pub use names::component_of;
pub use options::{Denied, KubeVirt, Options};
pub use profiles::{KINDS, Profiles};
pub use standin::Standin;
pub use state::State;
