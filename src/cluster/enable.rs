//! What a person does to turn the profiler on, for the KubeVirt that is installed.

use super::call::Connection;
use super::gate::{self, Switch};
use super::install::Install;
use super::schema;
use crate::limits::ADVICE_WAIT;

/// What is to be done about a profiler that is off.
#[derive(Debug)]
pub enum Advice {
    /// It is turned on already, and not known everywhere yet.
    Wait,
    /// This command turns it on.
    Command(String),
}

/// The command that turns the profiler on for this installation, with all that others have set. Where
/// its schema cannot be read, that is said, with the command for KubeVirt 1.8 and later.
pub async fn advice(connection: &Connection, install: &Install) -> Advice {
    let switch = tokio::time::timeout(ADVICE_WAIT, schema::switch(connection)).await;
    let (switch, doubt) = match switch {
        Ok(Ok(switch)) => (switch, String::new()),
        Ok(Err(error)) => (Switch::Field, unknown(&error.to_string())),
        Err(_) => (Switch::Field, unknown("it did not come")),
    };
    let plan = tokio::time::timeout(ADVICE_WAIT, gate::plan(connection, install, switch)).await;
    let command = match plan {
        Ok(Ok(Some(plan))) => plan.command(install),
        Ok(Ok(None)) => return Advice::Wait,
        Ok(Err(_)) | Err(_) => gate::unread_command(install, switch),
    };
    Advice::Command(command + &doubt)
}

fn unknown(why: &str) -> String {
    format!("\n(for KubeVirt 1.8 and later; its schema could not be read: {why})")
}

impl std::fmt::Display for Advice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Wait => f.write_str(
                "its configuration has it on, so wait until that is known everywhere; if that does \
                 not come, see KubeVirt's status and virt-api's log",
            ),
            Self::Command(command) => write!(f, "turn it on: {command}"),
        }
    }
}
