//! The runner's behaviour, shown by the real binary against the stand-in control plane.

mod harness;

mod complete_run;
mod configuration;
mod destination;
mod docs;
mod panics;
mod pod_faults;
mod refusals;
mod stopped;
mod tidy;
mod tokens;
