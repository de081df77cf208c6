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
    /// It is another cluster's.
    OtherCluster,
    /// Its manifest does not say which cluster's it is, as those of earlier versions do not.
    NoCluster,
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

/// Whose an earlier run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// This cluster's.
    Own,
    /// Another cluster's.
    Other,
    /// Its manifest does not say.
    Unnamed,
    /// No manifest says that it is whole.
    NotWhole,
}

impl Owner {
    /// Whose a whole run is, by the cluster that its manifest names and this run's own.
    pub fn of(named: Option<&str>, own: Option<&str>) -> Self {
        match (named, own) {
            (None, _) => Self::Unnamed,
            (Some(named), Some(own)) if named == own => Self::Own,
            (Some(_), _) => Self::Other,
        }
    }
}

/// The settings, and the places that are left among the KEEP newest. Earlier runs are decided on one at a
/// time, the newest first.
#[derive(Debug)]
pub struct Decider {
    retention: Retention,
    places: u32,
}

impl Decider {
    /// A decider that has seen only the present run, which is one of the newest.
    pub fn new(retention: Retention) -> Self {
        let places = retention.keep.unwrap_or_default().saturating_sub(1);
        Self { retention, places }
    }

    /// Decides on the next run, by when it was finished and whose it is. Only a whole run of this cluster
    /// takes a place among the newest, and only such a one is ever removed.
    pub fn decide(&mut self, finished: Timestamp, owner: Owner, now: Timestamp) -> Decision {
        if self.retention.keeps_all() {
            return Decision::Keep(KeepReason::NoLimit);
        }
        match owner {
            Owner::Own => {}
            Owner::Other => return Decision::Keep(KeepReason::OtherCluster),
            Owner::Unnamed => return Decision::Keep(KeepReason::NoCluster),
            Owner::NotWhole => return Decision::Keep(KeepReason::NotWhole),
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
    use super::KeepReason::{Newest, NoCluster, NoLimit, NotWhole, OtherCluster, Recent};
    use super::Owner::Own;
    use super::RemoveReason::{TooMany, TooOld};
    use super::*;

    const SECONDS_A_DAY: u64 = 24 * 60 * 60;

    /// A run: the day on which it was finished, whose it is, and what becomes of it on day 100.
    type Run = (u64, Owner, Decision);

    fn days(days: u64) -> Duration {
        Duration::from_secs(days * SECONDS_A_DAY)
    }

    fn day(day: u64) -> Timestamp {
        Timestamp::UNIX_EPOCH + days(day)
    }

    fn decides(keep: Option<u32>, keep_for_days: Option<u64>, runs: &[Run]) {
        let keep_for = keep_for_days.map(days);
        let retention = Retention { keep, keep_for };
        let mut decider = Decider::new(retention);
        for &(finished, owner, expected) in runs {
            let decision = decider.decide(day(finished), owner, day(100));
            assert_eq!(decision, expected, "{retention:?}, day {finished}");
        }
    }

    #[test]
    fn each_run_stays_or_goes_for_a_reason() {
        let no_limit = [
            (99, Own, Keep(NoLimit)),
            (1, Owner::NotWhole, Keep(NoLimit)),
        ];
        decides(None, None, &no_limit);

        let only_the_present = [(99, Own, Remove(TooMany)), (98, Own, Remove(TooMany))];
        decides(Some(1), None, &only_the_present);

        let three_newest = [
            (99, Own, Keep(Newest)),
            (98, Owner::NotWhole, Keep(NotWhole)),
            (97, Own, Keep(Newest)),
            (96, Own, Remove(TooMany)),
            (95, Owner::NotWhole, Keep(NotWhole)),
        ];
        decides(Some(3), None, &three_newest);

        let of_several_clusters = [
            (99, Owner::Other, Keep(OtherCluster)),
            (98, Owner::Unnamed, Keep(NoCluster)),
            (97, Own, Keep(Newest)),
            (96, Owner::Other, Keep(OtherCluster)),
            (95, Own, Remove(TooMany)),
            (1, Owner::Unnamed, Keep(NoCluster)),
        ];
        decides(Some(2), None, &of_several_clusters);

        let a_week = [
            (99, Own, Keep(Recent)),
            (93, Own, Keep(Recent)),
            (92, Own, Remove(TooOld)),
        ];
        decides(None, Some(7), &a_week);

        let two_newest_or_a_week = [
            (99, Own, Keep(Newest)),
            (98, Own, Keep(Recent)),
            (97, Owner::NotWhole, Keep(NotWhole)),
            (50, Own, Remove(TooOld)),
        ];
        decides(Some(2), Some(7), &two_newest_or_a_week);

        let an_old_one_among_the_newest = [(50, Own, Keep(Newest)), (49, Own, Remove(TooOld))];
        decides(Some(2), Some(7), &an_old_one_among_the_newest);

        let of_a_clock_that_is_ahead = [(101, Own, Keep(Recent)), (99, Own, Remove(TooOld))];
        decides(None, Some(0), &of_a_clock_that_is_ahead);
    }

    #[test]
    fn a_run_is_of_the_cluster_that_it_names() {
        assert_eq!(Owner::of(Some("a"), Some("a")), Own);
        assert_eq!(Owner::of(Some("a"), Some("b")), Owner::Other);
        assert_eq!(Owner::of(Some("a"), None), Owner::Other);
        assert_eq!(Owner::of(None, Some("a")), Owner::Unnamed);
        assert_eq!(Owner::of(None, None), Owner::Unnamed);
    }

    #[test]
    fn only_runs_that_were_finished_before_the_present_one_are_earlier() {
        let listed = |id: &str, finished: Option<u64>| Listed {
            run_id: RunId::parse(id).expect("an id"),
            finished: finished.map(day),
            accepted: None,
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
