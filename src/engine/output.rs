//! What upstream's program says, in lines.
//!
//! It ends a line of progress with the `\r` that begins the next one, or never.

/// Bytes kept of a line; the rest of it is dropped.
const LINE: usize = 500;

/// What comes before the number of pods in a line of progress.
const PROGRESS: &str = "Fetching in progress. Downloaded so far: ";

/// Cuts what comes into lines.
#[derive(Debug, Default)]
pub(super) struct Lines {
    begun: Vec<u8>,
}

/// One line without its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) text: String,
    /// Whether a terminal would have shown the next line in its place.
    pub(super) passing: bool,
}

impl Lines {
    /// The lines that end in what came.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<Line> {
        let mut ended = Vec::new();
        for &byte in bytes {
            match byte {
                b'\n' | b'\r' => ended.extend(self.end(byte == b'\r')),
                byte if self.begun.len() < LINE => self.begun.push(byte),
                _ => {}
            }
        }
        ended
    }

    /// The line that has begun, unless it is blank, and ends here.
    pub(super) fn end(&mut self, passing: bool) -> Option<Line> {
        let text = self.text();
        self.begun.clear();
        let passing = passing || progress(&text).is_some();
        (!text.trim().is_empty()).then_some(Line { text, passing })
    }

    /// The line that has begun, fit for a log.
    pub(super) fn text(&self) -> String {
        let printable = |c: char| if c.is_control() { ' ' } else { c };
        let text = String::from_utf8_lossy(&self.begun);
        text.chars().map(printable).collect()
    }
}

/// How many pods a line of progress says are written. The blank after the number tells that all of
/// the number is there.
pub(super) fn progress(line: &str) -> Option<usize> {
    let (number, _) = line.strip_prefix(PROGRESS)?.split_once(' ')?;
    number.parse().ok()
}
