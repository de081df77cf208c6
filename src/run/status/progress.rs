//! Progress: how far a run is, as a line now and then in the log, or as a bar for a person.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::watch;
use tokio::time::Instant;

use super::log::BARS;
use crate::cluster::retry::Waits;
use crate::errors::lock;
use crate::limits::BAR_TICK;
use crate::run::phase::Phase;

/// The templates of the bars. Both fit 80 columns.
const WINDOW: &str = "profiling {wide_bar} {elapsed_precise} of at most {msg}";
const DUMP: &str = "dumping {wide_bar} {pos}/{len} pods {msg}";

/// What is done so far, of what is expected.
#[derive(Debug, Default)]
pub(in crate::run) struct Progress {
    watched: bool,
    expected: AtomicUsize,
    done: AtomicUsize,
    bytes: AtomicU64,
    bar: Mutex<Option<ProgressBar>>,
}

impl Progress {
    /// Begins with nothing done; with bars where a person watches.
    pub(in crate::run) fn new(watched: bool) -> Self {
        Self {
            watched,
            ..Self::default()
        }
    }

    /// Shows a window that opens, and lasts for at most so long.
    pub(in crate::run) fn show_window(&self, longest: Duration) {
        let text = humantime::format_duration(longest).to_string();
        self.show(longest.as_millis() as u64, WINDOW, text);
    }

    /// Sets how many pods are expected.
    pub(in crate::run) fn expect_pods(&self, pods: usize) {
        self.expected.store(pods, Relaxed);
    }

    /// Shows a dump of so many pods that begins.
    pub(in crate::run) fn show_dump(&self, pods: usize) {
        self.done.store(0, Relaxed);
        self.bytes.store(0, Relaxed);
        self.show(pods as u64, DUMP, String::new());
    }

    /// Counts one more pod that is shipped, with so many bytes of profiles.
    pub(in crate::run) fn count_pod(&self, bytes: u64) {
        let done = self.done.fetch_add(1, Relaxed) + 1;
        let bytes = self.bytes.fetch_add(bytes, Relaxed) + bytes;
        self.with_bar(|bar| {
            bar.set_position(done as u64);
            bar.set_message(format!("{:.1} MB", bytes as f64 / 1e6));
        });
    }

    /// Takes the bar away: nothing more is to come.
    pub(in crate::run) fn clear(&self) {
        if let Some(bar) = self.slot().take() {
            bar.finish_and_clear();
            BARS.remove(&bar);
        }
    }

    /// Tells of the progress for as long as the future is polled; it never ends. That is a line every so often,
    /// with what is waited for; where a person watches a bar, only while something is.
    pub(in crate::run) async fn tell(
        &self,
        phase: watch::Receiver<Phase>,
        waits: &Waits,
        every: Duration,
    ) {
        let begin = Instant::now();
        let mut opened = None;
        let mut ticks = tokio::time::interval_at(begin + every, every);
        if self.watched {
            ticks = tokio::time::interval(BAR_TICK);
        }
        let mut last = begin;
        loop {
            let now = ticks.tick().await;
            let phase = *phase.borrow();
            let waiting = waits.now();
            if now >= last + every && (waiting.is_some() || !self.watched) {
                last = now;
                self.line(phase, waiting, begin.elapsed());
            }
            if self.watched && phase == Phase::Window {
                let since = *opened.get_or_insert_with(Instant::now);
                self.with_bar(|bar| bar.set_position(since.elapsed().as_millis() as u64));
            }
        }
    }

    fn line(&self, phase: Phase, waiting: Option<String>, elapsed: Duration) {
        let at = waiting.map_or_else(
            || "still at work".to_owned(),
            |what| format!("waiting for {what}"),
        );
        tracing::info!(
            phase = phase.name(),
            seconds = elapsed.as_secs(),
            pods_done = self.done.load(Relaxed),
            pods_expected = self.expected.load(Relaxed),
            bytes = self.bytes.load(Relaxed),
            "{at}"
        );
    }

    fn show(&self, length: u64, template: &str, message: String) {
        self.clear();
        if self.watched {
            let style = ProgressStyle::with_template(template);
            let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
            let bar = BARS.add(ProgressBar::new(length).with_style(style.progress_chars("=> ")));
            bar.set_message(message);
            *self.slot() = Some(bar);
        }
    }

    fn with_bar(&self, change: impl FnOnce(&ProgressBar)) {
        if let Some(bar) = self.slot().as_ref() {
            change(bar);
        }
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<ProgressBar>> {
        lock(&self.bar)
    }
}
