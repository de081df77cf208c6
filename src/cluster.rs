//! The cluster: the API server, the KubeVirt in it, its component pods and their profiler.

pub mod call;
pub mod connect;
pub mod enable;
pub mod event;
pub mod gate;
pub mod install;
pub mod lease;
pub mod pods;
pub mod profiler;
pub mod retry;
pub mod rights;
pub mod schema;
pub mod stop_confirmation;
pub mod tokens;
