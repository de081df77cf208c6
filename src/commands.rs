//! What a person or another step does beside a run.

pub mod ready;
pub mod stop;
