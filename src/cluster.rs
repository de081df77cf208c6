//! The cluster: the API server, the KubeVirt in it, its component pods and their profiler.

pub mod call;
mod call_error;
pub mod connect;
mod credentials;
pub mod event;
pub mod hurry;
pub mod install;
pub mod lease;
pub mod permit;
pub mod pods;
pub mod profiler;
pub mod profiler_switch;
pub mod retry;
pub mod rights;
mod sockets;
pub mod stop_confirmation;
pub mod surroundings;
pub mod tokens;
pub mod vmis;
