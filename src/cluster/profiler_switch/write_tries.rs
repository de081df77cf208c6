//! The tries of a change of the object that decides KubeVirt's configuration.

use super::change::SwitchError;
use crate::cluster::call::{CallError, Connection};
use crate::cluster::retry::{Backoff, Wait};
use crate::limits::CONFLICTING_WRITES;

/// The result of a write.
#[derive(Debug)]
pub enum Written {
    /// The change is made.
    Done,
    /// Somebody else wrote first: the change has to be worked out anew.
    Conflict,
    /// No answer came, or one of a fault that may pass: the change may have been made.
    Unknown(CallError),
}

/// The tries of one change, each of which reads the object anew.
#[derive(Debug)]
pub struct WriteTries {
    conflicts_left: usize,
    faults_left: usize,
    backoff: Backoff,
    wait: Wait,
}

impl WriteTries {
    /// The tries of a change that begins.
    pub fn new(connection: &Connection) -> Self {
        Self {
            conflicts_left: CONFLICTING_WRITES,
            faults_left: connection.limits.tries,
            backoff: Backoff::new(&connection.limits),
            wait: connection.waits.begin(),
        }
    }

    /// Returns when it is time for the next try.
    ///
    /// # Errors
    /// There have been enough: others write the object all the time, or the API server failed.
    pub async fn again(&mut self, written: Written, object: &str) -> Result<(), SwitchError> {
        match written {
            Written::Done => return Ok(()),
            Written::Conflict => {
                self.conflicts_left -= 1;
                if self.conflicts_left == 0 {
                    let object = object.to_owned();
                    return Err(SwitchError::Busy { object });
                }
                let pause = self.backoff.next_pause();
                tracing::info!(object, ?pause, "somebody else wrote it first; trying again");
                self.wait
                    .tell(format_args!("others to leave {object} alone"));
            }
            Written::Unknown(error) => {
                self.faults_left -= 1;
                if self.faults_left == 0 {
                    return Err(error.into());
                }
                self.wait
                    .tell(format_args!("{object} to be written: {error}"));
            }
        }
        self.backoff.pause().await;
        Ok(())
    }
}
