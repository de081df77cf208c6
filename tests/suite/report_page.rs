//! A report's page, of findings that are made by hand.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cluster_profiler_job::component::Component;
use cluster_profiler_job::pprof::Kind;
use cluster_profiler_job::report::{Difference, Findings, Part, page};
use flate2::read::GzDecoder;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::compared_findings::compare;
use crate::report_findings::{Scene, findings, tree};

pub(crate) fn text(findings: &Findings) -> String {
    let mut out = Vec::new();
    page(findings, &mut out).expect("a page");
    String::from_utf8(out).expect("a page is UTF-8")
}

/// What stands between two marks, of which the first is there once.
pub(crate) fn between<'a>(page: &'a str, begin: &str, end: &str) -> &'a str {
    let (_, rest) = page.split_once(begin).expect("it begins");
    rest.split_once(end).expect("it ends").0
}

/// What the page's script reads, with its graphs' values as the script makes them.
pub(crate) fn data(page: &str) -> Value {
    let letters = between(page, "id=\"data\">", "</script>");
    let packed = STANDARD.decode(letters).expect("base64");
    let mut data: Value = serde_json::from_reader(GzDecoder::new(packed.as_slice())).expect("JSON");
    for graph in data["graphs"].as_array_mut().expect("graphs") {
        let one = graph.get("one").and_then(Value::as_i64).unwrap_or(1);
        for value in graph["own"].as_array_mut().expect("values") {
            *value = (value.as_i64().expect("a value") * one).into();
        }
    }
    data
}

#[test]
fn names_of_others_stay_text() {
    let scene = Scene {
        attacks: true,
        ..Scene::default()
    };
    let page = text(&findings(&scene));
    for tag in ["<img", "<svg onload", "<!--"] {
        assert!(!page.contains(tag), "a name became {tag}");
    }
    assert_eq!(page.matches("<script").count(), 2);
    assert_eq!(page.matches("</script").count(), 2);
    assert_eq!(page.matches("</style").count(), 1);
    let data = data(&page).to_string();
    for (place, text) in [("page", &page), ("data", &data)] {
        assert!(!text.contains('\u{202e}'), "{place}: the direction changes");
        assert!(
            text.contains("u{202e}"),
            "{place}: it is not said that it would"
        );
        assert!(
            !text.contains(&"A".repeat(300)),
            "{place}: a name is not cut"
        );
    }
    let commands = between(&page, "id=\"commands\"", "</section>");
    assert!(
        !commands.contains("get &lt;"),
        "a run's id is a command's word unquoted"
    );
}

#[test]
fn its_policy_allows_its_own_style_and_script_and_nothing_else() {
    let page = text(&findings(&Scene::default()));
    let policy = between(&page, "Security-Policy\" content=\"", "\">");
    let hash = |text: &str| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)));
    let style = hash(between(&page, "<style>", "</style>"));
    let script = between(&page, "<script>", "</script>");
    let rest = "base-uri 'none'; form-action 'none'";
    let of_script = hash(script);
    assert_eq!(
        policy,
        format!("default-src 'none'; style-src {style}; script-src {of_script}; {rest}")
    );
    for forbidden in [" style=", " onclick=", " onload=", "<link", "src="] {
        assert!(!page.contains(forbidden), "{forbidden} in the page");
    }
    assert!(
        script.len() < 40_000,
        "the script has {} bytes",
        script.len()
    );
}

#[test]
fn boxes_have_the_colours_of_the_style_where_that_is_forbidden() {
    let page = text(&findings(&Scene::default()));
    let style = between(&page, "<style>", "</style>");
    let boxes: Vec<_> = page.split("<rect class=\"").skip(1).collect();
    assert!(boxes.len() > 100, "{} boxes", boxes.len());
    for of in boxes {
        let (class, rest) = of.split_once("\" fill=\"").expect("a colour");
        let (colour, _) = rest.split_once('"').expect("it ends");
        assert!(style.contains(&format!("--{class}: {colour};")), "{class}");
    }
}

