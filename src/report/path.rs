//! Which profile a path in an archive is, and which of them are wanted.

use super::findings::Part;
use crate::component::Component;
use crate::pprof::Kind;

/// The longest name that a pod has. RFC 1123
const LONGEST_POD: usize = 253;

/// A profile, as its path says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ProfilePath<'a> {
    pub(super) pod: &'a str,
    pub(super) component: Component,
    pub(super) kind: Kind,
    pub(super) of: Of<'a>,
}

/// What a profile is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of<'a> {
    /// The window, or its end.
    Part(Part),
    /// A snapshot, by name.
    Snapshot(&'a str),
}

/// The profile that has this path, at any depth; `None` for every other file.
pub(super) fn profile_path(path: &str) -> Option<ProfilePath<'_>> {
    let mut names = path.rsplit('/');
    let kind = Kind::from_file_name(names.next()?)?;
    let folder = names.next()?;
    let (of, pod) = match folder {
        "original" => return None,
        "delta" => (Of::Part(Part::Delta), names.next()?),
        "growth" => (Of::Part(Part::Growth), names.next()?),
        pod if component_of(pod).is_some() => (Of::Part(Part::Whole), pod),
        snapshot => {
            if names.next()? != "snapshots" {
                return None;
            }
            (Of::Snapshot(snapshot), names.next()?)
        }
    };
    Some(ProfilePath {
        pod,
        component: component_of(pod)?,
        kind,
        of,
    })
}

/// The component whose pods have such a name.
pub(super) fn component_of(pod: &str) -> Option<Component> {
    let mut all = Component::ALL.into_iter();
    all.find(|component| Component::of_pod(component.name(), pod).is_some())
        .filter(|_| pod.len() <= LONGEST_POD)
}

/// Which profiles are kept.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Of this component alone, if there is one.
    pub component: Option<Component>,
    /// Of this kind alone, if there is one.
    pub kind: Option<Kind>,
    /// Of this pod alone, if there is one.
    pub pod: Option<String>,
    /// None of the snapshots.
    pub without_snapshots: bool,
}

impl Wanted {
    /// All that are no snapshots.
    pub const WITHOUT_SNAPSHOTS: Self = Self {
        component: None,
        kind: None,
        pod: None,
        without_snapshots: true,
    };

    pub(super) fn has(&self, path: &ProfilePath<'_>) -> bool {
        self.component
            .is_none_or(|component| component == path.component)
            && self.kind.is_none_or(|kind| kind == path.kind)
            && self.pod.as_ref().is_none_or(|pod| pod == path.pod)
            && !(self.without_snapshots && matches!(path.of, Of::Snapshot(_)))
    }
}
