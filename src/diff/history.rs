//! The runs that are compared, found among those that are kept. Only manifests are read, one at a time.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::accepted::Accepted;
use super::comparable::{difference, incomplete};
use super::document::{NotComparable, PassedOver};
use super::outliers::{PodOutlier, of_run};
use crate::config::RunId;
use crate::destination::{Destination, DestinationError, RunNumbers};
use crate::manifest::Manifest;
use crate::verdict::Rules;

/// Runs that are named for not counting.
const MOST_NAMED: usize = 50;

/// New runs and earlier ones, and those that do not count.
#[derive(Debug, Default)]
pub struct History {
    /// The new runs, the oldest first.
    pub new: Vec<RunNumbers>,
    /// The comparable runs before them, the oldest first.
    pub earlier: Vec<RunNumbers>,
    /// The newest run whose level was accepted as the new normal: no run before it counts.
    pub accepted: Option<Accepted>,
    /// Runs that are newer than all new ones and cannot be judged, the newest first.
    pub not_judged: Vec<PassedOver>,
    /// Runs that are not comparable with the newest.
    pub not_comparable: Vec<NotComparable>,
    /// Runs that were passed over.
    pub passed_over: Vec<PassedOver>,
    /// Pods of the newest run that are far from the others of their component.
    pub outliers: Vec<PodOutlier>,
}

/// So many of the newest runs in these places, and at most so many comparable ones before them, in other places if there
/// are such.
///
/// # Errors
/// A place cannot be listed, or a manifest not be read for a reason that may pass.
pub async fn newest(
    places: &[Destination],
    last: usize,
    before: Option<&[Destination]>,
    baseline: usize,
) -> Result<History, DestinationError> {
    let mut history = History::default();
    let mut listed_here = listed(places).await?.into_iter();
    while history.new.len() < last
        && let Some(kept) = listed_here.next()
    {
        let place = &places[kept.place];
        if let Some(run) = history.comparable(&kept, place, None).await? {
            if history.new.is_empty() {
                history.not_judged.clone_from(&history.passed_over);
            }
            history.new.push(run);
            // The level of other places is their own.
            if before.is_none() {
                history.note_accepted(&kept, place).await?;
            }
        }
    }
    let (listed_before, before) = match before {
        Some(before) => (listed(before).await?, before),
        None => (listed_here.collect(), places),
    };
    history
        .find_earlier(listed_before, before, baseline)
        .await?;
    if let Some(newest) = history.new.last() {
        history.outliers = outliers(places, newest).await?;
    }
    Ok(history)
}

/// A run, which need not be kept yet, and the comparable ones before it in these places; or why it can be compared with
/// none.
///
/// # Errors
/// A place cannot be listed, or a manifest not be read for a reason that may pass.
pub async fn before(
    places: &[Destination],
    manifest: &Manifest,
    rules: &Rules,
) -> Result<Result<History, String>, DestinationError> {
    let new = RunNumbers::of(manifest);
    if let Some(why) = incomplete(&new) {
        return Ok(Err(why));
    }
    let mut history = History {
        new: vec![new],
        ..History::default()
    };
    let listed = listed(places).await?;
    // The run before may confirm what this one shows, and is then no earlier one.
    let most = rules.most_earlier + 1;
    history.find_earlier(listed, places, most).await?;
    Ok(Ok(history))
}

