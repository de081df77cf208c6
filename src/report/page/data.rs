//! The page's data: every flame graph, and the functions of each, as JSON that the page's script reads.

use std::io::{self, Write};

use hashbrown::HashMap;

use crate::manifest::Lead;
use crate::report::findings::{Findings, Profiled};
use crate::report::tree::Tree;

use super::difference;
use super::frames;
use super::graph::Names;
use super::profiles;
use super::text::{quoted, shown};

/// The frames of all components' graphs together, of any run and for each pod that it had; and those of single pods'.
const FRAMES: Budget = Budget {
    any: 5_000,
    pod: 20,
};
const POD_FRAMES: Budget = Budget {
    any: 2_000,
    pod: 100,
};

/// How many frames may be shown.
struct Budget {
    any: usize,
    pod: usize,
}

impl Budget {
    /// The most frames of one graph, if all of them are to be within the budget.
    fn most<'a>(&self, pods: usize, graphs: impl Iterator<Item = Shown<'a>>) -> usize {
        const STEPS: [usize; 12] = [
            4000, 2800, 2000, 1400, 1000, 700, 500, 350, 250, 180, 120, 80,
        ];
        let budget = self.any + self.pod * pods;
        let frames: Vec<_> = graphs.map(|of| frames::count(of.tree, of.value)).collect();
        let all = |most: usize| {
            frames
                .iter()
                .map(|frames| (*frames).min(most))
                .sum::<usize>()
        };
        let step = STEPS.into_iter().find(|most| all(*most) <= budget);
        step.unwrap_or(STEPS[STEPS.len() - 1] / 2)
    }
}

/// A tree, and which of its values is shown.
struct Shown<'a> {
    /// The tree.
    tree: &'a Tree,
    /// The index of its value.
    value: usize,
}

/// The functions in the table of one pod.
const POD_ROWS: usize = 20;

/// Writes the data: pods, graphs, and the names in them.
pub(super) fn write(findings: &Findings, run: &[&Profiled], mut out: impl Write) -> io::Result<()> {
    let manifest = &findings.manifest;
    let pods = manifest.pods.iter().map(|pod| &pod.pod);
    let graphs = run.iter().filter(|of| profiles::has_flame(of.kind));
    let merged = graphs.clone().map(|of| Shown {
        tree: &of.merged,
        value: of.shown,
    });
    let differences = findings.differences.iter();
    let differences = differences.flat_map(|all| {
        let differing = all.profiles.iter().filter(|of| difference::has_values(of));
        differing.map(move |of| (all, of))
    });
    let merged = merged.chain(differences.clone().map(|(_, of)| Shown {
        tree: &of.merged,
        value: 0,
    }));
    let single = graphs.clone().flat_map(|of| {
        of.of_pods.iter().map(|stacks| Shown {
            tree: &stacks.tree,
            value: of.shown,
        })
    });
    let most_merged = FRAMES.most(pods.len(), merged);
    let most = POD_FRAMES.most(pods.len(), single);
    let mut names = Names::default();
    let shown_pods: Vec<_> = pods
        .clone()
        .map(|pod| {
            let lead = manifest.lead(pod.component, &pod.name);
            (
                pod.component.name(),
                shown(&pod.name),
                lead.map(Lead::label),
            )
        })
        .collect();
    let pods: HashMap<_, _> = pods.map(|pod| pod.name.as_str()).zip(0_usize..).collect();
    write!(out, "{{\"run\":")?;
    serde_json::to_writer(&mut out, &quoted(&manifest.run_id))?;
    write!(out, ",\"pods\":")?;
    serde_json::to_writer(&mut out, &shown_pods)?;
    write!(out, ",\"graphs\":[")?;
    let mut comma = "";
    for of in graphs {
        let top = of.top.get(of.shown).map_or(&[][..], Vec::as_slice);
        let table = names.table(of, top, usize::MAX);
        let mut graph = names.graph(table, &of.merged, of.shown, most_merged);
        graph.coverage = Some(profiles::coverage(manifest, of));
        write!(out, "{comma}")?;
        serde_json::to_writer(&mut out, &graph.divided())?;
        comma = ",";
        for stacks in &of.of_pods {
            if let Some(pod) = pods.get(stacks.pod.as_str()) {
                let table = names.table(of, &stacks.top, POD_ROWS);
                let mut graph = names.graph(table, &stacks.tree, of.shown, most);
                graph.pod = Some(*pod);
                write!(out, ",")?;
                serde_json::to_writer(&mut out, &graph.divided())?;
            }
        }
        for top in &of.tops {
            if let Some(pod) = pods.get(top.pod.as_str()) {
                let mut table = names.table(of, &top.rows, POD_ROWS);
                table.pod = Some(*pod);
                write!(out, ",")?;
                serde_json::to_writer(&mut out, &table.divided())?;
            }
        }
    }
    for (all, of) in differences {
        let table = names.difference(all, of);
        let graph = names.graph(table, &of.merged, 0, most_merged);
        write!(out, "{comma}")?;
        serde_json::to_writer(&mut out, &graph.divided())?;
        comma = ",";
    }
    write!(out, "],\"names\":")?;
    serde_json::to_writer(&mut out, &names.names.iter().collect::<Vec<_>>())?;
    write!(out, ",\"origins\":\"{}\"}}", names.origins)
}
