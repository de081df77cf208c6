//! The page's data: every flame graph, and the functions of each, as JSON that the page's script reads.

use std::io::{self, Write};

use hashbrown::HashMap;
use indexmap::IndexSet;
use serde::Serialize;

use crate::manifest::Lead;
use crate::report::findings::{Difference, Differences, Findings, Part, Profiled};
use crate::report::top::TopRow;
use crate::report::tree::Tree;
use crate::report::units::Unit;

use super::budget::{FRAMES, POD_FRAMES, Shown};
use super::difference;
use super::frames::{Frames, frames};
use super::profiles;
use super::text::{Origin, quoted, shown};

/// The functions in the table of one pod.
const POD_ROWS: usize = 20;

/// One flame graph.
#[derive(Serialize)]
struct Graph<'a> {
    component: &'a str,
    profile: String,
    title: &'a str,
    unit: &'a str,
    /// Whether values say how much more there was, or less.
    grows: bool,
    /// What shares are of, if not of the whole graph.
    #[serde(skip_serializing_if = "Option::is_none")]
    base: Option<i64>,
    /// The pod that it is of; all of them if it is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pod: Option<usize>,
    /// Of all pods: which were added up.
    #[serde(skip_serializing_if = "Option::is_none")]
    coverage: Option<String>,
    share: f64,
    /// How many stacks lack their innermost functions.
    #[serde(skip_serializing_if = "is_zero")]
    cut: u64,
    names: Vec<usize>,
    depths: Vec<u32>,
    /// What all values are multiples of, and are divided by: most profiles count samples of one size.
    #[serde(skip_serializing_if = "is_one")]
    one: i64,
    own: Vec<i64>,
    top: Rows,
}

/// The functions of a table: their names, their own values, and their values in all. Each column is by itself, for so it
/// is packed best.
#[derive(Serialize)]
struct Rows(Vec<usize>, Vec<i64>, Vec<i64>);

/// Names that are written once, and whose code each is.
#[derive(Default)]
struct Names {
    names: IndexSet<String>,
    origins: String,
}

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

impl Graph<'_> {
    /// The same with values that have no divisor in common.
    fn divided(mut self) -> Self {
        let Rows(_, own, cumulative) = &mut self.top;
        let mut values = self.own.iter().chain(own.iter()).chain(cumulative.iter());
        let one = values.try_fold(0_u64, |one, value| {
            match divisor(one, value.unsigned_abs()) {
                1 => None,
                more => Some(more),
            }
        });
        let one = one.and_then(|one| i64::try_from(one).ok());
        self.one = one.unwrap_or(1).max(1);
        for value in self.own.iter_mut().chain(own).chain(cumulative) {
            *value /= self.one;
        }
        self
    }
}

/// The largest number that divides both.
fn divisor(mut one: u64, mut other: u64) -> u64 {
    while other != 0 {
        (one, other) = (other, one % other);
    }
    one
}

impl Names {
    fn graph<'a>(&mut self, table: Graph<'a>, tree: &Tree, value: usize, most: usize) -> Graph<'a> {
        let frames = frames(tree, value, most);
        let names = self.of_frames(&frames);
        let all = frames.all.iter();
        Graph {
            share: frames.share,
            cut: tree.cut(),
            names,
            depths: all.clone().map(|frame| frame.depth).collect(),
            own: all.map(|frame| frame.own).collect(),
            ..table
        }
    }

    fn rows(&mut self, top: &[TopRow], most: usize) -> Rows {
        let largest = profiles::largest(top, most);
        let rows = largest.iter();
        Rows(
            rows.clone().map(|row| self.function(&row.name)).collect(),
            rows.clone().map(|row| row.own).collect(),
            rows.map(|row| row.cumulative).collect(),
        )
    }

    /// The functions alone, without a graph.
    fn table<'a>(&mut self, of: &'a Profiled, top: &[TopRow], rows: usize) -> Graph<'a> {
        Graph {
            component: of.component.name(),
            profile: format!("{}/{}", of.kind.name(), of.part.name()),
            title: profiles::title(of.kind, of.part),
            unit: profiles::unit(of).name(),
            grows: of.part == Part::Growth,
            base: None,
            pod: None,
            coverage: None,
            share: 0.0,
            cut: 0,
            names: Vec::new(),
            depths: Vec::new(),
            one: 1,
            own: Vec::new(),
            top: self.rows(top, rows),
        }
    }

    /// The functions of what a run has more, or less, than an earlier one.
    fn difference<'a>(&mut self, all: &Differences, of: &'a Difference) -> Graph<'a> {
        Graph {
            component: of.component.name(),
            profile: format!("{}/difference", of.kind.name()),
            title: difference::title(of.kind),
            unit: Unit::of(&of.unit).name(),
            grows: true,
            base: Some(difference::before(of)),
            pod: None,
            coverage: Some(difference::coverage(all, of)),
            share: 0.0,
            cut: 0,
            names: Vec::new(),
            depths: Vec::new(),
            one: 1,
            own: Vec::new(),
            top: self.rows(&of.top, usize::MAX),
        }
    }

    fn of_frames(&mut self, frames: &Frames<'_>) -> Vec<usize> {
        let all = frames.all.iter();
        let names = all.map(|frame| {
            let name = frames.name(frame);
            if frame.is_function() {
                self.function(&name)
            } else {
                self.insert(name, Origin::Folded)
            }
        });
        names.collect()
    }

    fn function(&mut self, name: &str) -> usize {
        self.insert(shown(name), Origin::of(name))
    }

    fn insert(&mut self, name: String, origin: Origin) -> usize {
        let (at, is_new) = self.names.insert_full(name);
        if is_new {
            self.origins.push(origin.digit());
        }
        at
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_one(number: &i64) -> bool {
    *number == 1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}
