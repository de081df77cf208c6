//! How a run ends, told to whoever started it: the exit code and the message.

mod exit_code;
mod message;

pub use exit_code::ExitCode;
pub use message::Message;
