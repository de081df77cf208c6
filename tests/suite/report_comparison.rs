//! A report that compares a run with others: `report --compare`, and a run that compares itself.

use std::collections::BTreeMap;

use cluster_profiler_job::diff::{NotComparable, Word};
use cluster_profiler_job::manifest::Manifest;
use cluster_profiler_job::pprof::Kind;
use cluster_profiler_job::report::{
    Findings, ProfileStore, Unread, Wanted, collect, compared, differences, redact,
};
use serde_json::json;
use standin::Standin;

use crate::by_function::{by_function, top};
use crate::compared_findings::{EARLIER, compare};
use crate::compared_run::{comparing, id, keep, nights, steady_and};
use crate::diff::{keep as keep_night, manifest as nightly, nights as nights_of};
use crate::goldens::packed;
use crate::google_pprof::raw;
use crate::harness::{Place, RUN_ID};
use crate::made_runs::bare_manifest;
use crate::profile_difference::{DIFFERENCES, columns, name};
use crate::report_findings::{ATTACKS, Scene, findings};
use crate::report_page::{between, data, text};
use crate::run_report::paged;

const POD: &str = "virt-api-7d9f-abcde";

/// A run's manifest, with a window of so many seconds.
fn manifest(run: &str, seconds: u32) -> Manifest {
    let mut manifest = bare_manifest(run);
    let stop = format!(
        "2026-11-28T21:{:02}:{:02}Z",
        51 + seconds / 60,
        seconds % 60
    );
    manifest["window"]["stop"] = stop.into();
    serde_json::from_value(manifest).expect("a manifest")
}

/// One pod's profiles at this moment of the goldens' window.
fn store(when: &str) -> ProfileStore {
    let mut store =
        ProfileStore::new(&std::env::temp_dir(), Wanted::default(), 1 << 30).expect("a file");
    for kind in ["heap", "goroutine", "allocs"] {
        let folder = if kind == "allocs" { "delta/" } else { "" };
        let profile = packed(&format!("window/{when}/{kind}.pb"));
        let kept = store.keep(
            &format!("profile-x/{POD}/{folder}{kind}.pprof"),
            profile.as_slice(),
        );
        kept.expect("it is kept");
    }
    store
}

#[test]
fn a_difference_has_the_totals_and_functions_of_pprof() {
    let (mut new, earlier) = (store("after"), store("before"));
    let found = collect(manifest("b", 60).into(), &mut new);
    let all = differences(&found, &new, &manifest("a", 60), &earlier);
    assert_eq!(all.run_id, "a");
    assert_eq!(all.profiles.len(), 3);
    for (kind, from, names) in DIFFERENCES {
        let Some(of) = all.profiles.iter().find(|of| of.kind == kind) else {
            assert!(
                matches!(kind, Kind::Block | Kind::Mutex | Kind::Threadcreate),
                "{kind:?}"
            );
            continue;
        };
        let said = columns(raw(&format!("window/{}", name(kind))), from, names);
        let value = names.len() - 1;
        assert_eq!(of.merged.totals(), [said.totals()[value]], "{kind:?}");
        assert_eq!(
            of.totals[1] - of.totals[0],
            said.totals()[value],
            "{kind:?}"
        );
        let mut stacks = BTreeMap::<Vec<String>, Vec<i64>>::new();
        for (stack, values) in by_function(&said) {
            let stack = stack.iter().map(|function| compared(function).into_owned());
            let sums = stacks
                .entry(stack.collect())
                .or_insert_with(|| vec![0; values.len()]);
            sums.iter_mut()
                .zip(values)
                .for_each(|(sum, value)| *sum += value);
        }
        let expected = top(&stacks, value);
        assert!(!of.top.is_empty(), "{kind:?}");
        for row in &of.top {
            assert_eq!(
                expected.get(row.name.as_str()),
                Some(&(row.own, row.cumulative)),
                "{kind:?}: {}",
                row.name
            );
        }
        let most = |own: i64| own.unsigned_abs();
        let largest = expected.values().map(|(own, _)| most(*own)).max();
        assert_eq!(of.top.first().map(|row| most(row.own)), largest, "{kind:?}");
    }
}

