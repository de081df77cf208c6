//! How a run ends, told to whoever started it: the exit code, and the termination message.

use serde::{Serialize, Serializer};

/// The table of exit codes: its rows become the enum `ExitCode`, and a row is all there is to add.
macro_rules! exit_codes {
    ($($name:ident $number:literal $word:literal $is_final:literal $meaning:literal;)+) => {
        /// An exit code of the program. Deploy manifests decide by its number what is worth a retry.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum ExitCode {
            $(#[doc = $meaning] $name,)+
        }

        impl ExitCode {
            /// Every code, ascending.
            pub const ALL: [Self; [$($number),+].len()] = [$(Self::$name),+];

            fn row(self) -> Row {
                match self {
                    $(Self::$name => Row {
                        number: $number,
                        word: $word,
                        is_final: $is_final,
                        meaning: $meaning,
                    },)+
                }
            }
        }
    };
}

// Name, number, word, final (no other attempt of the run can bring more), meaning.
exit_codes! {
    Complete             0 "complete"             true  "shipped, and complete enough (PROFILER_MIN_COMPLETE)";
    Finding              1 "finding"              false "a subcommand's finding: not ready, nobody to stop, damaged profiles, no such run";
    Usage                2 "usage"                false "the environment or the command line is wrong";
    NotAllowed           3 "not-allowed"          false "a right is missing, there is no KubeVirt, or the profiler is off";
    DestinationRefused   4 "destination-refused"  false "the destination refuses for good";
    Incomplete           5 "incomplete"           true  "shipped, but incomplete: the manifest says what is missing, or what is left in the cluster";
    Workload             6 "workload-failed"      true  "shipped, and the workload had failed: the manifest has its exit code";
    Regression           7 "regression"           true  "a regression is confirmed: by `diff`, which takes `--fail-on suspected`, too, or by a run that is shipped, with PROFILER_FAIL_ON_REGRESSION";
    Retry               75 "retry"                false "a fault that may pass: worth retrying";
    Panic              101 "panic"                false "a defect in this program";
    Interrupted        130 "interrupted"          false "ended by Ctrl-C: what there was is shipped";
    Terminated         143 "terminated"           false "told to stop (SIGTERM, SIGHUP, PROFILER_DEADLINE): what there was is shipped";
}

/// One row of the table.
struct Row {
    number: u8,
    word: &'static str,
    is_final: bool,
    meaning: &'static str,
}

impl ExitCode {
    /// The number that the process exits with.
    pub fn number(self) -> u8 {
        self.row().number
    }

    /// The code as a word, for whoever reads no numbers.
    pub fn word(self) -> &'static str {
        self.row().word
    }

    /// What the code says, as the README's table has it.
    pub fn meaning(self) -> &'static str {
        self.row().meaning
    }

    /// Whether a run with this code is over for good: no other attempt can bring what it lacks.
    pub fn is_final(self) -> bool {
        self.row().is_final
    }

    /// The code with this number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.number() == number)
    }
}

impl Serialize for ExitCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        code.number().into()
    }
}

/// The longest termination message, in bytes. Kubernetes keeps 4096 bytes a container and 12 KiB a
/// pod; this leaves room for neighbours.
const LONGEST: usize = 1024;

/// The termination message: what a run tells, as it ends, in the termination log, the done file and,
/// field by field, the results directory.
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
    /// The workload's exit code, if the stop file had one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workload_exit_code: Option<u8>,
    /// What changed against the runs before, in two words, where the run was compared with them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
}

impl Message {
    /// The message as JSON of at most 1 KiB. A reason that is too long for that is cut; where not
    /// even an empty one fits, the URI is left out.
    pub fn to_json(&self) -> String {
        let mut message = self.clone();
        loop {
            let json = serde_json::to_string(&message).unwrap_or_default();
            if json.len() <= LONGEST {
                return json;
            }
            if message.reason.is_empty() {
                message.uri = None;
                message.reason.clone_from(&self.reason);
                continue;
            }
            let excess = json.len() - LONGEST + '…'.len_utf8();
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
        let end = self.reason.floor_char_boundary(LONGEST);
        self.reason[..end].to_owned()
    }

    /// The files of the results directory, name and content, as Tekton and Argo read them. Every one
    /// is there, empty where there is nothing to say.
    pub fn results(&self) -> [(&'static str, String); 7] {
        [
            ("uri", or_empty(self.uri.as_ref())),
            ("sha256", or_empty(self.sha256.as_ref())),
            ("bytes", or_empty(self.bytes)),
            ("status", self.status.word().to_owned()),
            ("exit-code", self.exit_code.to_string()),
            ("reason", self.short_reason()),
            ("workload-exit-code", or_empty(self.workload_exit_code)),
        ]
    }
}

fn or_empty(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}
