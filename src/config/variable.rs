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
pub const VARIABLES: [Variable; 10] = [
    variable("DESTINATION", "required", "where the archive goes: `file:///DIRECTORY`, created if need be"),
    variable("COMPONENTS", "all", "comma list of virt-api, virt-controller, virt-handler, virt-operator; narrows the dump (start and stop always reach every pod)"),
    variable("SETTLE", "5m", "how long profiling stays on, such as `90s`, `5m`, `1h30m`"),
    variable("ENGINE", "native", "how the dump is fetched: `native`"),
    variable("NAMESPACE", "the first of openshift-cnv, kubevirt-hyperconverged, kubevirt with a KubeVirt in it", "KubeVirt's install namespace"),
    variable("RUN_ID", "UTC time and 6 hex digits", "names the run and its files: `[a-z0-9][a-z0-9.-]*`, at most 100 characters; the same id again is the same run"),
    variable("CONCURRENCY", "8", "pods fetched at once, 1 to 64"),
    variable("LABELS", "none", "`key=value,…` stored in the manifest"),
    variable("TERMINATION_LOG", "/dev/termination-log", "file for the termination message; the default is written only where it exists"),
    variable("LOG", "json; text on a terminal", "the log's format: `json` or `text`; RUST_LOG filters it"),
];
