//! The manifest's types for `runtime.MemStats`.

use std::collections::BTreeMap;
use std::ops::Index;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// `runtime.MemStats` of a process, by field. A run has one for each pod, and all of one build of KubeVirt have the
/// same fields, so their names can be shared.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MemStats {
    /// In alphabetical order.
    names: Arc<[String]>,
    /// As many as there are names.
    values: Box<[Stat]>,
}

/// The value of one field of `runtime.MemStats`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Stat {
    /// A whole number, as most are.
    Whole(u64),
    /// A fraction.
    Fraction(f64),
    /// As Go prints it: `true`, or two numbers with a slash.
    Text(String),
}

impl From<String> for Stat {
    fn from(text: String) -> Self {
        if let Ok(number) = text.parse() {
            return Self::Whole(number);
        }
        match text.parse() {
            Ok(number) if f64::is_finite(number) => Self::Fraction(number),
            _ => Self::Text(text),
        }
    }
}

impl MemStats {
    /// Whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The value of a field.
    pub fn get(&self, name: &str) -> Option<&Stat> {
        let found = self
            .names
            .binary_search_by(|known| known.as_str().cmp(name));
        self.values.get(found.ok()?)
    }

    /// Each field and its value, in alphabetical order.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &Stat)> {
        self.names.iter().zip(&self.values)
    }

    /// Takes the names of another for its own, if they are the same.
    pub fn share_names(&mut self, other: &Self) {
        if self.names == other.names {
            self.names = Arc::clone(&other.names);
        }
    }
}

impl From<BTreeMap<String, Stat>> for MemStats {
    fn from(stats: BTreeMap<String, Stat>) -> Self {
        let (names, values): (Vec<_>, Vec<_>) = stats.into_iter().unzip();
        Self {
            names: names.into(),
            values: values.into(),
        }
    }
}

impl Index<&str> for MemStats {
    type Output = Stat;

    /// # Panics
    /// There is no such field.
    fn index(&self, name: &str) -> &Stat {
        self.get(name).unwrap_or_else(|| panic!("no {name}"))
    }
}

impl Serialize for MemStats {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for MemStats {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        BTreeMap::deserialize(deserializer).map(Self::from)
    }
}
