//! The functions that have the most of a value, as `go tool pprof -top` tells them.

use std::collections::BTreeSet;

use super::tree::Tree;

/// A function, and what it has of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopRow {
    /// Its name.
    pub name: String,
    /// What was counted in it (`flat` of `go tool pprof`).
    pub own: i64,
    /// What was counted in it and in what it called (`cum`), each stack once.
    pub cumulative: i64,
}

/// What a function has of a value.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    own: i64,
    cumulative: i64,
    is_function: bool,
}

impl Sums {
    /// Whether it is a function that has anything, as pprof's tables have it: what grew and shrank by the same is nothing.
    fn is_shown(self) -> bool {
        self.is_function && (self.own != 0 || self.cumulative != 0)
    }
}

impl Tree {
    /// The functions that have the most of a value: so many by their own, and so many with what they called. The one
    /// with the most of its own is the first.
    pub fn top(&self, value: usize, most: usize) -> Vec<TopRow> {
        let all = vec![true; self.nodes().len()];
        self.top_of(self.own(value), all, most)
    }

    /// The same of other values of the nodes' own, and of those nodes alone that have such a value or call one that has.
    pub(super) fn top_of(&self, own: Vec<i64>, has_value: Vec<bool>, most: usize) -> Vec<TopRow> {
        let sums = self.sums(own, has_value);
        let row = |index: usize| TopRow {
            name: self.name(index as u32).to_owned(),
            own: sums[index].own,
            cumulative: sums[index].cumulative,
        };
        let mut all: Vec<_> = (0..sums.len())
            .filter(|index| sums[*index].is_shown())
            .collect();
        let name = |index: usize| self.name(index as u32);
        let order = |a: &usize, b: &usize, keys: fn(&Sums) -> [u64; 2]| {
            keys(&sums[*b])
                .cmp(&keys(&sums[*a]))
                .then_with(|| name(*a).cmp(name(*b)))
        };
        let by_cumulative: fn(&Sums) -> [u64; 2] =
            |sums| [sums.cumulative.unsigned_abs(), sums.own.unsigned_abs()];
        let by_own: fn(&Sums) -> [u64; 2] =
            |sums| [sums.own.unsigned_abs(), sums.cumulative.unsigned_abs()];
        let mut chosen = BTreeSet::new();
        for keys in [by_cumulative, by_own] {
            if most < all.len() {
                all.select_nth_unstable_by(most, |a, b| order(a, b, keys));
            }
            chosen.extend(all.iter().take(most).copied());
        }
        let mut chosen: Vec<_> = chosen.into_iter().collect();
        chosen.sort_by(|a, b| order(a, b, by_own));
        chosen.into_iter().map(row).collect()
    }

    /// What each function has of a value, by the index of its name. A stack in which it is more than once counts once.
    fn sums(&self, own: Vec<i64>, mut has_value: Vec<bool>) -> Vec<Sums> {
        let mut sums = vec![Sums::default(); self.names()];
        let mut cumulative = own.clone();
        // Callers come before what they call.
        for (index, node) in self.nodes().iter().enumerate().skip(1).rev() {
            if !has_value[index] {
                continue;
            }
            let caller = node.caller as usize;
            has_value[caller] = true;
            cumulative[caller] = cumulative[caller].saturating_add(cumulative[index]);
            let sum = &mut sums[node.name as usize];
            sum.is_function = !self.is_small(index as u32);
            sum.own = sum.own.saturating_add(own[index]);
            if !node.is_recursive {
                sum.cumulative = sum.cumulative.saturating_add(cumulative[index]);
            }
        }
        sums
    }
}
