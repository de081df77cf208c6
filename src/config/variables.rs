//! The table of our variables. To add a setting, add its row: its variable is known then, `--help` has it,
//! and `Settings` a method of its name that reads it. A test compares the table with the README's.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::foreign_settings::is_service_link;
use super::min_complete::MinComplete;
use super::parse::{
    absolute_path, age, any, boolean, compare_key, components, destination, duration, kinds,
    label_selector, labels, min_complete, namespace, number, one_of, run_id, tags,
};
use super::push_config::{PushTarget, targets};
use super::run_id::RunId;
use super::setting::{Faults, PREFIX, Setting, Variable};
use super::types::{DestinationConfig, EnablePolicy, EngineName, LogFormat};
use crate::component::Component;
use crate::pprof::Kind;

/// Makes `VARIABLES` and `Settings` of rows
///
/// ```text
/// field: type, parser, default "value" "remark", "meaning";
/// field: type, parser, unset "what happens then", "meaning";
/// ```
///
/// The variable's name is the field's in capitals, after the prefix. The parser reads the default, too; the
/// remark is for people only.
macro_rules! variables {
    ($(
        $field:ident: $type:ty, $parser:expr,
        $(default $default:literal $($remark:literal)?)? $(unset $unset:literal)?,
        $meaning:literal;
    )+) => {
        /// Every variable of ours.
        pub const VARIABLES: &[Variable] = &[$(Variable {
            field: stringify!($field),
            default: concat!($($default $(, $remark)?)? $($unset)?),
            meaning: $meaning,
        }),+];

        /// Our variables as they are set, without those that are empty. A field's method reads it.
        #[derive(Default, Deserialize)]
        pub(super) struct Settings {
            $($field: Option<String>,)+
        }

        impl Settings {
            $(pub(super) fn $field(&self) -> Setting<'_, $type> {
                let default = [$($default)?].first().copied();
                Setting::new(stringify!($field), self.$field.as_deref(), default, $parser)
            })+
        }
    };
}

