//! `diff --functions`: the functions that changed, by the archives of runs.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, SystemTime};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tar::{Builder, Header};

use crate::harness::{Ended, Place};
use crate::made_runs::{bare_manifest, profile};

/// The stacks of a pod's processor time, outermost function first, with the samples of each.
type Stacks = Vec<(Vec<String>, u64)>;

const WATCH: &str = "kubevirt.io/kubevirt/pkg/virt-api/watch";

/// What a steady program does: twenty functions with some hundred samples each, below two callers.
fn steady() -> Stacks {
    let of = |number: u64| {
        let caller = format!("{WATCH}.(*Controller).Run{}", number % 2);
        let leaf = format!("{WATCH}/work{number}.Do");
        (stack(&[&caller, &leaf]), 300 + 20 * number)
    };
    (0..20).map(of).collect()
}

fn stack(functions: &[&str]) -> Vec<String> {
    let all = [&["runtime.goexit"], functions].concat();
    all.into_iter().map(str::to_owned).collect()
}

/// The same with each count a little off, differently in each pod and run, as samples are.
fn scattered(stacks: &Stacks, seed: u64) -> Stacks {
    let mut random = fastrand::Rng::with_seed(seed);
    let each = stacks.iter().map(|(stack, samples)| {
        // Events that come by chance, in the time in which so many are expected.
        let (mut time, mut events) = (-random.f64().ln(), 0);
        while time < *samples as f64 {
            time -= random.f64().ln();
            events += 1;
        }
        (stack.clone(), events)
    });
    each.collect()
}

/// A cpu profile with these stacks.
fn cpu(stacks: &Stacks) -> Vec<u8> {
    let mut names: Vec<String> = stacks.iter().flat_map(|(stack, _)| stack.clone()).collect();
    names.sort();
    names.dedup();
    let id = |name: &String| names.binary_search(name).expect("a name") as u64 + 1;
    let ids = stacks.iter().flat_map(|(stack, samples)| {
        let innermost_first: Vec<_> = stack.iter().rev().map(id).collect();
        std::iter::repeat_n(innermost_first, *samples as usize)
    });
    profile(&names, ids.map(Vec::into_iter))
}

/// Keeps a run with these pods of virt-api, by their cpu profiles.
fn keep(place: &Place, night: usize, pods: &[Stacks]) {
    let directory = place.out();
    std::fs::create_dir_all(&directory).expect("a directory");
    let (run_id, start) = (
        id(night),
        jiff::Timestamp::UNIX_EPOCH + Duration::from_hours(8 * night as u64),
    );
    let mut gzip = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let mut manifest = bare_manifest(&run_id);
    for (number, stacks) in pods.iter().enumerate() {
        let (name, content) = (format!("virt-api-{number}"), cpu(stacks));
        let mut header = Header::new_ustar();
        header.set_size(content.len() as u64);
        let path = format!("profile-{run_id}/{name}/cpu.pprof");
        gzip.append_data(&mut header, path, &content[..])
            .expect("memory");
        let pod = json!({
            "name": name, "component": "virt-api", "uid": "u", "node": "n", "image": "i", "restarts": 0,
            "state": "complete", "files": [],
        });
        manifest["pods"].as_array_mut().expect("pods").push(pod);
    }
    let archive = gzip
        .into_inner()
        .and_then(GzEncoder::finish)
        .expect("memory");
    manifest["kubevirt"]["uid"] = json!("one");
    manifest["window"]["start"] = json!(start.to_string());
    manifest["window"]["stop"] = json!((start + Duration::from_secs(900)).to_string());
    manifest["archive"]["bytes"] = json!(archive.len());
    manifest["archive"]["sha256"] = json!(hex::encode(Sha256::digest(&archive)));
    std::fs::write(directory.join(format!("profile-{run_id}.tar.gz")), archive).expect("a file");
    let path = directory.join(format!("profile-{run_id}.json"));
    std::fs::write(&path, manifest.to_string()).expect("a file");
    set_time(&path, night);
}

