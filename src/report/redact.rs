//! Findings that do not tell which cluster they are of.

mod names;

use std::mem::take;
use std::sync::Arc;

use names::Names;

use super::findings::Findings;
use crate::component::Component;
use crate::config::RunId;
use crate::diff::{Diff, UNKNOWN};
use crate::manifest::{
    ExpectedPod, Gate, KubeVirt, Manifest, Pod, StoredFile, Surroundings, UnexpectedName,
    WindowNumbers,
};

/// Replaces whatever names the cluster: pods, nodes, namespaces, labels' values, the places where things are kept,
/// and all of these within messages. The same name becomes the same short one, and numbers stay as they are.
pub fn redact(findings: &mut Findings) {
    let mut names = Names::default();
    let manifest = Arc::make_mut(&mut findings.manifest);
    learn(manifest, &mut names);
    for profiled in &mut findings.profiles {
        let of_pods = profiled.of_pods.iter_mut().map(|of| &mut of.pod);
        let tops = profiled.tops.iter_mut().map(|top| &mut top.pod);
        for pod in profiled.pods.iter_mut().chain(of_pods).chain(tops) {
            *pod = names.pod(pod);
        }
    }
    // Messages come last, when all names are known.
    rewrite(manifest, &mut names);
    for totals in &mut findings.snapshots {
        totals.snapshot = names.text(&totals.snapshot);
    }
    if let Some(diff) = &mut findings.comparison {
        rewrite_comparison(diff, &mut names);
    }
    if let Some(differences) = &mut findings.differences {
        let short = names.run(&differences.run_id);
        names.replace(stem(&differences.run_id), stem(&short));
        differences.run_id = short;
    }
    let of_earlier = findings.differences.iter_mut();
    let of_earlier = of_earlier.flat_map(|differences| &mut differences.unread);
    for unread in findings.unread.iter_mut().chain(of_earlier) {
        rewrite_texts([&mut unread.path, &mut unread.why], &mut names);
    }
    findings.is_redacted = true;
}

/// Gives every name that the manifest has a short one, in the manifest's order.
fn learn(manifest: &Manifest, names: &mut Names) {
    for Pod { pod, .. } in &manifest.pods {
        names.of(pod.component.name(), &pod.name);
        names.of("node", &pod.node);
    }
    let surroundings = manifest.surroundings.iter();
    for node in surroundings.flat_map(|of| of.nodes.keys()) {
        names.of("node", node);
    }
    let KubeVirt {
        namespace,
        name,
        uid,
        version: _,
    } = &manifest.kubevirt;
    names.of("namespace", namespace);
    let latencies = manifest.vmi_latencies.as_ref();
    let of_vmis = latencies.and_then(|of| of.namespace.as_deref());
    names.of("namespace", of_vmis.unwrap_or_default());
    names.of("kubevirt", name);
    names.of("cluster", uid.as_deref().unwrap_or_default());
    for value in manifest.labels.values() {
        names.of("label", value);
    }
    let others = manifest.refused.iter().map(|of| &of.name);
    let uncounted = manifest.uncounted.iter().map(|of| &of.name);
    for pod in manifest.unstopped.iter().chain(uncounted).chain(others) {
        names.pod(pod);
    }
    let run = &manifest.run_id;
    let short = names.run(run);
    names.replace(stem(run), stem(&short));
}

/// What the names of a run's files begin with.
fn stem(run: &str) -> String {
    format!("{}{run}", RunId::FILE_PREFIX)
}

/// Every field is named, so that a new one is not forgotten.
fn rewrite(manifest: &mut Manifest, names: &mut Names) {
    let Manifest {
        schema_version: _,
        run_id,
        labels,
        compare_key,
        program_version: _,
        engine: _,
        kubevirt,
        components: _,
        gate: Gate { changed, .. },
        originals_kept: _,
        window: _,
        pods,
        in_window,
        snapshots,
        empty_kinds,
        unstopped,
        uncounted,
        cluster_file,
        refused,
        archive,
        report,
        no_report,
        comparison,
        not_compared,
        fallback_reason,
        phases: _,
        vmi_latencies,
        surroundings,
        warnings,
        workload_exit_code: _,
        peak_memory_bytes: _,
        exit_code: _,
        reason,
    } = manifest;
    rewrite_archive(archive, run_id, names);
    // The page of the run itself has its names.
    *report = None;
    *run_id = names.known(run_id);
    let given = take(labels).into_iter();
    *labels = given
        .map(|(key, value)| (names.text(&key), names.of("label", &value)))
        .collect();
    *compare_key = take(compare_key).map(|key| names.of("key", &key));
    kubevirt.namespace = names.known(&kubevirt.namespace);
    kubevirt.name = names.known(&kubevirt.name);
    if let Some(uid) = &mut kubevirt.uid {
        *uid = names.known(uid);
    }
    pods.iter_mut().for_each(|pod| rewrite_pod(pod, names));
    for amount in in_window
        .values_mut()
        .flat_map(|of| of.amounts.values_mut())
    {
        amount.largest_pod = names.pod(&amount.largest_pod);
    }
    let kinds = take(empty_kinds).into_iter();
    *empty_kinds = kinds
        .map(|(file, why)| (names.text(&file), names.text(&why)))
        .collect();
    for pod in unstopped {
        *pod = names.pod(pod);
    }
    for of in uncounted {
        of.name = names.pod(&of.name);
        of.why = names.text(&of.why);
    }
    refused.iter_mut().for_each(|of| rewrite_refused(of, names));
    cluster_file.path.clear();
    if let Some(latencies) = vmi_latencies {
        if let Some(namespace) = &mut latencies.namespace {
            *namespace = names.known(namespace);
        }
        if let Some(selector) = &mut latencies.selector {
            *selector = names.of("selector", selector);
        }
        rewrite_texts(&mut latencies.missed, names);
    }
    surroundings
        .iter_mut()
        .for_each(|of| rewrite_surroundings(of, names));
    for snapshot in snapshots {
        snapshot.name = names.text(&snapshot.name);
        rewrite_texts(&mut snapshot.why, names);
    }
    let reasons = changed.iter_mut().chain(fallback_reason);
    rewrite_texts(reasons.chain(no_report).chain(not_compared), names);
    if let Some(comparison) = comparison {
        if let Some(accepted) = &mut comparison.accepted {
            *accepted = names.run(accepted);
        }
        rewrite_texts([&mut comparison.summary], names);
    }
    rewrite_texts(warnings.iter_mut().chain([reason]), names);
}

