//! How many frames a page's flame graphs have, so that the page stays small.

use super::frames;
use crate::report::tree::Tree;

/// The frames of all components' graphs together, of any run and for each pod that it had; and those of single pods'.
pub(super) const FRAMES: Budget = Budget {
    any: 5_000,
    pod: 20,
};
pub(super) const POD_FRAMES: Budget = Budget {
    any: 2_000,
    pod: 100,
};

/// How many frames may be shown.
pub(super) struct Budget {
    any: usize,
    pod: usize,
}

impl Budget {
    /// The most frames of one graph, if all of them are to be within the budget.
    pub(super) fn most<'a>(&self, pods: usize, graphs: impl Iterator<Item = Shown<'a>>) -> usize {
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
pub(super) struct Shown<'a> {
    /// The tree.
    pub(super) tree: &'a Tree,
    /// The index of its value.
    pub(super) value: usize,
}
