//! The records of a text, each with its stack, one after another. A record that is not the format is left
//! out, and what follows is read on from where another record begins.

use std::io::BufRead;

use super::parsed::{LeftOut, ParseError};
use super::profile::Profile;
use super::stack::StackReader;
use super::text::Lines;

/// The line before the statistics of memory, which end the records of heap and allocs.
pub(super) const STATS: &[u8] = b"# runtime.MemStats";

/// A reader of records.
#[derive(Debug, Default)]
pub(super) struct Records {
    /// With the stack of the last record.
    pub(super) stacks: StackReader,
    pub(super) left_out: LeftOut,
    /// How many were read.
    pub(super) read: u64,
}

impl Records {
    /// Reads the next record, by its first line, and its stack; `None` at the text's end or the
    /// statistics. `otherwise` says what is wrong with a line that is no record's first.
    ///
    /// # Errors
    /// The input cannot be read, or is larger than a profile may be.
    pub(super) fn next<T>(
        &mut self,
        lines: &mut Lines<impl BufRead>,
        profile: &mut Profile,
        first_line: impl Fn(&[u8]) -> Option<T>,
        otherwise: &str,
    ) -> Result<Option<T>, ParseError> {
        loop {
            let error = match self.try_next(lines, profile, &first_line, otherwise) {
                Ok(record) => {
                    self.read += u64::from(record.is_some());
                    return Ok(record);
                }
                Err(error) => error,
            };
            self.left_out.add(error, lines.is_cut())?;
            lines.pass_over_record()?;
        }
    }

    fn try_next<T>(
        &mut self,
        lines: &mut Lines<impl BufRead>,
        profile: &mut Profile,
        first_line: impl Fn(&[u8]) -> Option<T>,
        otherwise: &str,
    ) -> Result<Option<T>, ParseError> {
        loop {
            let Some(line) = lines.next()? else {
                return Ok(None);
            };
            if let Some(record) = first_line(line.text) {
                self.stacks.read(lines, profile)?;
                return Ok(Some(record));
            }
            if line.text == STATS {
                lines.again();
                return Ok(None);
            }
            if !line.text.is_empty() {
                return Err(line.damage(otherwise));
            }
        }
    }
}
