//! What a verdict looks like beside its words.

use crate::diff::Word;

/// The signs of a verdict: a colour, and shapes that say the same without it.
pub(super) struct Sign {
    /// The class of its words.
    pub(super) tone: &'static str,
    /// What stands before them.
    pub(super) mark: &'static str,
    /// The class of what stands for the new run in a drawing.
    pub(super) class: &'static str,
    /// How far below that run's place the tip of its triangle is; it is a circle without one.
    pub(super) tip: Option<f64>,
}

impl Sign {
    /// The signs of a verdict, if there is one.
    pub(super) fn of(verdict: Option<Word>) -> Self {
        let (tone, mark, class, tip) = match verdict {
            Some(Word::Regression) => ("bad", "▲ ", "worse", Some(-5.0)),
            Some(Word::Improvement) => ("good", "▼ ", "better", Some(5.0)),
            Some(Word::Unchanged | Word::Inconclusive | Word::NotComparable) | None => {
                ("plain-verdict", "", "same", None)
            }
        };
        Self {
            tone,
            mark,
            class,
            tip,
        }
    }
}
