//! The manifest's types for pods and their files.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::mem_stats::{MemStats, Stat};
use super::window_numbers::WindowNumbers;
use crate::component::Component;
use crate::pprof;

/// A component pod as it was when profiling started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExpectedPod {
    /// The pod's name.
    pub name: String,
    /// Its component.
    pub component: Component,
    /// Its UID: another pod may come under the same name.
    pub uid: String,
    /// The node it runs on.
    pub node: String,
    /// Its component container's image.
    pub image: String,
    /// How often its containers had restarted.
    pub restarts: i32,
    /// What bounds its component container; none of a pod of which only its name is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<Arc<ContainerBounds>>,
}

/// What bounds a component's container, as its pod says it.
#[derive(
    Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub struct ContainerBounds {
    /// What it asks for, by resource, as Kubernetes quantities.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub requests: BTreeMap<String, String>,
    /// What it may take at most, by resource, as Kubernetes quantities.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, String>,
    /// GOMAXPROCS, where it is set to a value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gomaxprocs: Option<String>,
    /// GOMEMLIMIT, where it is set to a value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gomemlimit: Option<String>,
}

impl ExpectedPod {
    /// A pod of which only its name and the beginning of its UID are known; `None` if no component's
    /// pod has such a name.
    pub fn gone(name: &str, uid: &str) -> Option<Self> {
        let component = Component::ALL
            .into_iter()
            .find(|component| Component::of_pod(component.name(), name).is_some())?;
        Some(Self {
            name: name.to_owned(),
            component,
            uid: uid.to_owned(),
            node: String::new(),
            image: String::new(),
            restarts: 0,
            container: None,
        })
    }
}

/// An expected pod, and what the archive has of it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Pod {
    /// The pod as it was at the start.
    #[serde(flatten)]
    pub pod: ExpectedPod,
    /// Whether its data is all there.
    pub state: State,
    /// What is wrong, unless it is complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The engine that brought its files; none if there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    /// When its profiles began to arrive (RFC 3339, UTC); none if there are none. Its files in the archive, and
    /// the profiles that were made of texts, bear it in whole seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub dumped_at: Option<jiff::Timestamp>,
    /// `runtime.MemStats` of its process, as its heap profile has them, without the last pauses.
    #[serde(default, skip_serializing_if = "MemStats::is_empty")]
    #[schemars(with = "BTreeMap<String, Stat>")]
    pub mem_stats: MemStats,
    /// What it did in the window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_window: Option<Box<WindowNumbers>>,
    /// Its files in the archive, without the snapshots.
    pub files: Vec<File>,
    /// Its profiles from within the window, in the archive.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub snapshots: Vec<File>,
}

/// Whether a pod's data can be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// All seven files are in the archive.
    Complete,
    /// Not all seven files could be had.
    Missing,
    /// All seven files are there, but not all of them are of this window, or can be understood.
    Damaged,
}

/// One file of the archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct File {
    /// Its path in the archive.
    pub path: String,
    /// Its size in bytes, uncompressed.
    pub bytes: u64,
    /// Its SHA-256.
    pub sha256: Sha256,
    /// How many samples it has, if it is a profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples: Option<u64>,
    /// What Go left out when it wrote the text that this profile was made of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What it lacks of the text that it was made of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial: Option<Partial>,
    /// Why it is not the profile that its name says. It is as the component served it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub damage: Option<String>,
}

/// What a profile lacks of its text, because that could not be understood or ended too early.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Partial {
    /// How many records, or goroutines, were left out.
    pub left_out: u64,
    /// Why.
    pub why: String,
    /// Whether it is so little that the pod is complete nevertheless: at most one record of a hundred, or
    /// `runtime.MemStats`.
    pub slight: bool,
}

impl From<pprof::Partial> for Partial {
    fn from(partial: pprof::Partial) -> Self {
        Self {
            left_out: partial.left_out,
            why: partial.why,
            slight: partial.slight,
        }
    }
}

/// A component pod that does not count, because start never reached it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Uncounted {
    /// The pod's name.
    pub name: String,
    /// Why it does not count.
    pub why: String,
}

/// A name in a dump that nobody asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Refused")]
pub struct UnexpectedName {
    /// The name as it came, cut at 100 characters.
    pub name: String,
    /// The pod, or the component, whose part of the dump it was in.
    pub page_of: String,
    /// Why its data was dropped.
    pub why: String,
}

/// A SHA-256 digest, in JSON as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, JsonSchema)]
pub struct Sha256(#[schemars(with = "String", regex(pattern = "^[0-9a-f]{64}$"))] pub [u8; 32]);

impl std::fmt::Display for Sha256 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl std::fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl Serialize for Sha256 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Sha256 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut digest = [0; 32];
        hex::decode_to_slice(&text, &mut digest)
            .map_err(|_| serde::de::Error::custom("not a SHA-256 in hexadecimal"))?;
        Ok(Self(digest))
    }
}
