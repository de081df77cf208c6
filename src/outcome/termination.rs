//! The message that Kubernetes shows as the container's reason for ending.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use serde::Serialize;

/// Kubernetes keeps 4096 bytes a container and 12 KiB a pod; this leaves room for neighbours.
const LIMIT: usize = 1024;

/// What the termination message says, as one JSON object.
#[derive(Debug, Clone, Serialize)]
pub struct Message {
    /// The number that the process exits with.
    pub exit_code: u8,
    /// Why, for a person.
    pub reason: String,
    /// The run's id, where the configuration got that far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// Where the archive is, if one was shipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archive: Option<String>,
}

impl Message {
    /// The message as JSON of at most 1 KiB; a long reason is cut.
    pub fn to_json(&self) -> String {
        let mut message = self.clone();
        loop {
            let json = serde_json::to_string(&message).unwrap_or_default();
            if json.len() <= LIMIT || message.reason.is_empty() {
                return json;
            }
            let excess = json.len() - LIMIT + '…'.len_utf8();
            let keep = message.reason.len().saturating_sub(excess.max(1));
            let keep = message.reason.floor_char_boundary(keep);
            message.reason.truncate(keep);
            if keep > 0 {
                message.reason.push('…');
            }
        }
    }
}

/// Writes the message. Only a path that the user set is created: on a laptop there is no
/// `/dev/termination-log`, and none should appear.
///
/// # Errors
/// The file cannot be written. The caller may log that and nothing else: the exit code stands.
pub fn write(path: &Path, create: bool, message: &Message) -> std::io::Result<()> {
    if !create && !path.exists() {
        return Ok(());
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create(create)
        .truncate(true)
        .open(path)?;
    file.write_all(message.to_json().as_bytes())
}
