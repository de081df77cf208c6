//! What `top` and `export --merged` make of the archive of real pods is what `go tool pprof` says of the same files.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use cluster_profiler_job::component::Component;
use cluster_profiler_job::manifest::Manifest;
use cluster_profiler_job::pprof::{Kind, ProfileReader};
use cluster_profiler_job::report::MergedTree;
use serde_json::Value;

use crate::by_function::{assert_is, by_function, top};
use crate::engines::{place, unpacked};
use crate::google_pprof::{Said, said};
use crate::place::{Place, RUN_ID};
use crate::setup::Rig;

/// Where a pod's profiles are, and where those of a component.
const PARTS: [(&str, &str); 3] = [("whole", ""), ("delta", "delta"), ("growth", "growth")];

pub(crate) fn tables(rig: &Rig) {
    rig.turn(true);
    // A pod that only ever saw a stop cannot be dumped before its next start.
    place(rig, "all").run().with(0);
    let place = place(rig, "all").with("BASELINE", true);
    place.run().with(0);
    let manifest = place.manifest().expect("a manifest");
    assert!(manifest.pods.len() >= 5, "{} pods", manifest.pods.len());
    let archive = Archive {
        unpacked: unpacked(&place),
        merged: place.path("merged"),
        manifest,
        place,
    };
    let merged = archive.merged.display().to_string();
    let export = ["export", RUN_ID, "--merged", "-o", &merged];
    archive.place.run_with(&export).with(0);
    let mut tables = 0;
    for kind in Kind::ALL {
        for (part, folder) in PARTS {
            let below = PathBuf::from(folder).join(kind.file_name());
            for component in Component::ALL {
                let pods = archive.files(Some(component), &below);
                if pods.is_empty() {
                    continue;
                }
                let what = format!("{component} {part} {kind:?}");
                let expected = pprof(&pods);
                assert_is(merged_tree(&pods).tree(), &expected, &what);
                let merged = archive.merged.join(component.name()).join(&below);
                pprof(&[merged]).assert_same(&expected, &what);
                archive.assert_table(component, kind, part, &expected);
                tables += 1;
            }
            // All pods at once: there are two of a component at most.
            let pods = archive.files(None, &below);
            if part == "whole" {
                assert!(pods.len() >= 5, "{kind:?}: {pods:?}");
            }
            if !pods.is_empty() {
                let what = format!("all {part} {kind:?}");
                assert_is(merged_tree(&pods).tree(), &pprof(&pods), &what);
            }
        }
    }
    assert!(tables >= 4 * Kind::ALL.len(), "{tables} tables");
    rig.turn(false);
}

/// A run's archive.
struct Archive {
    place: Place,
    manifest: Manifest,
    /// What is in it, and what was exported of it.
    unpacked: PathBuf,
    merged: PathBuf,
}

impl Archive {
    /// A profile of each pod that has it.
    fn files(&self, component: Option<Component>, below: &Path) -> Vec<PathBuf> {
        let pods = self.manifest.pods.iter().map(|pod| &pod.pod);
        let pods = pods.filter(|pod| component.is_none_or(|of| of == pod.component));
        pods.map(|pod| self.unpacked.join(&pod.name).join(below))
            .filter(|path| path.exists())
            .collect()
    }

    /// The total, and the fifty functions with the most of their own, and of all.
    fn assert_table(&self, component: Component, kind: Kind, part: &str, expected: &Said) {
        let name = kind.name();
        let options = ["--component", component.name(), "--kind", name, "--json"];
        let ended = self
            .place
            .run_with(&[&["top", RUN_ID], &options[..]].concat());
        let said: Value = serde_json::from_str(&ended.with(0).log).expect("JSON");
        let mut profiles = said["profiles"].as_array().expect("profiles").iter();
        let profile = profiles.find(|profile| profile["part"] == part);
        let profile = profile.unwrap_or_else(|| panic!("no {part} of {name}: {said}"));
        let types = expected.types.iter();
        let mut types = types.map(|of| of.split_once('/').expect("a unit").0);
        let value = types.position(|of| profile["sample_type"] == of);
        let value = value.expect("a value of the profile");
        assert_eq!(
            profile["total"],
            expected.totals()[value],
            "{component} {name}"
        );
        let expected = by_function(expected);
        let expected = top(&expected, value);
        let number = |row: &Value, of: &str| row[of].as_i64().expect("a number");
        let rows = profile["functions"].as_array().expect("functions");
        let rows = rows.iter().map(|row| {
            let name = row["name"].as_str().expect("a name");
            (name, (number(row, "self"), number(row, "cumulative")))
        });
        // What grew in one pod and shrank in another is there, with nothing.
        let rows: BTreeSet<_> = rows.filter(|(_, values)| *values != (0, 0)).collect();
        for (name, values) in &rows {
            assert_eq!(
                expected.get(name),
                Some(values),
                "{component} {part} {name}"
            );
        }
        let most = |all: &mut dyn Iterator<Item = i64>| {
            let mut all: Vec<_> = all.map(i64::unsigned_abs).collect();
            all.sort_unstable_by(|a, b| b.cmp(a));
            all.truncate(50);
            all
        };
        assert_eq!(
            most(&mut rows.iter().map(|(_, (own, _))| *own)),
            most(&mut expected.values().map(|(own, _)| *own)),
            "{component} {part} {name}"
        );
        assert_eq!(
            most(&mut rows.iter().map(|(_, (_, cumulative))| *cumulative)),
            most(&mut expected.values().map(|(_, cumulative)| *cumulative)),
            "{component} {part} {name}"
        );
    }
}

/// What `go tool pprof` says of some profiles, which it merges.
fn pprof(profiles: &[PathBuf]) -> Said {
    let output = Command::new("go")
        .args(["tool", "pprof", "-raw"])
        .args(profiles)
        .output()
        .expect("go");
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{profiles:?}: {complaints}");
    said(&String::from_utf8(output.stdout).expect("UTF-8"))
}

fn merged_tree(profiles: &[PathBuf]) -> MergedTree {
    let open = |path: &PathBuf| {
        let file = File::open(path).expect("a profile");
        ProfileReader::open(file).expect("a profile")
    };
    let types = open(&profiles[0]).header().sample_types.clone();
    let mut merged = MergedTree::new(types);
    for path in profiles {
        merged.add(&mut open(path)).expect("samples");
    }
    merged
}
