//! Leaders in a report: of the pods of a component that elects one, only it works.

use std::sync::Arc;

use cluster_profiler_job::report::{Chosen, ProfileStore, Wanted, collect};
use serde_json::json;

use crate::goldens::packed;
use crate::harness::RUN_ID;
use crate::made_runs::MadeRun;
use crate::report_findings::{Scene, findings};
use crate::report_page::{between, data, text};

#[test]
fn a_leader_has_its_own_graph_among_many_pods_that_are_alike() {
    let pod = |at: usize| format!("virt-controller-{at:02}");
    let mut run = MadeRun::new();
    let temporary = std::env::temp_dir();
    let store = ProfileStore::new(&temporary, Wanted::default(), u64::MAX);
    let mut store = store.expect("a temporary file");
    for at in 0..30 {
        run.expect(&pod(at), "virt-controller", &json!({}));
        let path = format!("profile-{RUN_ID}/{}/cpu.pprof", pod(at));
        let kept = store.keep(&path, packed("small/cpu.pb").as_slice());
        kept.expect("it is read");
    }
    run.manifest["surroundings"] = json!({
        "at_start": { "leaders": { "virt-controller": pod(28) } },
        "at_stop": { "leaders": { "virt-controller": pod(29) } },
    });
    let manifest = serde_json::from_value(run.manifest).expect("a manifest");
    let findings = collect(Arc::new(manifest), &mut store);
    let [cpu] = findings.profiles.as_slice() else {
        panic!("{} profiles", findings.profiles.len());
    };
    let chosen = cpu.of_pods.iter().map(|of| (of.pod.as_str(), of.why));
    let chosen: Vec<_> = chosen.collect();
    let (first, second) = (pod(28), pod(29));
    let leaders = [(first.as_str(), Chosen::Leader), (&second, Chosen::Leader)];
    assert_eq!(chosen[..2], leaders);
    assert_eq!(chosen.len(), 20);
    let page = text(&findings);
    for (pod, when) in [
        (&first, "leader at the start"),
        (&second, "leader at the end"),
    ] {
        let row = between(
            &page,
            &format!("<bdi>{pod}</bdi> <small class=\"lead\">"),
            "</th>",
        );
        assert!(row.starts_with(when), "{row}");
    }
}

#[test]
fn a_leader_is_marked_apart_in_words_too() {
    let findings = findings(&Scene::default());
    let page = text(&findings);
    let pods = between(&page, "<section id=\"pods\">", "</section>");
    let ring = "class=\"ring\"";
    let legend = between(pods, "aria-label=\"Marks\">", "</ul>");
    assert!(
        legend.contains(ring) && legend.contains("the pod that leads"),
        "{legend}"
    );
    let [of_controller, of_api, ..] = *pods.split("<h3>").skip(1).collect::<Vec<_>>() else {
        panic!("too few components");
    };
    let strips = |of: &str| of.matches("<figure class=\"strip\">").count();
    // One leader, in each strip.
    assert_eq!(of_controller.matches(ring).count(), strips(of_controller));
    assert!(
        of_controller.contains(", leader "),
        "no strip says what the leader has"
    );
    assert!(
        of_controller.contains(", leader: "),
        "no dot says that it is the leader"
    );
    assert_eq!(of_api.matches(ring).count(), 0);
    let data = data(&page);
    let leaders = data["pods"].as_array().expect("pods").iter();
    let leaders = leaders.filter(|pod| !pod[2].is_null());
    let said: Vec<_> = leaders
        .map(|pod| [pod[0].clone(), pod[2].clone()])
        .collect();
    let expected = [
        ["virt-controller", "leader"],
        ["virt-operator", "leader at the start"],
        ["virt-operator", "leader at the end"],
    ];
    assert_eq!(json!(said), json!(expected));
}
