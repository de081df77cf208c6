//! Writes that are tried again: others may get in between, and an answer may not come.

use super::fault::GateError;
use crate::cluster::call::{CallError, Connection};
use crate::cluster::retry::Backoff;
use crate::limits::CONFLICTING_WRITES;

/// What came of a write.
#[derive(Debug)]
pub enum Written {
    /// It is made.
    Done,
    /// Somebody else wrote first: it has to be worked out anew.
    Conflict,
    /// No answer came, or one of a fault that may pass: it may have been made.
    Unknown(CallError),
}

/// The tries of one write.
#[derive(Debug)]
pub struct Tries {
    conflicts: usize,
    faults: usize,
    backoff: Backoff,
}

impl Tries {
    /// None yet.
    pub fn new(connection: &Connection) -> Self {
        let limits = &connection.limits;
        Self {
            conflicts: CONFLICTING_WRITES,
            faults: limits.tries,
            backoff: Backoff::new(limits),
        }
    }

    /// Returns when it is time for the next.
    ///
    /// # Errors
    /// There have been enough.
    pub async fn again(&mut self, written: Written, object: &str) -> Result<(), GateError> {
        match written {
            Written::Done => {}
            Written::Conflict => {
                self.conflicts -= 1;
                if self.conflicts == 0 {
                    let object = object.to_owned();
                    return Err(GateError::Busy { object });
                }
            }
            Written::Unknown(error) => {
                self.faults -= 1;
                if self.faults == 0 {
                    return Err(error.into());
                }
                self.backoff.pause().await;
            }
        }
        Ok(())
    }
}