variables! {
    destination: DestinationConfig, destination,
        unset "required; the bucket of BUCKET_NAME",
        "where the archive goes: `s3://BUCKET[/PREFIX]`, or `file:///DIRECTORY`, created if need be; beside an ObjectBucketClaim (BUCKET_NAME) it may be left out";
    components: BTreeSet<Component>, components,
        default "all",
        "comma list of virt-api, virt-controller, virt-handler, virt-operator; narrows the dump (start and stop always reach every pod)";
    settle: Duration, duration,
        default "5m" "; 0s with a STOP_FILE or UNTIL_VMIS_RUNNING",
        "how long profiling stays on, such as `90s`, `5m`, `1h30m`; with a STOP_FILE that is set: how long it goes on after that file appeared; with UNTIL_VMIS_RUNNING: after so many VMIs were Running";
    stop_file: PathBuf, absolute_path,
        unset "`stop` in $TMPDIR/cluster-profiler-job",
        "profiling ends when this file appears; a number in it is the workload's exit code. A file from before the run is removed";
    ready_file: PathBuf, absolute_path,
        unset "`ready` in $TMPDIR/cluster-profiler-job",
        "exists while profiling is on";
    done_file: PathBuf, absolute_path,
        unset "`done` in $TMPDIR/cluster-profiler-job",
        "written when the run is over, however it ended; it holds the termination message";
    max_window: Duration, duration,
        default "1h" ", or SETTLE where that is longer",
        "profiling ends after this time, whatever happens";
    until_vmis_running: u32, number(1..=50_000),
        unset "none",
        "SETTLE begins once so many VMIs (virtual machine instances) are Running, of those that VMI_SELECTOR and VMI_NAMESPACE name; implies VMI_LATENCY";
    vmi_latency: bool, boolean,
        default "false",
        "`true`: the manifest says how fast the VMIs came up that were created while profiling was on; needs rights (`deploy/components/vmi`)";
    vmi_namespace: String, namespace,
        unset "all",
        "namespace of the VMIs that count";
    vmi_selector: String, label_selector,
        unset "all",
        "label selector of the VMIs that count, such as `kube-burner-job=density`";
    engine: EngineName, one_of([("native", EngineName::Native), ("cluster-profiler", EngineName::ClusterProfiler)]),
        default "native",
        "how the dump is fetched: `native`, or `cluster-profiler`, upstream's program, which the image has; what that does not deliver is fetched natively";
    program: PathBuf, absolute_path,
        unset "cluster-profiler on PATH",
        "upstream's program";
    page_size: u32, number(1..=20),
        default "2",
        "pods that upstream's program fetches in one page, 1 to 20: its memory grows by 110 MB for each, and by twice that for the largest";
    namespace: String, namespace,
        unset "the first of openshift-cnv, kubevirt-hyperconverged, kubevirt with a KubeVirt in it",
        "KubeVirt's install namespace";
    run_id: RunId, run_id,
        unset "UTC time and 6 hex digits",
        "names the run and its files: `[a-z0-9][a-z0-9.-]*`, at most 100 characters; the same id again is the same run";
    originals: bool, one_of([("keep", true), ("drop", false)]),
        default "keep",
        "`keep` or `drop` the texts that profiles with names were made of";
    baseline: bool, boolean,
        default "false",
        "whether pods are dumped before the window, too, so that the archive and the manifest have what each did in it";
    snapshot_every: Duration, duration,
        unset "none",
        "dump the pods within the window, too, each time that so long has passed, 1s at least and 48 times at most";
    snapshot_kinds: BTreeSet<Kind>, kinds,
        default "heap,goroutine",
        "comma list of the kinds of profile that such a dump keeps: allocs, block, goroutine, heap, mutex, threadcreate";
    report: bool, boolean,
        default "true",
        "whether a run puts a page beside its archive that says what it found; one that cannot be made costs nothing but itself";
    push: Vec<PushTarget>, targets,
        unset "none",
        "comma list of servers that get the profiles once the run is shipped: `pyroscope+https://HOST[/PATH]`, `parca+https://HOST[/PATH]`, or `+http` without TLS (`docs/push.md`); a push that fails is a warning";
    push_headers_file: PathBuf, absolute_path,
        unset "none",
        "file with the headers of each request of a push, `NAME: VALUE` a line, such as a Secret's with `Authorization` or `X-Scope-OrgID`";
    concurrency: u32, number(1..=64),
        default "12",
        "pods asked for at once (native), 1 to 64";
    min_complete: MinComplete, min_complete,
        default "100%",
        "the share of each component's pods that is enough for exit code 0, such as `95%` or `95%,virt-handler=90%`";
    feature_gate: EnablePolicy, one_of([
            ("require", EnablePolicy::Require),
            ("enable", EnablePolicy::Enable),
            ("enable-and-restore", EnablePolicy::EnableAndRestore),
        ]),
        default "require",
        "what is done about a profiler that is off: `require` (the run fails and says how to turn it on), `enable`, or `enable-and-restore` (on for the run, then as it was)";
    lock_wait: Duration, duration,
        default "10m",
        "how long to wait for another run that uses this cluster's profiler";
    preflight_retry: Duration, duration,
        default "10m",
        "how long faults that may pass are tried again before profiling starts";
    start_tries: u32, number(1..=10),
        default "3",
        "how often start is tried, 1 to 10";
    stop_wait: Duration, duration,
        default "2m",
        "how long stop is sent again until every pod has seen it";
    grace: Duration, duration,
        default "25s",
        "the time between SIGTERM and SIGKILL: terminationGracePeriodSeconds less a little";
    deadline: Duration, duration,
        unset "none",
        "the longest time for the whole run, which ends itself before that; MAX_WINDOW and GRACE must fit in it";
    fallback: DestinationConfig, destination,
        unset "none",
        "a second destination, `s3://bucket/prefix` or `file:///path`: the pods are dumped again and shipped there if shipping to the first one fails; an `s3://` one is reached by the same settings";
    keep: u32, number(1..=100_000),
        unset "all",
        "number of runs of this cluster to keep at the destination: this one and the newest before it; older ones are removed once this one is there";
    keep_for: Duration, age,
        unset "for ever",
        "how long to keep runs at the destination, such as `30d`; with a KEEP too, a run stays if either keeps it";
    results_dir: PathBuf, absolute_path,
        unset "none",
        "directory for the small files uri, sha256, bytes, status, exit-code, reason, workload-exit-code, as Tekton and Argo want them";
    labels: BTreeMap<String, String>, labels,
        unset "none",
        "`key=value,…` stored in the manifest";
    compare_key: String, compare_key,
        unset "the cluster's identity",
        "runs with the same key are compared by `diff`: to be set where each run has a cluster of its own, as in CI; at most 200 characters";
    compare: bool, boolean,
        default "false",
        "`true`: the run compares itself with the comparable runs before it, as `diff` does, and tells what changed (`docs/verdict.md`); needs BASELINE or VMI_LATENCY, and the 7 newest runs stay whatever KEEP and KEEP_FOR say";
    fail_on_regression: bool, boolean,
        default "false",
        "`true`: exit code 7 for a regression that COMPARE confirms";
    dry_run: bool, boolean,
        default "false",
        "`true`: prove that the run could succeed, say what it would do, change nothing";
    termination_log: PathBuf, absolute_path,
        default "/dev/termination-log",
        "file for the termination message; the default is written only where it exists";
    s3_path_style: bool, boolean,
        unset "true where an endpoint is set",
        "`true`: the bucket stands in the path of URLs, `false`: in the host's name";
    s3_encryption: String, one_of(["AES256", "aws:kms", "aws:kms:dsse"].map(|name| (name, name.to_owned()))),
        unset "the bucket's",
        "server-side encryption: `AES256`, `aws:kms` or `aws:kms:dsse`";
    s3_kms_key_id: String, any,
        unset "the account's",
        "the KMS key for it";
    s3_storage_class: String, any,
        unset "the bucket's",
        "the storage class, such as `STANDARD_IA`";
    s3_tags: String, tags,
        unset "none",
        "`key=value,…`, the objects' tags";
    log: LogFormat, one_of([("json", LogFormat::Json), ("text", LogFormat::Text)]),
        unset "json; text on a terminal",
        "the log's format: `json` or `text`; RUST_LOG filters it";
}