fn set_time(path: &Path, night: usize) {
    let at = SystemTime::UNIX_EPOCH + Duration::from_hours(8 * night as u64 + 1);
    let file = File::options().write(true).open(path).expect("the file");
    file.set_modified(at).expect("a time");
}

fn id(night: usize) -> String {
    format!("night-{night:03}")
}

fn place() -> Place {
    let place = Place::empty();
    let out = format!("file://{}", place.out().display());
    place.with("PROFILER_DESTINATION", out)
}

async fn diff(place: &Place, more: &[&str]) -> Ended {
    place
        .run_with(&[&["diff", "--functions"], more].concat())
        .await
}

async fn document(place: &Place, more: &[&str]) -> Value {
    let ended = diff(place, &[more, &["--json"]].concat()).await;
    serde_json::from_str(&ended.log).unwrap_or_else(|error| panic!("{error}: {}", ended.log))
}

/// The functions of virt-api's processor time that changed.
fn changed(document: &Value) -> Vec<&Value> {
    let numbers = document["functions"].as_array().expect("functions");
    let cpu = numbers
        .iter()
        .find(|of| of["component"] == "virt-api" && of["name"] == "cpu_cores");
    let cpu = cpu.unwrap_or_else(|| panic!("no functions of virt-api: {document}"));
    cpu["functions"]
        .as_array()
        .expect("functions")
        .iter()
        .collect()
}

/// Pods of a run, of which each has some more or less of a large function by accident.
fn noisy(stacks: &Stacks, night: u64, pods: u64) -> Vec<Stacks> {
    let mut random = fastrand::Rng::with_seed(night);
    let pod = |pod: u64| {
        let mut stacks = scattered(stacks, night * 100 + pod);
        let noisy = (random.f64() * 3000.0) as u64 + 1000;
        stacks.push((
            stack(&[
                &format!("{WATCH}.(*Controller).Run0"),
                &format!("{WATCH}.noisy.func1"),
            ]),
            noisy,
        ));
        stacks
    };
    (0..pods).map(pod).collect()
}

/// The same, with one function so many times as costly.
fn with_hot(stacks: &Stacks, name: &str, times: f64) -> Stacks {
    let is_hot = |stack: &[String]| stack.last().is_some_and(|leaf| leaf == name);
    let each = stacks.iter().map(|(stack, samples)| {
        let samples = if is_hot(stack) {
            (*samples as f64 * times) as u64
        } else {
            *samples
        };
        (stack.clone(), samples)
    });
    each.collect()
}

#[tokio::test]
async fn a_hot_function_is_named_first_and_a_noisy_one_beside_it_is_not() {
    let hot = format!("{WATCH}/work7.Do");
    // Against one run, by the scatter of its pods; and against many, by their own scatter.
    for (nights, scatter) in [(1, "pods"), (8, "runs")] {
        let place = place();
        for night in 0..nights {
            keep(&place, night, &noisy(&steady(), night as u64 + 1, 6));
        }
        let now = with_hot(&steady(), &hot, 1.5);
        keep(&place, nights, &noisy(&now, 77, 6));
        let said = document(&place, &[]).await;
        let changed = changed(&said);
        assert_eq!(changed[0]["name"], json!(hot), "{said:#}");
        let names: Vec<_> = changed.iter().map(|function| &function["name"]).collect();
        assert!(
            !names.contains(&&json!(format!("{WATCH}.noisy.func"))),
            "{names:?}"
        );
        assert!(
            changed
                .iter()
                .skip(1)
                .all(|function| function["self"]["changed"] == false),
            "{names:?}"
        );
        assert_eq!(changed[0].get("moved"), None);
        let ratio = changed[0]["self"]["ratio"].as_f64().expect("a ratio");
        assert!((1.35..1.65).contains(&ratio), "{ratio}");
        let cpu = said["functions"]
            .as_array()
            .expect("numbers")
            .iter()
            .find(|of| of["name"] == "cpu_cores");
        assert_eq!(cpu.expect("cpu")["scatter"], json!(scatter));
        let ended = diff(&place, &[]).await;
        assert!(ended.log.contains(&hot), "{}", ended.log);
    }
}