#[test]
fn folded_frames_leave_every_sum_as_it_is() {
    let findings = findings(&Scene {
        functions: 100,
        stacks: 800,
        ..Scene::default()
    });
    let data = data(&text(&findings));
    let graphs = data["graphs"].as_array().expect("graphs");
    let names = data["names"].as_array().expect("names");
    let mut folded = 0;
    for profiled in &findings.profiles {
        let of = format!("{}/{}", profiled.kind.name(), profiled.part.name());
        let trees = profiled
            .of_pods
            .iter()
            .map(|of| (Some(of.pod.as_str()), &of.tree));
        for (pod, tree) in trees.chain([(None, &profiled.merged)]) {
            let pods = findings.manifest.pods.iter();
            let pod = pod.map(|pod| pods.clone().position(|of| of.pod.name == pod));
            let graph = graphs.iter().find(|graph| {
                graph["component"] == profiled.component.name()
                    && graph["profile"] == of
                    && graph.get("pod").and_then(Value::as_u64) == pod.flatten().map(|at| at as u64)
            });
            let Some(graph) = graph else {
                assert_eq!(profiled.kind.name(), "threadcreate", "no graph of {of}");
                continue;
            };
            let own = graph["own"].as_array().expect("values").iter();
            let sum: i64 = own.filter_map(Value::as_i64).sum();
            assert_eq!(sum, tree.totals()[0], "{} {of} {pod:?}", profiled.component);
            let frames = graph["names"].as_array().expect("frames").iter();
            let frames = frames.filter_map(|at| names[at.as_u64()? as usize].as_str());
            folded += frames
                .filter(|name| name.ends_with(" small frames)"))
                .count();
        }
    }
    assert!(folded > 100, "only {folded} frames stand for folded ones");
}

#[test]
fn a_page_is_small() {
    let of = |handlers: usize| {
        text(&findings(&Scene {
            handlers,
            functions: 100,
            stacks: 800,
            ..Scene::default()
        }))
        .len()
    };
    let (few, many) = (of(6), of(494));
    println!("12 pods: {few} bytes, 500 pods: {many} bytes");
    assert!(few < 300_000, "12 pods: {few} bytes");
    assert!(many < 2_000_000, "500 pods: {many} bytes");
}

/// Each component's profiles differ from the earlier run's in as many stacks as they have.
#[test]
fn a_page_with_a_comparison_is_small() {
    let scene = Scene {
        functions: 100,
        stacks: 800,
        ..Scene::default()
    };
    let mut findings = findings(&scene);
    compare(&mut findings, false);
    let differences = findings.differences.as_mut().expect("differences");
    differences.profiles.clear();
    for component in Component::ALL {
        for kind in [Kind::Allocs, Kind::Cpu, Kind::Goroutine, Kind::Heap] {
            let mut merged = tree(&scene, component, kind, Part::Growth, 200);
            // Windows of two lengths leave no two values with a divisor in common.
            merged.add(["main.main"], &[1]);
            differences.profiles.push(Difference {
                component,
                kind,
                part: Part::Whole,
                unit: merged.types()[0].unit.clone(),
                pods: [2, 2],
                totals: [i64::from(u32::MAX); 2],
                factor: 1.0,
                top: merged.top(0, 50),
                merged,
            });
        }
    }
    let page = text(&findings);
    println!("12 pods, compared: {} bytes", page.len());
    let graphs = data(&page)["graphs"].clone();
    let graphs = graphs.as_array().expect("graphs").iter();
    let of_differences = graphs.filter(|graph| graph.get("base").is_some());
    assert_eq!(of_differences.count(), 16);
    assert!(page.len() < 300_000, "{} bytes", page.len());
}

#[test]
fn it_is_said_which_pods_are_missing_and_which_one_is_odd() {
    let page = text(&findings(&Scene {
        missing_percent: 20,
        handlers: 10,
        ..Scene::default()
    }));
    let missing = between(&page, "id=\"completeness\"", "</section>");
    assert!(missing.contains("connection refused"), "{missing}");
    let verdict = between(&page, "class=\"verdict\">", "</p>");
    assert!(verdict.contains("one virt-handler of "), "{verdict}");
    assert!(verdict.contains(" times the "), "{verdict}");
    assert!(page.contains("▲ outlier"), "no pod is marked");
}

#[test]
fn a_stack_that_is_too_deep_ends_in_one_frame() {
    let mut findings = findings(&Scene::default());
    let deep = &mut findings.profiles[0].merged;
    let before = deep.totals()[0];
    let names: Vec<_> = (0..5000).map(|at| format!("main.f{}", at % 7)).collect();
    deep.add(names.iter().map(String::as_str), &[before]);
    let data = data(&text(&findings));
    let graphs = data["graphs"].as_array().expect("graphs");
    let graph = graphs
        .iter()
        .find(|graph| graph["component"] == "virt-controller" && graph["profile"] == "allocs/whole")
        .expect("its graph");
    let own = graph["own"].as_array().expect("values").iter();
    let sum: i64 = own.filter_map(Value::as_i64).sum();
    assert_eq!(sum, 2 * before);
    let depths = graph["depths"].as_array().expect("depths").iter();
    assert_eq!(depths.filter_map(Value::as_u64).max(), Some(201));
    assert!(data["names"].to_string().contains("(4800 deeper frames)"));
}
