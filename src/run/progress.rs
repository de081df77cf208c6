//! How far a run is: a line now and then in the log, or a bar for a person.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::watch;
use tokio::time::Instant;

use super::logging::BARS;
use super::phase::Phase;

/// How often a bar moves.
const TICK: Duration = Duration::from_millis(250);

/// Both fit 80 columns.
const WINDOW: &str = "profiling {wide_bar} {elapsed_precise} of at most {msg}";
const DUMP: &str = "dumping {wide_bar} {pos}/{len} pods {msg}";

/// What is done of what.
#[derive(Debug, Default)]
pub(super) struct Progress {
    watched: bool,
    expected: AtomicUsize,
    done: AtomicUsize,
    bytes: AtomicU64,
    bar: Mutex<Option<ProgressBar>>,
}

impl Progress {
    /// Nothing yet; with bars where a person watches.
    pub(super) fn new(watched: bool) -> Self {
        Self {
            watched,
            ..Self::default()
        }
    }

    /// The window opens, for at most so long.
    pub(super) fn window(&self, longest: Duration) {
        let text = humantime::format_duration(longest).to_string();
        self.show(longest.as_millis() as u64, WINDOW, text);
    }

    /// So many pods are expected.
    pub(super) fn expect(&self, pods: usize) {
        self.expected.store(pods, Relaxed);
    }

    /// The dump of so many pods begins.
    pub(super) fn dump(&self, pods: usize) {
        self.done.store(0, Relaxed);
        self.bytes.store(0, Relaxed);
        self.show(pods as u64, DUMP, String::new());
    }

    /// One more pod is shipped, so many bytes of profiles.
    pub(super) fn shipped(&self, bytes: u64) {
        let done = self.done.fetch_add(1, Relaxed) + 1;
        let bytes = self.bytes.fetch_add(bytes, Relaxed) + bytes;
        self.with_bar(|bar| {
            bar.set_position(done as u64);
            bar.set_message(format!("{:.1} MB", bytes as f64 / 1e6));
        });
    }

    /// Nothing more is to come.
    pub(super) fn clear(&self) {
        if let Some(bar) = self.slot().take() {
            bar.finish_and_clear();
            BARS.remove(&bar);
        }
    }

    /// Tells of it for as long as it is polled; it never ends. Where nobody watches a bar, that is
    /// a line every so often.
    pub(super) async fn tell(&self, phase: watch::Receiver<Phase>, every: Duration) {
        let begin = Instant::now();
        let mut opened = None;
        let mut ticks = tokio::time::interval_at(begin + every, every);
        if self.watched {
            ticks = tokio::time::interval(TICK);
        }
        loop {
            ticks.tick().await;
            let phase = *phase.borrow();
            if !self.watched {
                self.line(phase, begin.elapsed());
            } else if phase == Phase::Window {
                let since = *opened.get_or_insert_with(Instant::now);
                self.with_bar(|bar| bar.set_position(since.elapsed().as_millis() as u64));
            }
        }
    }

    fn line(&self, phase: Phase, elapsed: Duration) {
        tracing::info!(
            phase = phase.name(),
            seconds = elapsed.as_secs(),
            pods_done = self.done.load(Relaxed),
            pods_expected = self.expected.load(Relaxed),
            bytes = self.bytes.load(Relaxed),
            "still at work"
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
        self.bar
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
