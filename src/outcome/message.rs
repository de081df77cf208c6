//! What is told of a run's end: one message, for the termination log, the done file and, field by
//! field, the results directory.

use serde::Serialize;

use super::exit_code::ExitCode;

/// Kubernetes keeps 4096 bytes a container and 12 KiB a pod; this leaves room for neighbours.
const LIMIT: usize = 1024;

/// A run's end.
#[derive(Debug, Clone, Serialize)]
pub struct Message {
    /// The number that the process exits with.
    pub exit_code: u8,
    /// The same as a word.
    pub status: ExitCode,
    /// Why, for a person.
    pub reason: String,
    /// The run's id, where the configuration got that far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// Where the archive is, if one was shipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// The archive's size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// The archive's SHA-256.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The workload's exit code, if it told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workload_exit_code: Option<u8>,
}

impl Message {
    /// The message as JSON of at most 1 KiB: a long reason is cut, and if that is not enough, a
    /// URI of that length is left out.
    pub fn to_json(&self) -> String {
        let mut message = self.clone();
        loop {
            let json = serde_json::to_string(&message).unwrap_or_default();
            if json.len() <= LIMIT {
                return json;
            }
            if message.reason.is_empty() {
                message.uri = None;
                message.reason.clone_from(&self.reason);
                continue;
            }
            let excess = json.len() - LIMIT + '…'.len_utf8();
            let keep = message.reason.len().saturating_sub(excess);
            message
                .reason
                .truncate(message.reason.floor_char_boundary(keep));
            if !message.reason.is_empty() {
                message.reason.push('…');
            }
        }
    }

    /// The reason, cut at the message's limit: Tekton keeps 4 KiB of a step's results.
    fn short_reason(&self) -> String {
        let end = self.reason.floor_char_boundary(LIMIT);
        self.reason[..end].to_owned()
    }

    /// The results, by file name, the way Tekton and Argo read them: every one, empty where there
    /// is nothing to say.
    pub fn results(&self) -> [(&'static str, String); 7] {
        let number = |number: Option<u8>| number.map(|n| n.to_string()).unwrap_or_default();
        [
            ("uri", self.uri.clone().unwrap_or_default()),
            ("sha256", self.sha256.clone().unwrap_or_default()),
            (
                "bytes",
                self.bytes
                    .map(|bytes| bytes.to_string())
                    .unwrap_or_default(),
            ),
            ("status", self.status.word().to_owned()),
            ("exit-code", self.exit_code.to_string()),
            ("reason", self.short_reason()),
            ("workload-exit-code", number(self.workload_exit_code)),
        ]
    }
}
