//! Cost that only moved from one function to another: a refactoring changes functions, and not what calls them.

use std::collections::{BTreeMap, BTreeSet};

use super::gather::OfNumber;
use crate::diff::{ChangedFunction, Moved};
use crate::report::{Tree, package};
use crate::verdict::Level;

/// What has changed by less than this share of what a function gained did not change with it.
const UNCHANGED: f64 = 0.25;

/// Functions that lost this share of what another gained are where that came from.
const MOST_OF_IT: f64 = 0.5;

/// A function that changed, with what it costs more or less than at the earlier level.
pub(super) struct Excess {
    pub(super) own: f64,
    pub(super) cumulative: f64,
    pub(super) function: ChangedFunction,
}

impl Excess {
    /// The size of the change: of the function's own, if that changed.
    pub(super) fn size(&self) -> f64 {
        if self.function.own.changed {
            self.own.abs()
        } else {
            self.cumulative.abs()
        }
    }
}

/// Marks functions whose cost only moved: those that gained while something that they are part of did not, for others in it
/// lost as much. These cost less with 95 %, each by itself: of a function that is gone there are too few samples to be
/// sure of it among all functions.
pub(super) fn mark_moved(
    functions: &mut [Excess],
    less: &BTreeSet<&str>,
    number: &OfNumber,
    level: &Level,
) {
    let mut found = Vec::new();
    for gained in functions
        .iter()
        .filter(|of| of.function.own.changed && of.own > 0.0)
    {
        let name = &gained.function.name;
        let domains = callers(&number.trees[1], name)
            .into_iter()
            .map(Domain::Caller);
        let domains = domains.chain([Domain::Package(package(name).to_owned())]);
        for domain in domains {
            let costs = domain.costs(number, level);
            let all: f64 = costs.values().sum();
            let lost: Vec<_> = costs
                .iter()
                .filter(|(name, cost)| **cost < 0.0 && less.contains(*name))
                .collect();
            let gain = costs.get(&**name).copied().unwrap_or_default();
            let given: f64 = lost.iter().map(|(_, cost)| **cost).sum();
            if gain > 0.0 && all.abs() <= UNCHANGED * gain && -given >= MOST_OF_IT * gain {
                let lost = lost.into_iter().map(|(name, _)| (*name).to_owned());
                let lost = lost.collect();
                found.push((name.clone(), domain.name(), lost));
                break;
            }
        }
    }
    for (gained, within, lost) in found {
        let lost: Vec<String> = lost;
        for of in functions.iter_mut() {
            let other = if of.function.name == gained {
                lost.clone()
            } else if lost.contains(&of.function.name) {
                vec![gained.clone()]
            } else {
                continue;
            };
            let moved = of.function.moved.get_or_insert_with(|| Moved {
                within: within.clone(),
                other: Vec::new(),
            });
            let new = other
                .into_iter()
                .filter(|name| !moved.other.contains(name))
                .collect::<Vec<_>>();
            moved.other.extend(new);
        }
    }
}

/// What a function is part of.
enum Domain {
    /// What a function calls.
    Caller(String),
    Package(String),
}

impl Domain {
    fn name(&self) -> String {
        match self {
            Self::Caller(name) | Self::Package(name) => name.clone(),
        }
    }

    /// By how much each function in it changed by itself, against the earlier level.
    fn costs<'a>(&self, number: &'a OfNumber, level: &Level) -> BTreeMap<&'a str, f64> {
        let mut costs = BTreeMap::new();
        for (tree, is_new) in number.trees.iter().zip([false, true]) {
            for (name, cost) in self.own(tree) {
                let cost = if is_new { cost } else { -level.expected(cost) };
                *costs.entry(name).or_default() += cost;
            }
        }
        costs
    }

    /// What each function in it has of its own.
    fn own<'a>(&self, tree: &'a Tree) -> Vec<(&'a str, f64)> {
        let own = tree.own(0);
        let mut is_in = vec![false; tree.nodes().len()];
        let mut all = Vec::new();
        for (index, node) in tree.nodes().iter().enumerate().skip(1) {
            let name = tree.name(node.name);
            is_in[index] = match self {
                Self::Caller(caller) => is_in[node.caller as usize] || name == caller,
                Self::Package(of) => package(name) == of,
            };
            if is_in[index] && own[index] != 0 {
                all.push((name, own[index] as f64));
            }
        }
        all
    }
}

/// The callers of a function where it costs most, the nearest first, without the outermost, which all have in common.
fn callers(tree: &Tree, name: &str) -> Vec<String> {
    let own = tree.own(0);
    let nodes = tree.nodes();
    let of_name = (1..nodes.len()).filter(|index| tree.name(nodes[*index].name) == name);
    let Some(most) = of_name.max_by_key(|index| own[*index]) else {
        return Vec::new();
    };
    let mut callers = Vec::new();
    let mut node = nodes[most].caller as usize;
    while node != 0 {
        let caller = tree.name(nodes[node].name);
        if caller != name {
            callers.push(caller.to_owned());
        }
        node = nodes[node].caller as usize;
    }
    callers.pop();
    callers
}
