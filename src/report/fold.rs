//! Trees without the frames that are too small to be seen. Totals stay exact.

use super::tree::Tree;

/// The share of the whole below which a node is folded, in every value.
const SMALLEST_SHARE: f64 = 0.0001;

/// How deep a stack is shown. One frame below that stands for all that is deeper.
pub(super) const DEEPEST: u32 = 200;

impl Tree {
    /// The tree with at most about twice so many nodes: those that have less than a ten-thousandth of every value,
    /// or less than a larger share if there are more, are folded into one below what called them, and so are those
    /// that are too deep to be shown.
    #[must_use]
    pub fn folded(&self, most: usize) -> Self {
        let shares = self.shares();
        let mut smallest = SMALLEST_SHARE;
        let depths = self.depths();
        let shown =
            |index: usize, smallest: f64| shares[index] >= smallest && depths[index] <= DEEPEST + 1;
        let nodes = 0..shares.len();
        let kept = |smallest: f64| nodes.clone().filter(|at| shown(*at, smallest)).count();
        while kept(smallest) > most && smallest < 1.0 {
            smallest *= 2.0;
        }
        let mut folded = Self::new(self.types().to_vec());
        // What stands for each node: one that is kept, or one that stands for small ones.
        let mut here = vec![0; self.nodes().len()];
        for (index, node) in self.nodes().iter().enumerate() {
            let caller = here[node.caller as usize];
            here[index] = if index == 0 {
                0
            } else {
                let name = self.name(node.name);
                let before = self.small_frames(index as u32);
                let is_below_small = folded.is_small(caller);
                let is_kept = shown(index, smallest) && before == 0 && !is_below_small;
                let own_node = is_kept.then(|| folded.called(caller, name)).flatten();
                match own_node {
                    Some(node) => node,
                    None => {
                        let small = if is_below_small {
                            Some(caller)
                        } else {
                            folded.small_below(caller)
                        };
                        let small = small.unwrap_or(caller);
                        folded.fold_into(small, before.max(1));
                        small
                    }
                }
            };
            folded.add_own(here[index], self.own_of(index));
        }
        folded.finished(self.cut())
    }

    /// How many nodes are above each.
    fn depths(&self) -> Vec<u32> {
        let mut depths = vec![0_u32; self.nodes().len()];
        for (index, node) in self.nodes().iter().enumerate().skip(1) {
            depths[index] = depths[node.caller as usize] + 1;
        }
        depths
    }

    /// Each node's largest share of a value, with all that it called. What is negative counts as if it were not.
    fn shares(&self) -> Vec<f64> {
        let mut shares = vec![0.0_f64; self.nodes().len()];
        for value in 0..self.types().len() {
            let sizes = self.own(value).into_iter().map(i64::saturating_abs);
            let sizes = self.with_called(sizes.collect());
            let total = sizes.first().copied().unwrap_or_default().max(1) as f64;
            for (share, size) in shares.iter_mut().zip(sizes) {
                *share = share.max(size as f64 / total);
            }
        }
        shares
    }
}
