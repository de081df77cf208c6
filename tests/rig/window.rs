//! What real pods did in a window: against a baseline, and in between.

use crate::engines::{top, unpacked};
use crate::place::Place;
use crate::setup::Rig;

/// Every pod's delta is of the window, and `go tool pprof` opens it, its growth and its snapshots.
pub(crate) fn baseline_and_snapshots(rig: &Rig) {
    rig.turn(true);
    // A pod that only ever saw a stop cannot be dumped before its next start.
    Place::new(rig).run().with(0);
    let place = Place::new(rig)
        .with("COMPONENTS", "virt-api,virt-operator")
        .with("BASELINE", true)
        .with("SNAPSHOT_EVERY", "2s")
        .with("SETTLE", "1h");
    let mut run = place.spawn();
    run.says("a snapshot was taken");
    place.stop_window();
    let ended = run.end().with(0);
    let manifest = place.manifest().expect("a manifest");
    let unpacked = unpacked(&place);
    for pod in &manifest.pods {
        let numbers = pod.in_window.as_ref().expect("numbers");
        assert_eq!(numbers.no_baseline, None, "{}", ended.log);
        assert_eq!(numbers.not_compared, Vec::<String>::new());
        assert_eq!(numbers.negative_samples, 0);
        let allocated = numbers.allocated_bytes.expect("bytes");
        let ever = &pod.mem_stats["TotalAlloc"];
        assert!(allocated > 0, "the dump itself allocates");
        assert!(
            serde_json::json!(ever).as_u64().expect("a number") > allocated,
            "it allocated before the window, too"
        );
        assert!(numbers.profiler_allocated_bytes.expect("bytes") > 0);
        assert!(numbers.seconds.expect("an interval") >= 2.0);
        let directory = unpacked.join(&pod.pod.name);
        let delta = directory.join("delta/allocs.pprof");
        let rows = top(&delta, &["-sample_index=alloc_space"]);
        assert!(
            rows.contains("Type: alloc_space") && rows.contains("Duration: "),
            "{rows}"
        );
        assert!(rows.contains("pprof"), "the dump writes texts: {rows}");
        let growth = directory.join("growth/heap.pprof");
        if growth.exists() {
            assert!(top(&growth, &[]).contains("inuse_space_growth"));
        }
        assert!(!pod.snapshots.is_empty(), "{}", ended.log);
        for file in &pod.snapshots {
            let path = place.path("out").join(&file.path);
            assert!(top(&path, &[]).contains("Type: "));
        }
    }
    rig.turn(false);
}
