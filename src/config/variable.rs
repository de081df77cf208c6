//! The table of variables, which the README and `--help` repeat.

/// What every variable of ours begins with.
pub const PREFIX: &str = "PROFILER_";

/// A variable, described.
#[derive(Debug)]
pub struct Variable {
    /// Its name without the prefix.
    pub name: &'static str,
    /// What it is when it is not set.
    pub default: &'static str,
    /// What it does.
    pub meaning: &'static str,
}

const fn variable(name: &'static str, default: &'static str, meaning: &'static str) -> Variable {
    Variable {
        name,
        default,
        meaning,
    }
}

/// Every variable there is.
#[rustfmt::skip]
pub const VARIABLES: [Variable; 35] = [
    variable("DESTINATION", "required; the bucket of BUCKET_NAME", "where the archive goes: `s3://BUCKET[/PREFIX]`, or `file:///DIRECTORY`, created if need be; beside an ObjectBucketClaim (BUCKET_NAME) it may be left out"),
    variable("COMPONENTS", "all", "comma list of virt-api, virt-controller, virt-handler, virt-operator; narrows the dump (start and stop always reach every pod)"),
    variable("SETTLE", "5m; 0s with a STOP_FILE", "how long profiling stays on, such as `90s`, `5m`, `1h30m`; with a STOP_FILE that is set: how long it goes on after that appeared"),
    variable("STOP_FILE", "`stop` in $TMPDIR/cluster-profiler-job", "profiling ends when this file appears; a number in it is the workload's exit code. One from before the run is removed"),
    variable("READY_FILE", "`ready` in $TMPDIR/cluster-profiler-job", "exists while profiling is on"),
    variable("DONE_FILE", "`done` in $TMPDIR/cluster-profiler-job", "written when the run is over, however it ended: the termination message"),
    variable("MAX_WINDOW", "the longer of 1h and SETTLE", "profiling ends after this time, whatever happens"),
    variable("ENGINE", "native; the image sets cluster-profiler", "how the dump is fetched: `native`, or `cluster-profiler`, upstream's program, with what that does not deliver fetched natively"),
    variable("PROGRAM", "cluster-profiler on PATH", "upstream's program"),
    variable("PAGE_SIZE", "2", "pods a page of upstream's program, 1 to 20: its memory grows by 110 MB a pod"),
    variable("NAMESPACE", "the first of openshift-cnv, kubevirt-hyperconverged, kubevirt with a KubeVirt in it", "KubeVirt's install namespace"),
    variable("RUN_ID", "UTC time and 6 hex digits", "names the run and its files: `[a-z0-9][a-z0-9.-]*`, at most 100 characters; the same id again is the same run"),
    variable("ORIGINALS", "keep", "`keep` or `drop` the texts that profiles with names were made of"),
    variable("CONCURRENCY", "8", "pods fetched at once (native), 1 to 64"),
    variable("MIN_COMPLETE", "100%", "the share of each component's pods that is enough for exit code 0, such as `95%` or `95%,virt-handler=90%`"),
    variable("FEATURE_GATE", "require", "what is done about a profiler that is off: `require` (the run fails and says how to turn it on), `enable`, or `enable-and-restore` (on for the run, then as it was)"),
    variable("LOCK_WAIT", "10m", "how long a run that uses this cluster's profiler is waited for"),
    variable("PREFLIGHT_RETRY", "10m", "how long passing faults are tried again before profiling starts"),
    variable("START_TRIES", "3", "how often start is tried, 1 to 10"),
    variable("STOP_WAIT", "2m", "how long stop is sent again until every pod has seen it"),
    variable("GRACE", "25s", "the time between SIGTERM and SIGKILL: terminationGracePeriodSeconds less a little"),
    variable("DEADLINE", "none", "the whole run's limit: it ends itself before; MAX_WINDOW and GRACE must fit in it"),
    variable("FALLBACK", "none", "a second destination, `s3://bucket/prefix` or `file:///path`: the pods are dumped again and shipped there if shipping to the first one fails; an `s3://` one is reached by the same settings"),
    variable("KEEP", "all", "so many of the newest runs stay at the destination, this one among them; the others are removed once this one is there"),
    variable("KEEP_FOR", "for ever", "runs stay at the destination for so long, such as `30d`; with a KEEP too, a run stays that either keeps"),
    variable("RESULTS_DIR", "none", "directory for the small files uri, sha256, bytes, status, exit-code, reason, workload-exit-code, as Tekton and Argo want them"),
    variable("LABELS", "none", "`key=value,…` stored in the manifest"),
    variable("DRY_RUN", "false", "`true`: prove that the run could succeed, say what it would do, change nothing"),
    variable("TERMINATION_LOG", "/dev/termination-log", "file for the termination message; the default is written only where it exists"),
    variable("S3_PATH_STYLE", "true where an endpoint is set", "`true`: the bucket stands in the path of URLs, `false`: in the host's name"),
    variable("S3_ENCRYPTION", "the bucket's", "server-side encryption: `AES256`, `aws:kms` or `aws:kms:dsse`"),
    variable("S3_KMS_KEY_ID", "the account's", "the KMS key for it"),
    variable("S3_STORAGE_CLASS", "the bucket's", "the storage class, such as `STANDARD_IA`"),
    variable("S3_TAGS", "none", "`key=value,…`, the objects' tags"),
    variable("LOG", "json; text on a terminal", "the log's format: `json` or `text`; RUST_LOG filters it"),
];
