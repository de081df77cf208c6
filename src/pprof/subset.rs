//! Some of the values of one profile, for whoever keeps profiles of many pods: a stack has one sample, whatever its
//! labels, and there are no more samples than are taken.

use std::io::{self, Read, Seek, Write};

use super::merge::{Merged, Part};
use super::proto::invalid;
use super::reader::{Header, Interval, ProfileReader, SampleType};

/// The function of samples without a stack, such as those of threads that Go does not tell apart. A server drops such a
/// sample, and its sums are too small then.
const NO_STACK: &str = "(no stack)";

/// Some of the values of a profile, added up by stack. Samples that are zero in all of them are none.
#[derive(Debug)]
pub struct Subset {
    header: Header,
    merged: Merged,
}

impl Subset {
    /// The values of a profile that are wanted, without its samples' labels.
    ///
    /// # Errors
    /// The profile cannot be read, has none of these values, or has more than [`Merged`] takes.
    pub fn of<R: Read + Seek>(
        profile: &mut ProfileReader<R>,
        is_wanted: impl Fn(&SampleType) -> bool,
    ) -> io::Result<Self> {
        let all = profile.header().sample_types.iter().enumerate();
        let (columns, sample_types): (Vec<_>, Vec<_>) = all
            .filter(|(_, of)| is_wanted(of))
            .map(|(column, of)| (column, of.clone()))
            .unzip();
        let Some(last) = sample_types.last() else {
            return Err(invalid("it has none of the values of its kind"));
        };
        let shown = &profile.header().default_sample_type;
        let has_shown = sample_types.iter().any(|of| of.name == *shown);
        let shown = if has_shown { shown } else { &last.name };
        let header = Header {
            default_sample_type: shown.clone(),
            sample_types: sample_types.clone(),
            ..profile.header().clone()
        };
        let mut merged = Merged::with_types(&sample_types);
        let part = Part {
            columns: &columns,
            factor: 1,
            left_out: |_| true,
            no_stack: Some(NO_STACK),
        };
        merged.add_part(profile, part)?;
        Ok(Self { header, merged })
    }

    /// What it says of itself, with the time of the profile that it is of.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// How many samples there are.
    pub fn samples(&self) -> u64 {
        self.merged.samples()
    }

    /// Keeps so many samples, those whose last value is the largest. Gives how many are gone.
    pub fn keep_largest(&mut self, most: usize) -> u64 {
        self.merged.keep_largest(most)
    }

    /// The sum of each value over all samples.
    ///
    /// # Errors
    /// A sum is more than 64 bits hold.
    pub fn totals(&self) -> io::Result<Vec<i64>> {
        self.merged.totals()
    }

    /// Writes it as a packed profile with this time and length.
    ///
    /// # Errors
    /// The output cannot be written.
    pub fn write(&self, interval: Interval, output: impl Write) -> io::Result<()> {
        self.merged.write_as(&self.header.at(interval), output)
    }
}
