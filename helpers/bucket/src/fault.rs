//! What a test does to requests.

/// A fault, and which requests it strikes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The request's method.
    pub method: &'static str,
    /// What its path and query have in them.
    pub holds: &'static str,
    /// How many of them it lets pass first.
    pub after: usize,
    /// How many it then strikes.
    pub times: usize,
    /// What comes of these.
    pub answer: Answer,
}

/// What comes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// This status with S3's XML for this code; nothing is done.
    Refused(u16, &'static str),
    /// 200 with an error in the body, as S3 has it of what takes long; nothing is done.
    ErrorIn200(&'static str),
    /// The connection is closed when half of the body has come.
    Reset,
    /// It is done, and the connection closed without an answer.
    Unheard,
    /// It is done and answered, and the connection closed.
    LastOfConnection,
    /// Nothing comes, ever.
    Hangs,
}

impl Fault {
    /// Strikes every request of this method with this in its path and query.
    pub fn always(method: &'static str, holds: &'static str, answer: Answer) -> Self {
        Self {
            method,
            holds,
            after: 0,
            times: usize::MAX,
            answer,
        }
    }

    /// Strikes so many of them.
    pub fn times(self, times: usize) -> Self {
        Self { times, ..self }
    }

    /// Lets so many of them pass first.
    pub fn after(self, after: usize) -> Self {
        Self { after, ..self }
    }

    /// Whether it strikes this one; it is used up by it.
    pub(crate) fn strikes(&mut self, method: &str, target: &str) -> Option<Answer> {
        if self.method != method || !target.contains(self.holds) || self.times == 0 {
            return None;
        }
        if self.after > 0 {
            self.after -= 1;
            return None;
        }
        self.times = self.times.saturating_sub(1);
        Some(self.answer.clone())
    }
}
