//! The decision which earlier runs stay at a destination. Nothing is read or removed here.

use std::time::Duration;

use jiff::Timestamp;

use super::runs::Listed;
use crate::config::{Retention, RunId};

/// A run that was finished before the present one. The order is that of time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EarlierRun {
    /// When its manifest was written.
    pub finished: Timestamp,
    /// Its id.
    pub run_id: RunId,
}

/// What becomes of an earlier run, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It stays.
    Keep(KeepReason),
    /// It is removed.
    Remove(RemoveReason),
}

/// Why an earlier run stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeepReason {
    /// Neither KEEP nor KEEP_FOR is set.
    NoLimit,
    /// No manifest says that its archive is whole, so this program may not have written it.
    NotWhole,
    /// It is one of the KEEP newest.
    Newest,
    /// It is not older than KEEP_FOR.
    Recent,
}

/// Why an earlier run is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemoveReason {
    /// It is not one of the KEEP newest, and KEEP_FOR is not set.
    TooMany,
    /// It is older than KEEP_FOR, and not one of the KEEP newest.
    TooOld,
}

/// The settings, and the places that are left among the KEEP newest. Earlier runs are decided on one at a
/// time, the newest first.
#[derive(Debug)]
pub struct Decider<'a> {
    retention: &'a Retention,
    places: u32,
}

impl<'a> Decider<'a> {
    /// A decider that has seen only the present run, which is one of the newest.
    pub fn new(retention: &'a Retention) -> Self {
        let places = retention.keep.unwrap_or_default().saturating_sub(1);
        Self { retention, places }
    }

    /// Decides on the next run, by when it was finished and whether a manifest says that it is whole. A run
    /// that is not whole takes no place among the newest.
    pub fn decide(&mut self, finished: Timestamp, is_whole: bool, now: Timestamp) -> Decision {
        if self.retention.keeps_all() {
            return Decision::Keep(KeepReason::NoLimit);
        }
        if !is_whole {
            return Decision::Keep(KeepReason::NotWhole);
        }
        if self.places > 0 {
            self.places -= 1;
            return Decision::Keep(KeepReason::Newest);
        }
        let age = Duration::try_from(now.duration_since(finished)).unwrap_or_default();
        match self.retention.keep_for {
            None => Decision::Remove(RemoveReason::TooMany),
            Some(longest) if age > longest => Decision::Remove(RemoveReason::TooOld),
            Some(_) => Decision::Keep(KeepReason::Recent),
        }
    }
}

/// The runs that were finished before the present one, the newest first. Another cluster's may be newer, and
/// is that one's to remove. A run that is unfinished is left out, since nothing tells whose it is.
pub fn earlier_runs(listed: Vec<Listed>, present: &RunId, now: Timestamp) -> Vec<EarlierRun> {
    let finished = listed.into_iter().filter_map(|run| {
        Some(EarlierRun {
            finished: run.finished?,
            run_id: run.run_id,
        })
    });
    let (mut own, mut others): (Vec<_>, Vec<_>) = finished.partition(|run| run.run_id == *present);
    let until = own.pop().unwrap_or_else(|| EarlierRun {
        finished: now,
        run_id: present.clone(),
    });
    // Of two that were finished in one second only one is the earlier, whoever looks.
    others.retain(|other| *other < until);
    others.sort_by(|one, other| other.cmp(one));
    others
}

#[cfg(test)]
mod tests {
    use super::Decision::{Keep, Remove};
    use super::KeepReason::{Newest, NoLimit, NotWhole, Recent};
    use super::RemoveReason::{TooMany, TooOld};
    use super::*;

    const SECONDS_A_DAY: u64 = 24 * 60 * 60;

    /// A run: the day on which it was finished, whether it is whole, and what becomes of it on day 100.
    type Run = (u64, bool, Decision);

    fn days(days: u64) -> Duration {
        Duration::from_secs(days * SECONDS_A_DAY)
    }

    fn day(day: u64) -> Timestamp {
        Timestamp::UNIX_EPOCH + days(day)
    }

    fn decides(keep: Option<u32>, keep_for_days: Option<u64>, runs: &[Run]) {
        let keep_for = keep_for_days.map(days);
        let retention = Retention { keep, keep_for };
        let mut decider = Decider::new(&retention);
        for &(finished, is_whole, expected) in runs {
            let decision = decider.decide(day(finished), is_whole, day(100));
            assert_eq!(decision, expected, "{retention:?}, day {finished}");
        }
    }

    #[test]
    fn each_run_stays_or_goes_for_a_reason() {
        let no_limit = [(99, true, Keep(NoLimit)), (1, false, Keep(NoLimit))];
        decides(None, None, &no_limit);

        let only_the_present = [(99, true, Remove(TooMany)), (98, true, Remove(TooMany))];
        decides(Some(1), None, &only_the_present);

        let three_newest = [
            (99, true, Keep(Newest)),
            (98, false, Keep(NotWhole)),
            (97, true, Keep(Newest)),
            (96, true, Remove(TooMany)),
            (95, false, Keep(NotWhole)),
        ];
        decides(Some(3), None, &three_newest);

        let a_week = [
            (99, true, Keep(Recent)),
            (93, true, Keep(Recent)),
            (92, true, Remove(TooOld)),
        ];
        decides(None, Some(7), &a_week);

        let two_newest_or_a_week = [
            (99, true, Keep(Newest)),
            (98, true, Keep(Recent)),
            (97, false, Keep(NotWhole)),
            (50, true, Remove(TooOld)),
        ];
        decides(Some(2), Some(7), &two_newest_or_a_week);

        let an_old_one_among_the_newest = [(50, true, Keep(Newest)), (49, true, Remove(TooOld))];
        decides(Some(2), Some(7), &an_old_one_among_the_newest);

        let of_a_clock_that_is_ahead = [(101, true, Keep(Recent)), (99, true, Remove(TooOld))];
        decides(None, Some(0), &of_a_clock_that_is_ahead);
    }

    #[test]
    fn only_runs_that_were_finished_before_the_present_one_are_earlier() {
        let listed = |id: &str, finished: Option<u64>| Listed {
            run_id: RunId::parse(id).expect("an id"),
            finished: finished.map(day),
        };
        let present = listed("c-present", Some(50));
        let others = vec![
            listed("b-same-second", Some(50)),
            listed("d-same-second", Some(50)),
            listed("newer", Some(51)),
            listed("old", Some(10)),
            listed("older", Some(9)),
            listed("unfinished", None),
        ];
        let names = |listed: Vec<Listed>| -> Vec<String> {
            earlier_runs(listed, &present.run_id, day(100))
                .into_iter()
                .map(|run| run.run_id.to_string())
                .collect()
        };
        let all = [others.clone(), vec![present.clone()]].concat();
        assert_eq!(names(all), ["b-same-second", "old", "older"]);
        // Where the present run is not listed, all that were finished until now are earlier.
        let until_now = ["newer", "d-same-second", "b-same-second", "old", "older"];
        assert_eq!(names(others), until_now);
    }
}
