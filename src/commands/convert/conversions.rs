//! The conversions that go on at once, each in a thread of its own, while the source is read on.

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::{self, Scope};

use super::bounds::{Bound, StopRequest};
use super::output::{CopiedProfile, Output, Unfinished};
use super::summary::{ConvertError, Converted, Summary};
use crate::limits::CONVERSIONS;

/// The name of their threads.
const THREAD: &str = "conversion";

/// The conversions of one source into one output directory. They wait in no queue: while there are as many as
/// there may be, the source is not read on.
pub(super) struct Conversions<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    source: &'env Path,
    output: &'env Output,
    stop: &'env StopRequest,
    most: usize,
    begun: usize,
    /// The paths that each of those that go on writes, by its number.
    running: BTreeMap<usize, Vec<PathBuf>>,
    ended: mpsc::Receiver<Ended>,
    ends: mpsc::Sender<Ended>,
    /// The one that failed and was begun first.
    failed: Option<(usize, ConvertError)>,
}

/// A conversion that has ended.
struct Ended {
    number: usize,
    name: PathBuf,
    /// Its result. The outer error is a panic.
    result: thread::Result<Result<Converted, Unfinished>>,
}

impl<'scope, 'env> Conversions<'scope, 'env> {
    pub(super) fn new(
        scope: &'scope Scope<'scope, 'env>,
        source: &'env Path,
        output: &'env Output,
        stop: &'env StopRequest,
    ) -> Self {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let (ends, ended) = mpsc::channel();
        Self {
            scope,
            source,
            output,
            stop,
            most: cores.min(CONVERSIONS),
            begun: 0,
            running: BTreeMap::new(),
            ended,
            ends,
            failed: None,
        }
    }

    /// Waits until there is room for one more, and none that goes on writes where this name is: so a name that
    /// is there twice has the same result however fast they are.
    ///
    /// # Errors
    /// That of the failed one that was begun first.
    pub(super) fn make_way(
        &mut self,
        name: &Path,
        summary: &mut Summary,
    ) -> Result<(), ConvertError> {
        let is_there = |path: &PathBuf| path.starts_with(name) || name.starts_with(path);
        while self.running.len() >= self.most || self.running.values().flatten().any(is_there) {
            self.wait(summary);
        }
        if self.failed.is_some() {
            return self.end(summary);
        }
        Ok(())
    }

    /// Begins one.
    ///
    /// # Errors
    /// There is no thread for it. Nothing is left of it then.
    pub(super) fn begin(&mut self, profile: CopiedProfile) -> Result<(), ConvertError> {
        let number = self.begun;
        let (names, path) = (profile.names().collect(), profile.path.clone());
        let (ends, output, stop) = (self.ends.clone(), self.output, self.stop);
        let conversion = move || {
            let result = catch_unwind(AssertUnwindSafe(|| profile.convert(output, stop)));
            let name = profile.name;
            // Whoever waits is there as long as this thread.
            let _ = ends.send(Ended {
                number,
                name,
                result,
            });
        };
        let thread = thread::Builder::new().name(THREAD.to_owned());
        if let Err(error) = thread.spawn_scoped(self.scope, conversion) {
            let _ = fs::remove_file(&path);
            return Err(ConvertError::output(&path, error));
        }
        self.begun += 1;
        self.running.insert(number, names);
        Ok(())
    }

    /// Waits for the end of all.
    ///
    /// # Errors
    /// That of the failed one that was begun first.
    pub(super) fn end(&mut self, summary: &mut Summary) -> Result<(), ConvertError> {
        while !self.running.is_empty() {
            self.wait(summary);
        }
        self.failed.take().map_or(Ok(()), |(_, error)| Err(error))
    }

    /// Waits for the end of one.
    fn wait(&mut self, summary: &mut Summary) {
        // A sender is in `self`, so this fails never.
        let Ok(ended) = self.ended.recv() else {
            return;
        };
        self.running.remove(&ended.number);
        let result = ended.result.unwrap_or_else(|panic| resume_unwind(panic));
        let result = result.map_err(|unfinished| match unfinished {
            Unfinished::Failed(error) => error,
            Unfinished::Told(code) => {
                ConvertError::bound(self.source, &ended.name, Bound::Told(code))
            }
        });
        match result {
            Ok(converted) => summary.profile(&ended.name, converted),
            Err(error) => {
                let is_first = |(first, _): &(usize, _)| ended.number < *first;
                if self.failed.as_ref().is_none_or(is_first) {
                    self.failed = Some((ended.number, error));
                }
            }
        }
    }
}