/// The outliers of a run in one of these places. Its whole manifest is read for them; there are none if that cannot be
/// understood.
async fn outliers(
    places: &[Destination],
    run: &RunNumbers,
) -> Result<Vec<PodOutlier>, DestinationError> {
    let Ok(id) = RunId::parse(&run.run_id) else {
        return Ok(Vec::new());
    };
    for place in places {
        match place.manifest(&id, run.pods.expected()).await {
            Ok(manifest) => return Ok(of_run(&manifest)),
            Err(error) if error.permanent => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Vec::new())
}

/// These two runs, whether they are comparable or not.
///
/// # Errors
/// One of them cannot be read.
pub async fn two(
    earlier_place: &Destination,
    earlier: &RunId,
    new_place: &Destination,
    new: &RunId,
) -> Result<History, DestinationError> {
    let new = new_place.numbers(new).await?;
    let earlier = earlier_place.numbers(earlier).await?;
    let mut history = History::default();
    for run in [&new, &earlier] {
        if let Some(why) = incomplete(run) {
            history.pass_over(&run.run_id, why);
        }
    }
    match difference(&new, &earlier) {
        Some(differs) => history.not_comparable.push(differs),
        None if history.passed_over.is_empty() => history.earlier.push(earlier),
        None => {}
    }
    history.outliers = outliers(std::slice::from_ref(new_place), &new).await?;
    history.new.push(new);
    Ok(history)
}

impl History {
    fn has(&self, run: &RunId) -> bool {
        self.new.iter().any(|new| new.run_id == run.as_str())
    }

    fn pass_over(&mut self, run_id: &str, why: String) {
        if self.passed_over.len() < MOST_NAMED {
            let run_id = run_id.to_owned();
            self.passed_over.push(PassedOver { run_id, why });
        }
    }

    /// Finds at most so many comparable runs before the new ones among these, the newest of which come first.
    async fn find_earlier(
        &mut self,
        listed: Vec<Kept>,
        places: &[Destination],
        baseline: usize,
    ) -> Result<(), DestinationError> {
        let starts = self.new.iter().map(|run| run.window.start);
        let Some(first) = starts.min() else {
            return Ok(());
        };
        for kept in listed
            .iter()
            .filter(|kept| self.has(&kept.run_id))
            .collect::<Vec<_>>()
        {
            self.note_accepted(kept, &places[kept.place]).await?;
        }
        for kept in listed {
            if self.earlier.len() == baseline || self.accepted.is_some() {
                break;
            }
            let place = &places[kept.place];
            if self.has(&kept.run_id) {
                continue;
            }
            if let Some(run) = self.comparable(&kept, place, Some(first)).await? {
                self.earlier.push(run);
                self.note_accepted(&kept, place).await?;
            }
        }
        self.new.sort_by_key(|run| run.window.start);
        self.earlier.sort_by_key(|run| run.window.start);
        Ok(())
    }

    /// Notes that the level of a run was accepted, if it was and that of no newer one.
    async fn note_accepted(
        &mut self,
        kept: &Kept,
        place: &Destination,
    ) -> Result<(), DestinationError> {
        if self.accepted.is_none() && kept.accepted {
            self.accepted = Some(Accepted::read(place, &kept.run_id).await?);
        }
        Ok(())
    }

    /// A run that is comparable with the newest, and began before this moment, if there is one. One that began then and is
    /// not comparable is named.
    async fn comparable(
        &mut self,
        kept: &Kept,
        place: &Destination,
        first: Option<Timestamp>,
    ) -> Result<Option<RunNumbers>, DestinationError> {
        let run = match place.numbers(&kept.run_id).await {
            Ok(run) => run,
            Err(error) if error.permanent => {
                self.pass_over(kept.run_id.as_str(), error.to_string());
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        if first.is_some_and(|first| run.window.start >= first) {
            return Ok(None);
        }
        if let Some(why) = incomplete(&run) {
            self.pass_over(&run.run_id, why);
            return Ok(None);
        }
        let Some(differs) = self.new.first().and_then(|newest| difference(newest, &run)) else {
            return Ok(Some(run));
        };
        let is_named = |named: &NotComparable| named.run_id == run.run_id;
        if self.not_comparable.len() < MOST_NAMED && !self.not_comparable.iter().any(is_named) {
            self.not_comparable.push(differs);
        }
        Ok(None)
    }
}

/// A run that is kept somewhere.
struct Kept {
    finished: Timestamp,
    run_id: RunId,
    place: usize,
    accepted: bool,
}

/// The finished runs of these places, the newest first, each once.
async fn listed(places: &[Destination]) -> Result<Vec<Kept>, DestinationError> {
    let mut kept = Vec::new();
    let mut seen = BTreeSet::new();
    for (place, destination) in places.iter().enumerate() {
        for listed in destination.list().await? {
            if let Some(finished) = listed.finished
                && seen.insert(listed.run_id.to_string())
            {
                let run_id = listed.run_id;
                kept.push(Kept {
                    finished,
                    run_id,
                    place,
                    accepted: listed.accepted.is_some(),
                });
            }
        }
    }
    kept.sort_by(|a, b| (b.finished, b.run_id.as_str()).cmp(&(a.finished, a.run_id.as_str())));
    Ok(kept)
}