#[tokio::test]
async fn cost_that_went_to_another_function_moved() {
    let place = place();
    let old = format!("{WATCH}/work5.Do");
    let new = format!("{WATCH}/work5.do");
    let pods = |stacks: &Stacks, seed: u64| {
        (0..4)
            .map(|pod| scattered(stacks, seed + pod))
            .collect::<Vec<_>>()
    };
    keep(&place, 0, &pods(&steady(), 10));
    let refactored = steady().into_iter().flat_map(|(mut stack, samples)| {
        let before = (stack.clone(), samples);
        if stack.last() != Some(&old) {
            return vec![before];
        }
        stack.push(new.clone());
        vec![(before.0, samples / 10), (stack, samples - samples / 10)]
    });
    keep(&place, 1, &pods(&refactored.collect(), 50));
    let said = document(&place, &[]).await;
    let changed = changed(&said);
    let of = |name: &str| {
        changed
            .iter()
            .find(|function| function["name"] == json!(name))
            .copied()
    };
    let (from, to) = (
        of(&old).expect("the old one"),
        of(&new).expect("the new one"),
    );
    assert_eq!(
        to["moved"],
        json!({ "within": old, "other": [old] }),
        "{said:#}"
    );
    assert_eq!(from["moved"]["other"], json!([new]), "{said:#}");
    let ended = diff(&place, &[]).await;
    assert!(
        ended.log.contains(&format!("{new} (moved from {old})")),
        "{}",
        ended.log
    );
}

#[tokio::test]
async fn the_same_profiles_name_nothing() {
    let place = place();
    let pods = noisy(&steady(), 5, 4);
    for night in 0..3 {
        keep(&place, night, &pods);
    }
    let said = document(&place, &[]).await;
    assert!(changed(&said).is_empty(), "{said:#}");
    assert_eq!(said, document(&place, &[]).await);
    // Another version of a module has the same functions, wherever their closures stand.
    let renamed = pods.iter().map(|stacks| {
        let rename = |name: &String| {
            name.replace("/work", "/v2/work")
                .replace("func1", "func3.2")
        };
        stacks
            .iter()
            .map(|(stack, samples)| (stack.iter().map(rename).collect(), *samples))
            .collect()
    });
    keep(&place, 3, &renamed.collect::<Vec<_>>());
    let said = document(&place, &[]).await;
    assert!(changed(&said).is_empty(), "{said:#}");
}

#[tokio::test]
async fn functions_with_too_few_samples_are_counted_and_not_judged() {
    let place = place();
    let with_rare = |samples: u64| {
        let mut stacks = steady();
        stacks.push((stack(&["main.rare"]), samples));
        vec![stacks]
    };
    keep(&place, 0, &with_rare(20));
    keep(&place, 1, &with_rare(90));
    let said = document(&place, &[&id(0), &id(1)]).await;
    assert!(changed(&said).is_empty(), "{said:#}");
    let cpu = said["functions"]
        .as_array()
        .expect("numbers")
        .iter()
        .find(|of| of["name"] == "cpu_cores");
    let cpu = cpu.expect("cpu");
    assert_eq!(
        (&cpu["too_few_samples"], &cpu["scatter"]),
        (&json!(1), &json!("samples"))
    );
    let ended = diff(&place, &[]).await;
    assert!(
        ended
            .log
            .contains("too few samples: 1 functions, which have 0.9 % of it"),
        "{}",
        ended.log
    );
}

#[tokio::test]
async fn an_archive_that_is_gone_is_named_and_the_others_are_read() {
    let place = place();
    for night in 0..3 {
        keep(&place, night, &noisy(&steady(), 5, 4));
    }
    let gone = place.out().join(format!("profile-{}.tar.gz", id(0)));
    std::fs::write(gone, "no archive").expect("a file");
    let said = document(&place, &[]).await;
    assert_eq!(said["not_read"][0]["run_id"], json!(id(0)), "{said:#}");
    let ended = diff(&place, &[]).await;
    assert!(
        ended.log.contains("night-000: not read, or not all: "),
        "{}",
        ended.log
    );
}