#[test]
fn what_grows_with_the_window_is_compared_by_its_length() {
    let [(mut new, _), (earlier, _)] = ["after", "before"].map(|when| {
        let mut store = store(when);
        let cpu = packed("small/cpu.pb");
        let kept = store.keep(&format!("profile-x/{POD}/cpu.pprof"), cpu.as_slice());
        (store, kept.expect("it is kept"))
    });
    for (seconds, earlier_seconds, times, why) in [
        (60, 40, 1.5, ", times 1.50 because its window was shorter"),
        (40, 50, 0.8, ", times 0.80 because its window was longer"),
        (60, 60, 1.0, ""),
    ] {
        let found = collect(manifest("b", seconds).into(), &mut new);
        let all = differences(&found, &new, &manifest("a", earlier_seconds), &earlier);
        let kinds: Vec<_> = all.profiles.iter().map(|of| of.kind).collect();
        assert_eq!(
            kinds,
            [Kind::Allocs, Kind::Cpu, Kind::Goroutine, Kind::Heap]
        );
        for of in &all.profiles {
            let grows = matches!(of.kind, Kind::Allocs | Kind::Cpu);
            let factor = if grows { times } else { 1.0 };
            assert!((of.factor - factor).abs() < 1e-9, "{:?}", of.kind);
            let expected = of.totals[1] as f64 - of.totals[0] as f64 * factor;
            let off = (of.merged.totals()[0] as f64 - expected).abs();
            // Each node is rounded by itself.
            assert!(
                off <= of.merged.nodes().len() as f64,
                "{:?}: {off}",
                of.kind
            );
        }
        let mut found = findings(&Scene::default());
        compare(&mut found, false);
        found.differences = Some(all);
        let said = section(&found);
        assert_eq!(
            said.matches(" because its window was ").count(),
            2 * usize::from(times != 1.0),
            "{said}"
        );
        assert!(said.contains(why), "no {why:?} in {said}");
    }
}

#[test]
fn what_cannot_be_read_of_the_earlier_run_is_said_of_that_one() {
    let (mut new, mut earlier) = (store("after"), store("before"));
    let damaged = "profile-a/virt-api-7d9f-fghij/heap.pprof";
    let kept = earlier.keep(damaged, &b"no profile"[..]);
    kept.expect("it is kept");
    earlier.note_unread("the archive", "it cannot be read to its end");
    let found = collect(manifest("b", 60).into(), &mut new);
    let all = differences(&found, &new, &manifest("a", 60), &earlier);
    let paths: Vec<_> = all.unread.iter().map(|of| &*of.path).collect();
    assert_eq!(paths, ["the archive", "virt-api-7d9f-fghij/heap.pprof"]);
    assert_eq!(all.profiles.len(), 3);
    let mut found = findings(&Scene::default());
    compare(&mut found, false);
    found.differences = Some(all);
    let html = text(&found);
    assert!(!html.contains("not all of it could be read"));
    let section = words(between(&html, "id=\"comparison\"", "</section>"));
    for said in [
        "Not all of that run's archive could be read:",
        "the archive: it cannot be read to its end",
        "virt-api-7d9f-fghij/heap.pprof: ",
    ] {
        assert_eq!(section.matches(said).count(), 1, "{said}");
        assert_eq!(words(&html).matches(said).count(), 1, "{said}");
    }
}

/// What a page says, without its tags.
fn words(html: &str) -> String {
    let pieces = html
        .split('<')
        .map(|piece| piece.split_once('>').map_or(piece, |(_, text)| text));
    pieces.collect()
}

/// The stand-in's pods, profiled twice into one place. A slow machine makes one window longer, so the first run is said to
/// have had the second one's length.
async fn two_runs() -> (Place, Standin) {
    let standin = nights().await;
    let place = Place::new(&standin)
        .with("PROFILER_BASELINE", "true")
        .with("PROFILER_COMPARE_KEY", "nightly")
        .with("PROFILER_RUN_ID", "before");
    assert_eq!(place.run().await.code, 0);
    let place = place.with("PROFILER_RUN_ID", RUN_ID);
    assert_eq!(place.run().await.code, 0);
    let path = |run: &str| place.out().join(format!("profile-{run}.json"));
    let read = |run: &str| serde_json::from_slice(&std::fs::read(path(run)).expect("a manifest"));
    let new: Manifest = read(RUN_ID).expect("a manifest");
    let mut before: Manifest = read("before").expect("a manifest");
    let length = new.window.stop.duration_since(new.window.start);
    before.window.stop = before.window.start + length;
    let json = serde_json::to_vec(&before).expect("JSON");
    std::fs::write(path("before"), json).expect("it is written");
    (place, standin)
}

