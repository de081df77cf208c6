//! The faults that a test asks for.

/// A fault, and which requests it strikes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The request's method; every one, where it is empty.
    pub method: &'static str,
    /// A part of its path and query.
    pub holds: &'static str,
    /// How many of these requests pass first.
    pub after: usize,
    /// How many then meet the fault.
    pub times: usize,
    /// The answer that these get.
    pub answer: Answer,
}

/// The answer to a request that meets a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// This status with S3's XML for this code; nothing is done.
    Refused(u16, &'static str),
    /// 429 without a body, as a proxy answers, and how many seconds it wants to be left alone.
    TooMany(Option<u32>),
    /// This status, with a Location at this server.
    Redirected(u16, &'static str),
    /// As AWS sends elsewhere: this status, with this endpoint in the body.
    Elsewhere(u16, &'static str),
    /// 200 with an error in the body, as S3 answers where something takes long; nothing is done.
    ErrorIn200(&'static str),
    /// The connection is closed when half of the body has come.
    Reset,
    /// The request is done, and the connection closed without an answer.
    Unheard,
    /// The request is answered without the object's own metadata.
    Unmarked,
    /// The request is done and answered, and the connection closed.
    LastOfConnection,
    /// No answer comes, ever.
    Hangs,
}

impl Fault {
    /// A fault of every request of this method with this in its path and query.
    pub fn always(method: &'static str, holds: &'static str, answer: Answer) -> Self {
        Self {
            method,
            holds,
            after: 0,
            times: usize::MAX,
            answer,
        }
    }

    /// The same fault, but only so many times.
    pub fn times(self, times: usize) -> Self {
        Self { times, ..self }
    }

    /// The same fault, but so many requests pass first.
    pub fn after(self, after: usize) -> Self {
        Self { after, ..self }
    }

    /// The answer to this request, if it meets the fault; that counts as one time.
    pub(crate) fn strikes(&mut self, method: &str, target: &str) -> Option<Answer> {
        if (!self.method.is_empty() && self.method != method)
            || !target.contains(self.holds)
            || self.times == 0
        {
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
