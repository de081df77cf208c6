//! The runner's behaviour, shown by the real binary against the stand-in control plane.

mod goldens;
mod harness;

mod beside;
mod complete_run;
mod completeness;
mod configuration;
mod confirmed_stop;
mod convert;
mod destination;
mod docs;
mod dry_run;
mod engines;
mod fallback;
mod gate;
mod gate_patch;
mod kept;
mod lock;
mod names;
mod panics;
mod pod_faults;
mod pprof_decode;
mod pprof_fuzz;
mod pprof_malformed;
mod pprof_oracle;
mod progress;
mod refusals;
mod retention;
mod s3;
mod s3_faults;
mod signals;
mod start;
mod telling;
mod tidy;
mod tokens;
mod window;
