//! What became of everything: a line a pod, and the totals.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display};
use std::path::{Path, PathBuf};

use indicatif::HumanBytes;

/// What became of a profile.
#[derive(Debug)]
pub(super) enum Fate {
    /// It had been a profile before.
    AsItWas,
    /// A text of so many bytes is a profile of so many now, but for what Go left out.
    Converted {
        text: u64,
        bytes: u64,
        notes: Vec<String>,
    },
    /// It cannot be understood, and is as it was.
    Damaged(String),
}

/// A directory of profiles: a pod's.
#[derive(Debug, Default)]
struct Pod {
    converted: usize,
    as_it_was: usize,
    damaged: usize,
    /// What is to be said of single files.
    remarks: BTreeSet<String>,
}

/// Everything so far.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pods: BTreeMap<PathBuf, Pod>,
    others: Vec<String>,
    text: u64,
    bytes: u64,
}

impl Tally {
    /// Notes what became of a profile.
    pub(super) fn profile(&mut self, name: &Path, fate: Fate) {
        let file = shown(Path::new(name.file_name().unwrap_or_default()));
        let pod = self.pod(name);
        match fate {
            Fate::AsItWas => pod.as_it_was += 1,
            Fate::Damaged(why) => {
                pod.damaged += 1;
                pod.remarks.insert(format!("DAMAGED {file}: {why}"));
            }
            Fate::Converted { text, bytes, notes } => {
                pod.converted += 1;
                let notes = notes.into_iter().map(|note| format!("note {file}: {note}"));
                pod.remarks.extend(notes);
                self.text += text;
                self.bytes += bytes;
            }
        }
    }

    /// Notes a file that cannot be read.
    pub(super) fn unreadable(&mut self, name: &Path, why: String) {
        self.others
            .push(format!("UNREADABLE {}: {why}", shown(name)));
    }

    /// Notes a file that was not taken.
    pub(super) fn refused(&mut self, name: &Path, why: String) {
        self.others.push(format!("REFUSED {}: {why}", shown(name)));
    }

    /// Whether nothing became of anything.
    pub(super) fn is_empty(&self) -> bool {
        self.pods.is_empty() && self.others.is_empty()
    }

    fn pod(&mut self, name: &Path) -> &mut Pod {
        let directory = name.parent().unwrap_or(Path::new(""));
        self.pods.entry(directory.to_owned()).or_default()
    }

    fn sum(&self, what: impl Fn(&Pod) -> usize) -> usize {
        self.pods.values().map(what).sum()
    }

    /// Whether there were profiles, and all were understood.
    pub(super) fn is_whole(&self) -> bool {
        let damaged = self.sum(|pod| pod.damaged);
        !self.pods.is_empty() && damaged == 0 && self.others.is_empty()
    }
}

impl Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (directory, pod) in &self.pods {
            let name = match directory.as_os_str().is_empty() {
                true => ".".to_owned(),
                false => shown(directory),
            };
            writeln!(
                f,
                "{name}: {}",
                counts(pod.converted, pod.as_it_was, pod.damaged)
            )?;
            pod.remarks
                .iter()
                .try_for_each(|remark| writeln!(f, "  {remark}"))?;
        }
        self.others
            .iter()
            .try_for_each(|other| writeln!(f, "{other}"))?;
        if self.pods.is_empty() {
            writeln!(
                f,
                "no profile was found: no heap.pprof, cpu.pprof or the like"
            )?;
        }
        let (converted, as_it_was) = (self.sum(|pod| pod.converted), self.sum(|pod| pod.as_it_was));
        let counts = counts(converted, as_it_was, self.sum(|pod| pod.damaged));
        let pods = self.pods.len();
        let plural = if pods == 1 { "" } else { "s" };
        let (text, bytes) = (HumanBytes(self.text), HumanBytes(self.bytes));
        write!(f, "{pods} pod{plural}: {counts}; ")?;
        writeln!(f, "{text} of text became {bytes} of profiles")
    }
}

fn counts(converted: usize, as_it_was: usize, damaged: usize) -> String {
    let mut counts = format!("{converted} converted, {as_it_was} already a profile");
    if damaged > 0 {
        counts += &format!(", {damaged} DAMAGED");
    }
    counts
}

/// A name as a terminal can bear it: names in an archive are anybody's.
fn shown(name: &Path) -> String {
    let mut shown = String::new();
    for c in name.to_string_lossy().chars() {
        match c.is_control() {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    shown
}
