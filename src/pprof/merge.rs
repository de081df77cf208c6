//! Profiles added up, or subtracted, sample by sample, by the keys of pprof's own `Merge`: a sample is known by its
//! locations and its labels; a location by its mapping, its address in it, and its lines; a function by its names,
//! its file and its first line; a mapping by its size, its offset, and its build id or else its file.
//! <https://github.com/google/pprof/blob/main/profile/merge.go>

mod combined_header;
mod merged_tables;
mod write;

use std::io::{self, Read, Seek, Write};

use combined_header::combine;
use hashbrown::DefaultHashBuilder;
use indexmap::IndexSet;
use merged_tables::{MergedTables, SET_COST};

use super::proto::invalid;
use write::Writer;

use super::reader::{self, Header, LabelId, ProfileReader, Sample, SampleType, Tables};

/// The most memory that what was merged may take, in bytes.
const MOST_BYTES: usize = 32 << 20;

/// Profiles that were added up.
#[derive(Debug, Default)]
pub struct Merged {
    header: Header,
    is_begun: bool,
    tables: MergedTables,
    /// The stacks as a tree: a location, and what called it. A stack is known by its innermost.
    stacks: IndexSet<StackNode, DefaultHashBuilder>,
    label_sets: IndexSet<Box<[LabelId]>, DefaultHashBuilder>,
    label_count: usize,
    samples: IndexSet<SampleKey, DefaultHashBuilder>,
    /// The values of all samples, one sample after another.
    values: Vec<i64>,
}

/// A location below what called it, which is a node's index and 1, or 0 for the outermost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct StackNode {
    caller: u32,
    location: u32,
}

/// What tells a sample from the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct SampleKey {
    /// A node's index and 1; 0 is a stack without locations.
    stack: u32,
    labels: u32,
}

/// The part of each sample that is taken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part<'a> {
    /// The values, by index.
    pub(super) columns: &'a [usize],
    /// What the values are multiplied by.
    pub(super) factor: i64,
    /// Whether labels of this name are left out.
    pub(super) left_out: fn(&str) -> bool,
    /// The function that a sample without a stack is given, if it is given one.
    pub(super) no_stack: Option<&'static str>,
}

impl Merged {
    /// Nothing so far. The first profile that is added says what the values mean.
    pub fn new() -> Self {
        Self::default()
    }

    /// Nothing so far, to which parts of profiles are added that mean this.
    pub(super) fn with_types(sample_types: &[SampleType]) -> Self {
        let mut merged = Self::default();
        merged.header.sample_types = sample_types.to_vec();
        merged
    }

    /// Adds a profile. Samples of the same stack and labels become one.
    ///
    /// # Errors
    /// The profile cannot be read, has values of another meaning, or makes it more than is taken. Nothing of what
    /// was merged is to be used then.
    pub fn add<R: Read + Seek>(&mut self, profile: &mut ProfileReader<R>) -> io::Result<()> {
        if self.is_begun {
            combine(&mut self.header, profile.header())?;
        } else {
            self.header = profile.header().clone();
            self.is_begun = true;
        }
        let columns: Vec<_> = (0..self.header.sample_types.len()).collect();
        let part = Part {
            columns: &columns,
            factor: 1,
            left_out: |_| false,
            no_stack: None,
        };
        self.add_part(profile, part)
    }

    /// Adds a part of a profile, whose header is not looked at.
    ///
    /// # Errors
    /// As for [`Merged::add`].
    pub(super) fn add_part<R: Read + Seek>(
        &mut self,
        profile: &mut ProfileReader<R>,
        part: Part<'_>,
    ) -> io::Result<()> {
        self.tables.begin(profile.tables());
        let mut values = Vec::new();
        profile.each_sample(|sample| {
            values.clear();
            for column in part.columns {
                let value = sample.values.get(*column).copied().unwrap_or(0);
                let value = value.checked_mul(part.factor);
                values.push(value.ok_or_else(|| invalid("a value is too large to subtract"))?);
            }
            // A sample of nothing is none to pprof.
            if values.iter().all(|value| *value == 0) {
                return Ok(());
            }
            self.add_sample(sample, &values, part)
        })
    }

    fn add_sample(
        &mut self,
        sample: &Sample<'_>,
        values: &[i64],
        part: Part<'_>,
    ) -> io::Result<()> {
        let tables = sample.tables();
        let mut stack = 0;
        for location in sample.locations().iter().rev() {
            let location = self.tables.location(*location, tables);
            stack = self.stack(stack, location);
        }
        if let (0, Some(name)) = (stack, part.no_stack) {
            let location = self.tables.named_location(name);
            stack = self.stack(stack, location);
        }
        let labels = self.label_set(sample, tables, part.left_out);
        let (index, is_new) = self.samples.insert_full(SampleKey { stack, labels });
        let start = index * values.len();
        if is_new {
            self.values.extend_from_slice(values);
        } else if let Some(sums) = self.values.get_mut(start..start + values.len()) {
            reader::add(sums, values)?;
        }
        if self.bytes() > MOST_BYTES {
            return Err(invalid("what was merged takes more than 32 MiB of memory"));
        }
        Ok(())
    }

