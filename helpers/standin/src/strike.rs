//! The choice of the faults of a pod that a call meets.

use std::time::Duration;

use crate::{
    fault::{Damage, Fault},
    profiler::Call,
};

/// The faults of a pod that a call meets, put together.
#[derive(Default)]
pub(crate) struct Struck {
    pub(crate) after: Duration,
    pub(crate) status: Option<u16>,
    pub(crate) damages: Vec<Damage>,
}

/// The faults that this call meets. One that strikes a number of times is used up by one.
pub(crate) fn strike(faults: Option<&mut Vec<Fault>>, call: Call) -> Struck {
    let mut struck = Struck::default();
    for fault in faults.into_iter().flatten() {
        let status = match (fault, call) {
            (Fault::Slow(after), _) => {
                struck.after = struck.after.max(*after);
                None
            }
            (Fault::DumpFails(times), Call::Dump)
            | (Fault::StartFails(times), Call::Start)
            | (Fault::StopFails(times), Call::Stop) => times.strike().then_some(500),
            (Fault::GateUnseen(times), _) => times.strike().then_some(403),
            (Fault::Damaged(damage, times), Call::Dump) => {
                struck
                    .damages
                    .extend(times.strike().then(|| damage.clone()));
                None
            }
            (
                Fault::DumpFails(_)
                | Fault::StartFails(_)
                | Fault::StopFails(_)
                | Fault::Damaged(..),
                Call::Start | Call::Stop | Call::Dump,
            ) => None,
        };
        struck.status = struck.status.or(status);
    }
    struck
}
