//! What `go tool pprof -raw` says of profiles, as helpers/goldens keeps it, and what the runner's reader says of
//! the same, in one form.

use std::collections::BTreeMap;
use std::io::{Read, Seek};

use cluster_profiler_job::pprof::{Label, ProfileReader, Sample};

use crate::goldens::golden;

/// The frames of a sample from the innermost, and its labels, sorted.
pub(crate) type Key = (Vec<String>, Vec<String>);

/// What is said of a profile's samples: those that are alike are one, and those of nothing are none.
#[derive(Debug, Default)]
pub(crate) struct Said {
    pub(crate) types: Vec<String>,
    pub(crate) period: i64,
    pub(crate) samples: BTreeMap<Key, Vec<i64>>,
    /// How many samples there are, those of nothing and those that are alike too.
    pub(crate) count: usize,
}

impl Said {
    fn add(&mut self, key: Key, values: &[i64]) {
        let sums = self.samples.entry(key).or_default();
        sums.resize(values.len(), 0);
        sums.iter_mut()
            .zip(values)
            .for_each(|(sum, value)| *sum += value);
    }

    fn without_zeros(mut self) -> Self {
        self.samples
            .retain(|_, values| values.iter().any(|value| *value != 0));
        self
    }

    /// The sum of each value.
    pub(crate) fn totals(&self) -> Vec<i64> {
        let mut totals = vec![0; self.types.len()];
        for values in self.samples.values() {
            totals
                .iter_mut()
                .zip(values)
                .for_each(|(total, value)| *total += value);
        }
        totals
    }

    /// Asserts that another says the same of the same values, and shows the first sample of which it does not.
    pub(crate) fn assert_same(&self, other: &Self, what: &str) {
        assert_eq!(self.types, other.types, "{what}");
        assert_eq!(self.period, other.period, "{what}");
        for (key, values) in &other.samples {
            assert_eq!(self.samples.get(key), Some(values), "{what}: {key:?}");
        }
        for key in self.samples.keys() {
            assert!(other.samples.contains_key(key), "{what}: {key:?} besides");
        }
    }
}

/// What `go tool pprof -raw` says of a golden profile.
pub(crate) fn raw(name: &str) -> Said {
    let text = String::from_utf8(golden(&format!("{name}.raw"))).expect("UTF-8");
    said(&text)
}

/// What it says in this text.
pub(crate) fn said(text: &str) -> Said {
    let (head, rest) = text.split_once("Samples:\n").expect("samples");
    let (samples, rest) = rest.split_once("Locations\n").expect("locations");
    let (locations, _) = rest.split_once("Mappings\n").expect("mappings");
    let locations = raw_locations(locations);
    let period = head
        .lines()
        .find_map(|line| line.strip_prefix("Period: "))
        .expect("a period");
    let mut lines = samples.lines().peekable();
    let types = lines.next().expect("types").split(' ');
    let mut said = Said {
        types: types
            .map(|of| of.trim_end_matches("[dflt]").to_owned())
            .collect(),
        period: period.parse().expect("a number"),
        ..Said::default()
    };
    while let Some(line) = lines.next() {
        let (values, stack) = line.split_once(": ").expect("a sample");
        let values: Vec<i64> = values
            .split_whitespace()
            .map(|value| value.parse().expect("a value"))
            .collect();
        let frames = stack
            .split_whitespace()
            .flat_map(|id| locations[id].clone());
        let mut labels = Vec::new();
        while let Some(line) = lines.next_if(|line| line.contains(":[")) {
            let all = line.trim().trim_end_matches(']');
            labels.extend(all.split("] ").map(|label| label.replacen(":[", "=", 1)));
        }
        labels.sort();
        said.add((frames.collect(), labels), &values);
        said.count += 1;
    }
    said.without_zeros()
}

/// The frames of each location, by its id.
fn raw_locations(text: &str) -> BTreeMap<&str, Vec<String>> {
    let mut locations = BTreeMap::<_, Vec<_>>::new();
    let (mut id, mut address) = ("", "");
    for line in text.lines() {
        let mut frame = line.trim();
        if !line.starts_with("             ") {
            let (own_id, rest) = frame.split_once(": ").expect("an id");
            let (own_address, rest) = rest.split_once(' ').unwrap_or((rest, ""));
            (id, address, frame) = (own_id, own_address, rest);
            if let Some((mapping, rest)) = frame.split_once(' ')
                && mapping.starts_with("M=")
            {
                frame = rest;
            }
        }
        let named = frame.rsplit_once(" s=").and_then(|(place, _)| {
            let (place, _column) = place.rsplit_once(':')?;
            Some(format!("{address} {place}"))
        });
        let of = locations.entry(id).or_default();
        of.push(named.unwrap_or_else(|| format!("{address}  :0")));
    }
    locations
}

/// What the runner's reader says.
pub(crate) fn read<R: Read + Seek>(profile: &mut ProfileReader<R>) -> Said {
    let types = profile.header().sample_types.iter();
    let mut said = Said {
        types: types.map(|of| format!("{}/{}", of.name, of.unit)).collect(),
        period: profile.header().period,
        ..Said::default()
    };
    let visited = profile.each_sample(|sample| {
        said.add(key(sample), sample.values);
        said.count += 1;
        Ok(())
    });
    visited.expect("samples");
    said.without_zeros()
}

fn key(sample: &Sample<'_>) -> Key {
    let frames = sample.frames().map(|frame| {
        format!(
            "{:#x} {} {}:{}",
            frame.address, frame.function, frame.file, frame.line
        )
    });
    let labels = sample.labels().map(|label| match label {
        Label::Text { name, text } => format!("{name}={text}"),
        Label::Number {
            name,
            number,
            unit: "",
        } => format!("{name}={number}"),
        Label::Number { name, number, unit } => format!("{name}={number} {unit}"),
    });
    let mut labels: Vec<_> = labels.collect();
    labels.sort();
    (frames.collect(), labels)
}