async fn page(place: &Place, arguments: &[&str]) -> (String, String) {
    page_of(place, RUN_ID, arguments).await
}

async fn page_of(place: &Place, run: &str, arguments: &[&str]) -> (String, String) {
    let output = place.path("page.html");
    let output = output.to_str().expect("a path");
    let ended = place
        .run_with(&[&["report", run, "-o", output], arguments].concat())
        .await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    (std::fs::read_to_string(output).expect("a page"), ended.log)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_compared_with_one_or_with_those_before() {
    let (place, _standin) = two_runs().await;
    let (plain, _) = page(&place, &[]).await;
    assert!(!plain.contains("id=\"comparison\""));
    for arguments in ["--compare", "--compare=before"] {
        let (html, log) = page(&place, &[arguments]).await;
        let said = words(&html);
        let has = |words: &str| {
            assert!(
                said.contains(words),
                "{arguments}: no {words:?} in the page; {log}"
            )
        };
        has("Against the runs before");
        has("no verdict: 1 comparable run before");
        has("One run before it counts: before");
        has("virt-api live heap");
        has("Functions that differ from run before");
        has("virt-controller: Change of CPU time");
        has("virt-handler: Change of the live heap");
        assert!(html.contains("class=\"nights\""), "{arguments}");
    }
    // The other way round nothing is before it, and what comes after it is not told of.
    let output = place.path("first.html");
    let output = output.to_str().expect("a path");
    let ended = place
        .run_with(&["report", "before", "--compare", "-o", output])
        .await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let said = words(&std::fs::read_to_string(output).expect("a page"));
    assert!(said.contains("there is no complete run before"));
    assert!(said.contains("No run before it counts."));
    // With a name it may be held against a later one, and the page says so.
    let (html, _) = page_of(&place, "before", &[&format!("--compare={RUN_ID}")]).await;
    let said = words(&html);
    assert!(said.contains(&format!("held against a run that came later: {RUN_ID}")));
    assert!(said.contains(&format!("Functions that differ from run {RUN_ID}")));
    let ended = place
        .run_with(&["report", RUN_ID, &format!("--compare={RUN_ID}")])
        .await;
    assert_eq!(ended.code, 2, "{}", ended.log);
    assert!(
        ended.log.contains("is not compared with itself"),
        "{}",
        ended.log
    );
    // What is accepted is held against nothing before it, as by diff.
    let ended = place.run_with(&["accept", RUN_ID]).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let (html, _) = page(&place, &["--compare"]).await;
    assert!(words(&html).contains(&format!("0 comparable runs since {RUN_ID} was accepted")));
    let accepted = place.out().join(format!("profile-{RUN_ID}.accepted.json"));
    std::fs::remove_file(accepted).expect("it is removed");
    // An earlier archive that cannot be read takes the functions alone.
    let archive = place.out().join("profile-before.tar.gz");
    std::fs::remove_file(&archive).expect("it is removed");
    let (html, log) = page(&place, &["--compare"]).await;
    let said = words(&html);
    assert!(said.contains("virt-api live heap"), "{log}");
    assert!(!said.contains("virt-controller: Change of"));
    assert!(!said.contains("no profile in common"));
    let unread = "the archive: it cannot be read, so it is not told which functions differ";
    assert!(said.contains(unread));
    assert!(!html.contains("not all of it could be read"));
    let whose = "not all of the archive of run before could be read, as the page says: ";
    assert!(log.contains(&format!("{whose}{unread}")), "{log}");
    assert!(!log.contains("not all of the archive could"), "{log}");
    for (run, words) in [("absent", "absent"), ("a/b", "'a/b' for '--compare")] {
        let ended = place
            .run_with(&["report", RUN_ID, &format!("--compare={run}")])
            .await;
        assert_ne!(ended.code, 0, "{run}");
        assert!(ended.log.contains(words), "{run}: {}", ended.log);
    }
}

/// What the section says of the comparison.
fn section(found: &Findings) -> String {
    words(between(&text(found), "id=\"comparison\"", "</section>"))
}

#[test]
fn an_interval_is_there_in_words_and_a_note_says_how_to_read_it() {
    let mut found = findings(&Scene::default());
    compare(&mut found, false);
    let shades = "Within their shaded band a change is less than 5.0 % and does not matter.";
    let said = section(&found);
    for words in [
        "×1.19 to ×1.47",
        "ratio 1.32, between 1.19 and 1.47, by 12 runs before",
        "ratio 0.83, between 0.75 and 0.92, by 13 runs before",
        "13 runs before, of which 12 count, median 295.6 MiB",
        "13 runs before, median 2.9000, this one 2.4000",
        "The interval is that in which the ratio of this run",
        shades,
    ] {
        assert!(said.contains(words), "no {words:?} in {said}");
    }
    // Of few runs there are ratios alone.
    let diff = found.comparison.as_mut().expect("a comparison");
    for number in &mut diff.numbers {
        (number.verdict, number.interval, number.runs) = (None, None, 1);
        number.before.truncate(1);
    }
    let said = section(&found);
    for words in [
        "no interval",
        "ratio 1.32, by 1 run before",
        "There is no interval, for the scatter between runs is known from 5 runs before on.",
        shades,
    ] {
        assert!(said.contains(words), "no {words:?} in {said}");
    }
    assert!(!said.contains("The interval is"), "{said}");
}

#[test]
fn shares_of_a_difference_are_of_what_the_earlier_run_had() {
    let mut found = findings(&Scene::default());
    compare(&mut found, false);
    let said = section(&found);
    for words in [
        format!(
            "at least by 0.1 % of what run {EARLIER} had in all, times 1.02, of which shares are"
        ),
        format!("at least by 0.1 % of what run {EARLIER} had in all, of which shares are"),
    ] {
        assert!(said.contains(&words), "no {words:?} in {said}");
    }
    let data = data(&text(&found));
    let mut graphs = data["graphs"].as_array().expect("graphs").iter();
    let cpu = graphs.find(|graph| graph["profile"] == "cpu/difference");
    let base = json!({ "run": EARLIER, "times": ", times 1.02", "total": 16_363_636_364_i64 });
    assert_eq!(cpu.expect("a difference")["base"], base);
}

#[test]
fn runs_and_intervals_are_drawn_where_they_belong() {
    let mut found = findings(&Scene::default());
    compare(&mut found, false);
    let diff = found.comparison.as_mut().expect("a comparison");
    diff.numbers.truncate(1);
    let number = &mut diff.numbers[0];
    (number.before, number.earlier, number.new) = (vec![90.0, 110.0], 100.0, 120.0);
    (number.ratio, number.interval) = (1.2, Some([0.96, 1.5]));
    number.verdict = Some(Word::Inconclusive);
    let html = text(&found);
    let drawing = |class: &str| between(&html, &format!("<svg class=\"{class}\""), "</svg>");
    // The band is from 80 to 125, and so is the height: what is outside of all runs has room, too.
    for shape in [
        r#"<rect class="band" x="0" width="180" y="6.0" height="18.0""#,
        r#"<polyline points="6.0,20.0 90.0,12.0 174.0,8.0""#,
        r#"<circle class="same" cx="174.0" cy="8.0" r="4">"#,
        "without a change between 80 B and 125 B",
    ] {
        let nights = drawing("nights");
        assert!(nights.contains(shape), "no {shape} in {nights}");
    }
    // The axis is from 1 / 1.5 to 1.5, by logarithms, and a change of 5 % is shaded.
    for shape in [
        r#"<rect class="band" x="79.9" width="20.2" y="0" height="30""#,
        r#"<line class="axis" x1="90.0" x2="90.0" y1="0" y2="30""#,
        r#"<line class="reach" x1="81.5" x2="174.0" y1="15.0" y2="15.0""#,
        r#"<circle class="same" cx="127.8" cy="15.0" r="4">"#,
    ] {
        let ratio = drawing("ratio");
        assert!(ratio.contains(shape), "no {shape} in {ratio}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_are_held_against_the_newest_comparable_run() {
    let place = nights_of(&[100; 5]);
    let compared = |html: String| {
        let (_, rest) = html
            .split_once("Functions that differ from run <bdi>")
            .expect("a run");
        rest.split_once('<').expect("its end").0.to_owned()
    };
    let (html, _) = page_of(&place, "night-003", &["--compare"]).await;
    assert_eq!(compared(html), "night-002");
    let mut short = nightly(2, 100);
    short["window"]["stop"] = "1970-01-01T16:00:30Z".into();
    keep_night(&place, 2, &short.to_string());
    let (html, _) = page_of(&place, "night-003", &["--compare"]).await;
    assert!(words(&html).contains("night-002 is not comparable: window seconds: 30, and here 900"));
    assert_eq!(compared(html), "night-001");
}

#[tokio::test(flavor = "multi_thread")]
async fn why_a_run_is_not_compared_is_in_its_page() {
    let place = nights_of(&[100; 7]);
    let mut incomplete = nightly(6, 100);
    incomplete["pods"][0]["state"] = "missing".into();
    keep_night(&place, 6, &incomplete.to_string());
    let (html, log) = page_of(&place, "night-006", &["--compare"]).await;
    let why = "1 of 2 pods are complete";
    let said = words(between(&html, "id=\"comparison\"", "</section>"));
    assert!(
        said.contains(&format!(
            "The run was not compared with those before it: {why}."
        )),
        "{said}"
    );
    assert!(
        log.contains(&format!("not compared with the runs before: {why}")),
        "{log}"
    );
    // What the run itself said of it at its end is shown until it is compared.
    let mut told = nightly(6, 100);
    told["not_compared"] = "zebra1.example.com is away".into();
    keep_night(&place, 6, &told.to_string());
    let (html, _) = page_of(&place, "night-006", &[]).await;
    assert!(words(&html).contains("with those before it: zebra1.example.com is away."));
    let (html, _) = page_of(&place, "night-006", &["--redact"]).await;
    assert!(words(&html).contains("with those before it: host-1 is away."));
    let (html, _) = page_of(&place, "night-006", &["--compare"]).await;
    assert!(!html.contains("was not compared"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_compares_itself_says_so_in_its_page() {
    let standin = nights().await;
    let place = Place::new(&standin);
    keep(&place.out(), &steady_and(&[]));
    let place = paged(comparing(place));
    assert_eq!(place.run().await.code, 0);
    let html = std::fs::read_to_string(place.out().join(format!("profile-{RUN_ID}.html")))
        .expect("a page");
    let said = words(&html);
    for words in [
        "regression, suspected: virt-api live heap".to_owned(),
        format!(
            "6 comparable runs before it count, from {} (KubeVirt",
            id(0)
        ),
        "▲ regression, suspected".to_owned(),
    ] {
        assert!(said.contains(&words), "no {words:?}");
    }
    assert!(
        !said.contains("Functions that differ"),
        "no archive of an earlier run was read"
    );
    // Made later, it has what the run saw.
    let (html, _) = page(&place, &[]).await;
    let said = words(&html);
    assert!(
        said.contains("The run saw that at its end, against 6 runs before it"),
        "{said}"
    );
    assert!(said.contains("regression, suspected: virt-api live heap"));
}

#[test]
fn a_comparison_of_others_names_is_harmless_and_can_be_redacted() {
    let mut found = findings(&Scene {
        attacks: true,
        ..Scene::default()
    });
    compare(&mut found, true);
    let html = text(&found);
    let section = html.split("id=\"comparison\"").nth(1).expect("a section");
    let section = section.split("</section>").next().expect("its end");
    for attack in ATTACKS.iter().filter(|attack| attack.contains('<')) {
        assert!(!section.contains(*attack), "{attack}");
    }

    let mut found = findings(&Scene::default());
    compare(&mut found, false);
    let diff = found.comparison.as_mut().expect("a comparison");
    diff.no_verdict = Some("2 comparable runs since zebra-nightly was accepted".to_owned());
    diff.earlier[0].run_id = "zebra-nightly".to_owned();
    diff.not_comparable[0].run_id = "zebra-other".to_owned();
    diff.not_comparable.push(NotComparable {
        run_id: "20261112t215100z-9a0011".to_owned(),
        field: "PROFILER_COMPARE_KEY".to_owned(),
        new: "zebra".to_owned(),
        earlier: "zebra crossing".to_owned(),
    });
    diff.passed_over[0].why = "zebra1.example.com is away".to_owned();
    let differences = found.differences.as_mut().expect("differences");
    differences.run_id = "zebra-nightly".to_owned();
    for (path, why) in [
        (
            "profile-zebra-nightly/virt-api-zebra/cpu.pprof",
            "it is damaged",
        ),
        ("the archive", "zebra1.example.com is away"),
    ] {
        let [path, why] = [path, why].map(str::to_owned);
        differences.unread.push(Unread { path, why });
    }
    redact(&mut found);
    let html = text(&found);
    assert!(!html.contains("zebra"));
    assert!(words(&html).contains("/cpu.pprof: it is damaged"));
    assert!(
        !html.contains("6cb96aa5-5dc3-4cd7-8f08-8e3f3e2ff1a2"),
        "the other cluster"
    );
    // A run's id that nobody chose says when it began, and no more.
    assert!(html.contains(EARLIER));
}
