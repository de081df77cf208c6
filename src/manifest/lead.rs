//! Pods that lead their component: of those that elect a leader, only it works.

use super::surroundings::Surroundings;
use crate::component::Component;

/// When a pod led its component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lead {
    /// Whenever the run looked.
    Always,
    /// Just before the window, and another one just after it.
    Before,
    /// Just after the window, and another one just before it.
    After,
}

impl Lead {
    /// When this pod led, if it did and anything tells it.
    pub(super) fn of(surroundings: &Surroundings, component: Component, pod: &str) -> Option<Self> {
        let [before, after] = [&surroundings.at_start, &surroundings.at_stop]
            .map(|state| Some(state.as_ref()?.leaders.get(&component)?.as_str()));
        match (before, after) {
            (Some(before), Some(after)) if before != after => {
                if before == pod {
                    Some(Self::Before)
                } else {
                    (after == pod).then_some(Self::After)
                }
            }
            (one, other) => (one.or(other) == Some(pod)).then_some(Self::Always),
        }
    }

    /// What a pod is that led then.
    pub fn label(self) -> &'static str {
        match self {
            Self::Always => "leader",
            Self::Before => "leader at the start",
            Self::After => "leader at the end",
        }
    }
}
