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

impl Tree {
    /// The functions that have the most of a value: so many by their own, and so many with what they called. The one
    /// with the most of its own is the first.
    pub fn top(&self, value: usize, most: usize) -> Vec<TopRow> {
        let sums = self.sums(value);
        let row = |index: usize| TopRow {
            name: self.name(index as u32).to_owned(),
            own: sums[index].own,
            cumulative: sums[index].cumulative,
        };
        let mut all: Vec<_> = (0..sums.len())
            .filter(|index| sums[*index].is_function)
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
    fn sums(&self, value: usize) -> Vec<Sums> {
        let own = self.own(value);
        let cumulative = self.cumulative(value);
        let mut sums = vec![Sums::default(); self.names()];
        // How often each name is on the way from the root.
        let mut on_the_way = vec![0_u32; self.names()];
        self.walk(|node, entered| {
            let name = self.nodes()[node].name as usize;
            if !entered {
                on_the_way[name] -= 1;
                return;
            }
            let sum = &mut sums[name];
            sum.is_function = self.small_frames(node as u32) == 0;
            sum.own = sum.own.saturating_add(own[node]);
            if on_the_way[name] == 0 {
                sum.cumulative = sum.cumulative.saturating_add(cumulative[node]);
            }
            on_the_way[name] += 1;
        });
        sums
    }

    /// Visits every node but the root when it is entered, with all that it called in between, and when it is left.
    fn walk(&self, mut visit: impl FnMut(usize, bool)) {
        const NONE: u32 = u32::MAX;
        let count = self.nodes().len();
        let (mut first, mut next) = (vec![NONE; count], vec![NONE; count]);
        for (index, node) in self.nodes().iter().enumerate().skip(1).rev() {
            next[index] = std::mem::replace(&mut first[node.caller as usize], index as u32);
        }
        let mut node = first[0];
        while node != NONE && node != 0 {
            visit(node as usize, true);
            let mut following = first[node as usize];
            // Leaves every node below which nothing is left.
            while following == NONE && node != 0 {
                visit(node as usize, false);
                following = next[node as usize];
                if following == NONE {
                    node = self.nodes()[node as usize].caller;
                }
            }
            node = if following == NONE { 0 } else { following };
        }
    }
}