impl Settings {
    /// Reads our variables out of an environment, with the faults of their names and encoding.
    pub(super) fn read(environment: &[(OsString, OsString)]) -> (Self, Faults) {
        let known: BTreeSet<_> = VARIABLES.iter().map(Variable::name).collect();
        let mut ours = Vec::new();
        let mut faults = Faults::default();
        for (key, value) in environment {
            let Some((key, name)) = key
                .to_str()
                .and_then(|key| Some((key, key.strip_prefix(PREFIX)?)))
            else {
                continue;
            };
            match value.to_str().map(str::trim) {
                Some(value) if is_service_link(name, value) => {}
                _ if !known.contains(key) => faults.add_text(unknown(key, &known)),
                None => faults.add_text(format!("{key} is not valid UTF-8")),
                Some("") => {}
                Some(value) => ours.push((key.to_owned(), value.to_owned())),
            }
        }
        let settings = envy::prefixed(PREFIX).from_iter(ours);
        let settings = settings.unwrap_or_else(|error| {
            faults.add_text(error.to_string());
            Self::default()
        });
        (settings, faults)
    }
}

/// The fault of an unknown name, most often a typo. Its value is not repeated: nobody knows what it holds.
fn unknown(name: &str, known: &BTreeSet<String>) -> String {
    let known = known.iter().filter_map(|name| name.strip_prefix(PREFIX));
    let known = known.collect::<Vec<_>>().join(",");
    format!("{name} is no variable of this program; there are {PREFIX}{{{known}}}")
}