    /// A location below a stack: the stack's number, which is a node's index and 1.
    fn stack(&mut self, caller: u32, location: u32) -> u32 {
        let node = StackNode { caller, location };
        self.stacks.insert_full(node).0 as u32 + 1
    }

    /// The index of a sample's labels, which have no order but that of those with the same name.
    fn label_set(
        &mut self,
        sample: &Sample<'_>,
        tables: &Tables,
        left_out: fn(&str) -> bool,
    ) -> u32 {
        let mut labels: Vec<_> = sample
            .label_ids()
            .iter()
            .filter(|label| !left_out(tables.string(label.name())))
            .map(|label| self.tables.label(*label, tables))
            .collect();
        labels.sort_by_key(|label| (label.name(), matches!(label, LabelId::Number { .. })));
        if let Some(index) = self.label_sets.get_index_of(&labels[..]) {
            return index as u32;
        }
        self.label_count += labels.len();
        self.label_sets.insert_full(labels.into()).0 as u32
    }

    /// About how many bytes of memory it takes.
    fn bytes(&self) -> usize {
        let label_set = size_of::<Box<[LabelId]>>() + SET_COST;
        self.tables.bytes()
            + self.stacks.len() * (size_of::<StackNode>() + SET_COST)
            + self.label_sets.len() * label_set
            + self.label_count * size_of::<LabelId>()
            + self.samples.len() * (size_of::<SampleKey>() + SET_COST)
            + size_of_val(&self.values[..])
    }

    /// The samples that are not zero in all values, with those.
    fn live(&self) -> impl Iterator<Item = (SampleKey, &[i64])> {
        let columns = self.header.sample_types.len().max(1);
        let all = self.samples.iter().zip(self.values.chunks_exact(columns));
        all.filter(|(_, values)| values.iter().any(|value| *value != 0))
            .map(|(key, values)| (*key, values))
    }

    /// The locations of a stack from the innermost.
    fn locations(&self, stack: u32) -> impl Iterator<Item = u32> {
        let node = |stack: u32| self.stacks.get_index(stack.checked_sub(1)? as usize);
        std::iter::successors(node(stack), move |inner| node(inner.caller))
            .map(|node| node.location)
    }

    /// How many samples there are. Those that add up to zero in all values are none.
    pub fn samples(&self) -> u64 {
        self.live().count() as u64
    }

    /// How many samples have a negative value.
    pub(super) fn negative(&self) -> u64 {
        let is_negative = |values: &[i64]| values.iter().any(|value| *value < 0);
        let negative = self.live().filter(|(_, values)| is_negative(values));
        negative.count() as u64
    }

    /// Keeps so many samples, those whose last value is the largest. Gives how many are gone.
    pub(super) fn keep_largest(&mut self, most: usize) -> u64 {
        let columns = self.header.sample_types.len().max(1);
        let all = self.values.chunks_exact(columns).enumerate();
        let mut live: Vec<_> = all
            .filter(|(_, values)| values.iter().any(|value| *value != 0))
            .map(|(index, values)| (values.last().copied().unwrap_or(0), index))
            .collect();
        live.sort_by_key(|(value, index)| (std::cmp::Reverse(value.unsigned_abs()), *index));
        let gone = live.get(most..).unwrap_or_default();
        for (_, index) in gone {
            let values = self.values.iter_mut().skip(index * columns);
            values.take(columns).for_each(|value| *value = 0);
        }
        gone.len() as u64
    }

    /// The sum of each value over all samples.
    ///
    /// # Errors
    /// A sum is more than 64 bits hold.
    pub fn totals(&self) -> io::Result<Vec<i64>> {
        let mut totals = vec![0; self.header.sample_types.len()];
        self.live()
            .try_for_each(|(_, values)| reader::add(&mut totals, values))?;
        Ok(totals)
    }

    /// The sum of each value over the samples with such a function in their stacks.
    ///
    /// # Errors
    /// A sum is more than 64 bits hold.
    pub(super) fn totals_through(&self, is_wanted: impl Fn(&str) -> bool) -> io::Result<Vec<i64>> {
        let wanted = self.tables.locations_in(is_wanted);
        let is_through = |stack| {
            self.locations(stack)
                .any(|location| wanted.get(location as usize) == Some(&true))
        };
        let mut totals = vec![0; self.header.sample_types.len()];
        self.live()
            .filter(|(key, _)| is_through(key.stack))
            .try_for_each(|(_, values)| reader::add(&mut totals, values))?;
        Ok(totals)
    }

    /// What the merged profile says of itself.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Writes the merged profile, packed with gzip as `go tool pprof` expects it, with nothing in its tables that
    /// no sample refers to.
    ///
    /// # Errors
    /// The output cannot be written.
    pub fn write(&self, output: impl Write) -> io::Result<()> {
        self.write_as(&self.header, output)
    }

    /// Writes what was merged as a profile that says this of itself.
    ///
    /// # Errors
    /// The output cannot be written.
    pub(super) fn write_as(&self, header: &Header, output: impl Write) -> io::Result<()> {
        let mut writer = Writer::new(&self.tables, output);
        writer.header(header)?;
        for (key, values) in self.live() {
            let labels = self.label_sets.get_index(key.labels as usize);
            let labels = labels.map_or(&[][..], |labels| labels);
            writer.sample(self.locations(key.stack), values, labels)?;
        }
        writer.finish()
    }
}
