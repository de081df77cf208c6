//! Whole seconds, which is all that timestamps of Kubernetes' objects have.

use std::num::NonZeroU32;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};

/// A second since 1970, in four bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Second(NonZeroU32);

impl Second {
    /// The second that a time is in.
    pub(super) fn of(time: Timestamp) -> Option<Self> {
        let second = u32::try_from(time.as_second()).ok()?;
        NonZeroU32::new(second).map(Self)
    }

    /// The milliseconds since an earlier one; `None` where that is later.
    pub(super) fn milliseconds_since(self, earlier: Self) -> Option<u64> {
        let seconds = self.0.get().checked_sub(earlier.0.get())?;
        Some(u64::from(seconds) * 1000)
    }
}

/// A time as an object has it. One that makes no sense is none, and no reason to refuse the object.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Second>, D::Error> {
    let text: Option<String> = Option::deserialize(from)?;
    Ok(text.and_then(|text| text.parse().ok()).and_then(Second::of))
}
