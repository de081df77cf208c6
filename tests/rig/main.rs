//! The runner against a real control plane (`helpers/rig`): etcd, kube-apiserver with RBAC, virt-api
//! behind every component pod, with the rights of `deploy/` and never as admin.
//!
//! `cargo e2e` runs it, `cargo test --test rig -- WORD…` only the cases with these words in their names.

#[path = "../suite/by_function.rs"]
mod by_function;

#[expect(dead_code, reason = "the suite uses the rest of it")]
#[path = "../suite/goldens.rs"]
mod goldens;

#[expect(dead_code, reason = "the suite uses the rest of it")]
#[path = "../suite/google_pprof.rs"]
mod google_pprof;

mod deploy;
mod dumping;
mod engines;
mod gate;
mod hyperconverged;
mod killed;
mod lock;
mod manners;
mod outage;
mod place;
mod report;
mod rights;
mod setup;
mod suite;
mod token_file;
mod versions;
mod window;

use suite::Suite;

type Case = suite::Case<setup::Rig>;

fn main() -> std::process::ExitCode {
    suite::build_example("short-lease");
    let mut suite = Suite::of_arguments();
    suite.on(
        "v1.8.4, 45 pods that sort before ours",
        &["--kubevirt", "v1.8.4", "--unrelated", "45"],
        PLAIN,
    );
    suite.on("v1.7.0", &["--kubevirt", "v1.7.0"], FIELD_OR_GATE);
    suite.on("v1.5.1", &["--kubevirt", "v1.5.1"], GATE_ALONE);
    suite.on(
        "v1.8.4 under HyperConverged",
        &["--kubevirt", "v1.8.4", "--hco"],
        HYPERCONVERGED,
    );
    suite.end()
}

const PLAIN: &[Case] = &[
    ("the stand-in answers as this does", manners::the_same),
    (
        "the upstream program alone, as its documentation has it, yields nothing",
        engines::upstream_alone,
    ),
    (
        "the native engine brings all components with names",
        engines::native,
    ),
    (
        "the upstream program brings all components",
        engines::bundled,
    ),
    ("one component, by both engines", engines::one_component),
    (
        "a report's tables are those of go tool pprof",
        report::tables,
    ),
    (
        "off and required: exit 3 with a command that works",
        gate::require,
    ),
    (
        "what pods did in the window: a baseline, and snapshots",
        window::baseline_and_snapshots,
    ),
    (
        "VMs that come up in the window end it, and are counted",
        window::vmis,
    ),
    ("enable leaves it on", gate::enable),
    (
        "enable-and-restore leaves every byte",
        gate::enable_and_restore,
    ),
    ("what others write in mid-run survives", gate::foreign_edit),
    (
        "a gate that is closed in mid-window is opened to stop",
        gate::reverted,
    ),
    (
        "a webhook that is away, and a new API server, while the gate is put back",
        gate::webhook_away,
    ),
    (
        "each right that is taken away is named, and nothing is changed",
        rights::each_in_turn,
    ),
    (
        "two runs at once: one works, the other says who",
        lock::two_at_once,
    ),
    (
        "two runs of one id: the second finds it shipped",
        lock::two_of_one_id,
    ),
    ("a Lease that is taken away: nothing is undone", lock::lost),
    (
        "killed in each phase, then the same run id",
        killed::same_run,
    ),
    (
        "killed in each phase, then another run id",
        killed::other_run,
    ),
    ("undo after a kill", killed::undo),
    (
        "killed in the window, and a pod that is not Ready for the next run",
        killed::not_ready,
    ),
    (
        "a gate that is closed in mid-dump is opened again",
        dumping::closed,
    ),
    (
        "a gate that is closed in mid-dump and may not be opened",
        dumping::closed_for_good,
    ),
    (
        "a token that is taken away in mid-dump, and replaced",
        dumping::token,
    ),
    ("SIGTERM in each phase", killed::told),
    (
        "a component that dies, and one that is replaced, in the window",
        outage::components,
    ),
    (
        "the same by the upstream program",
        outage::components_by_upstream,
    ),
    ("the API server away for a moment", outage::moment),
    (
        "the API server away for longer than a Lease lives",
        outage::longer,
    ),
    (
        "real outages, of 12 s in the dump and of 60 s",
        outage::real,
    ),
];

const FIELD_OR_GATE: &[Case] = &[
    (
        "the field is set, other gates are kept, enable leaves it on",
        versions::field,
    ),
    // The last one: it leaves others' rights.
    (
        "everything in deploy/ is applied, and every pod is restricted",
        deploy::applied,
    ),
];

const GATE_ALONE: &[Case] = &[(
    "the gate is listed, other gates are kept, enable leaves it on",
    versions::gate,
)];

const HYPERCONVERGED: &[Case] = &[
    (
        "enable-and-restore without an annotation",
        hyperconverged::no_annotation,
    ),
    (
        "enable-and-restore between others' operations",
        hyperconverged::foreign_operations,
    ),
    (
        "required: a command with the operations that are there",
        hyperconverged::require,
    ),
    (
        "killed in the window, then another run id",
        hyperconverged::killed,
    ),
    (
        "each right that is taken away is named, and nothing is changed",
        rights::each_in_turn,
    ),
    (
        "the stand-in has HyperConverged's manners",
        manners::hyperconverged,
    ),
    (
        "HyperConverged in a newer version that is preferred",
        hyperconverged::newer_version,
    ),
    (
        "a denial on admission is told from one of RBAC",
        hyperconverged::denied,
    ),
    (
        "the guard lets nothing through but our operation",
        hyperconverged::guard,
    ),
];
