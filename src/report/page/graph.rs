//! A flame graph as the page's script reads it, with the table beside it.

use indexmap::IndexSet;
use serde::Serialize;

use crate::report::findings::{Difference, Differences, Part, Profiled};
use crate::report::top::TopRow;
use crate::report::tree::Tree;
use crate::report::units::Unit;

use super::difference;
use super::frames::{Frames, frames};
use super::profiles;
use super::text::{Origin, shown};

/// One flame graph.
#[derive(Serialize)]
pub(super) struct Graph<'a> {
    component: &'a str,
    profile: String,
    title: &'a str,
    unit: &'a str,
    /// Whether values say how much more there was, or less.
    grows: bool,
    /// What shares are of, if not of the graph itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    base: Option<Base>,
    /// The pod that it is of; all of them if it is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pod: Option<usize>,
    /// Of all pods: which were added up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) coverage: Option<String>,
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

/// What an earlier run had, as it is compared.
#[derive(Serialize)]
struct Base {
    total: i64,
    run: String,
    /// By what that was multiplied, in words.
    times: String,
}

/// The functions of a table: their names, their own values, and their values in all. Each column is by itself, for so it
/// is packed best.
#[derive(Serialize)]
struct Rows(Vec<usize>, Vec<i64>, Vec<i64>);

/// Names that are written once, and whose code each is.
#[derive(Default)]
pub(super) struct Names {
    pub(super) names: IndexSet<String>,
    pub(super) origins: String,
}

impl Graph<'_> {
    /// One without anything in it.
    fn empty() -> Self {
        Self {
            component: "",
            profile: String::new(),
            title: "",
            unit: "",
            grows: false,
            base: None,
            pod: None,
            coverage: None,
            share: 0.0,
            cut: 0,
            names: Vec::new(),
            depths: Vec::new(),
            one: 1,
            own: Vec::new(),
            top: Rows(Vec::new(), Vec::new(), Vec::new()),
        }
    }

    /// The same with values that have no divisor in common.
    pub(super) fn divided(mut self) -> Self {
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
    pub(super) fn graph<'a>(
        &mut self,
        table: Graph<'a>,
        tree: &Tree,
        value: usize,
        most: usize,
    ) -> Graph<'a> {
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
    pub(super) fn table<'a>(&mut self, of: &'a Profiled, top: &[TopRow], rows: usize) -> Graph<'a> {
        Graph {
            component: of.component.name(),
            profile: format!("{}/{}", of.kind.name(), of.part.name()),
            title: profiles::title(of.kind, of.part),
            unit: profiles::unit(of).name(),
            grows: of.part == Part::Growth,
            top: self.rows(top, rows),
            ..Graph::empty()
        }
    }

    /// The functions of what a run has more, or less, than an earlier one.
    pub(super) fn difference<'a>(&mut self, all: &Differences, of: &'a Difference) -> Graph<'a> {
        Graph {
            component: of.component.name(),
            profile: format!("{}/difference", of.kind.name()),
            title: difference::title(of.kind),
            unit: Unit::of(&of.unit).name(),
            grows: true,
            base: Some(Base {
                total: difference::before(of),
                run: shown(&all.run_id),
                times: difference::times(of),
            }),
            coverage: Some(difference::coverage(all, of)),
            top: self.rows(&of.top, usize::MAX),
            ..Graph::empty()
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