fn rewrite_comparison(diff: &mut Diff, names: &mut Names) {
    for run in diff.new.iter_mut().chain(&mut diff.earlier) {
        run.run_id = names.run(&run.run_id);
    }
    if let Some(accepted) = &mut diff.accepted {
        accepted.run_id = names.run(&accepted.run_id);
        accepted.by = accepted.by.as_deref().map(|who| names.of("person", who));
        rewrite_texts(&mut accepted.why, names);
    }
    // It may name the run whose level was accepted.
    rewrite_texts(&mut diff.no_verdict, names);
    for outlier in &mut diff.outliers {
        outlier.pod = names.pod(&outlier.pod);
    }
    for run in &mut diff.not_comparable {
        run.run_id = names.run(&run.run_id);
        let sort = match run.field.as_str() {
            "PROFILER_COMPARE_KEY" => "key",
            "cluster" => "cluster",
            "VMIs that count" => "selection",
            // Numbers, architectures and components.
            _ => continue,
        };
        for value in [&mut run.new, &mut run.earlier] {
            if value != UNKNOWN {
                *value = names.of(sort, value);
            }
        }
    }
    let passed = diff.passed_over.iter_mut().chain(&mut diff.not_read);
    for run in passed.chain(&mut diff.not_judged) {
        run.run_id = names.run(&run.run_id);
        rewrite_texts([&mut run.why], names);
    }
}

fn rewrite_texts<'a>(texts: impl IntoIterator<Item = &'a mut String>, names: &mut Names) {
    for text in texts {
        *text = names.text(text);
    }
}

/// The place is replaced whole, and the file's name has the run's id in it.
fn rewrite_archive(archive: &mut StoredFile, run: &str, names: &mut Names) {
    let place = archive.uri.rsplit_once('/').map_or("", |(place, _)| place);
    let place = names.of("destination", place);
    archive.uri = format!("{place}/{}{}.tar.gz", RunId::FILE_PREFIX, names.known(run));
}

fn rewrite_pod(of: &mut Pod, names: &mut Names) {
    let Pod {
        pod,
        state: _,
        why,
        engine: _,
        dumped_at: _,
        mem_stats: _,
        in_window,
        files,
        snapshots,
    } = of;
    let ExpectedPod {
        name,
        component: _,
        uid,
        node,
        image,
        restarts: _,
        container: _,
    } = pod;
    *name = names.known(name);
    *node = names.known(node);
    // Nobody asks for these in a page.
    uid.clear();
    image.clear();
    files.clear();
    snapshots.clear();
    rewrite_texts(why, names);
    if let Some(window) = in_window {
        let WindowNumbers {
            no_baseline,
            not_compared,
            ..
        } = &mut **window;
        rewrite_texts(no_baseline.iter_mut().chain(not_compared), names);
    }
}

/// A name that nobody asked for came with a pod's part of the dump, or with a component's.
fn rewrite_refused(of: &mut UnexpectedName, names: &mut Names) {
    of.name = names.pod(&of.name);
    if of.page_of.parse::<Component>().is_err() {
        of.page_of = names.pod(&of.page_of);
    }
    of.why = names.text(&of.why);
}

fn rewrite_surroundings(of: &mut Surroundings, names: &mut Names) {
    for state in of.at_start.iter_mut().chain(&mut of.at_stop) {
        for leader in state.leaders.values_mut() {
            *leader = names.pod(leader);
        }
    }
    let nodes = take(&mut of.nodes).into_iter();
    of.nodes = nodes
        .map(|(name, node)| (names.known(&name), node))
        .collect();
    rewrite_texts(&mut of.unknown, names);
}
