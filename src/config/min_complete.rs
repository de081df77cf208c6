//! The share of the pods that is enough, by PROFILER_MIN_COMPLETE.

use std::collections::BTreeMap;

use crate::component::Component;

/// Percent of each component's pods that must be complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MinComplete {
    otherwise: u8,
    by_component: BTreeMap<Component, u8>,
}

/// The accepted texts, for messages.
pub(super) const ACCEPTED: &str =
    "a whole percentage, alone or by component, such as 95% or 100%,virt-handler=95%";

impl MinComplete {
    /// Parses `95%`, `virt-handler=95%`, or several of them separated by commas; `None` if it is none of these.
    pub(super) fn parse(value: &str) -> Option<Self> {
        let mut parsed = Self {
            otherwise: 100,
            by_component: BTreeMap::new(),
        };
        let mut general = false;
        for entry in value.split(',').map(str::trim) {
            let Some((name, share)) = entry.split_once('=') else {
                // A second general share would silently win over the first.
                if general {
                    return None;
                }
                general = true;
                parsed.otherwise = percentage(entry)?;
                continue;
            };
            let component = name.trim().parse().ok()?;
            let share = percentage(share.trim())?;
            if parsed.by_component.insert(component, share).is_some() {
                return None;
            }
        }
        Some(parsed)
    }

    /// Whether this number of complete pods is enough for a component.
    pub fn is_met(&self, component: Component, complete: usize, expected: usize) -> bool {
        let share = self
            .by_component
            .get(&component)
            .copied()
            .unwrap_or(self.otherwise);
        complete * 100 >= expected * usize::from(share)
    }
}

fn percentage(text: &str) -> Option<u8> {
    let number: u8 = text.strip_suffix('%')?.trim().parse().ok()?;
    (number <= 100).then_some(number)
}
