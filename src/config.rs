//! The run's configuration: environment variables in, one checked [`Config`] out.
//!
//! Nothing after this module reads the environment or checks a value again. A setting of ours is a row of
//! `variables.rs`; `read.rs` makes it a part of the configuration.

mod destination;
mod foreign_settings;
mod min_complete;
mod parse;
mod push;
mod push_config;
mod read;
mod run_id;
mod setting;
mod types;
mod variables;
mod window;
mod window_config;

pub use foreign_settings::{ChecksumsSet, OwnPod};
pub use min_complete::MinComplete;
pub use push_config::{PushAccess, PushConfig, PushServer, PushTarget};
pub use read::{from_environment, places, push_access, signal_files, undo_config};
pub use run_id::{RunFile, RunId};
pub use setting::{PREFIX, Variable};
pub use types::{
    CompareConfig, Config, ConfigError, DestinationConfig, EnablePolicy, EngineConfig, LogFormat,
    Patience, Retention, S3Config, S3Settings, SignalFiles, Telling, TerminationLog, UndoConfig,
};
pub use variables::VARIABLES;
pub use window_config::{SnapshotConfig, VmiConfig, WindowConfig};
