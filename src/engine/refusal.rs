//! Names in a dump that nobody asked for: named, never used.

use crate::manifest::UnexpectedName;

/// A name longer than this is cut where it is shown.
const SHOWN: usize = 100;

/// Refused names that are listed, of one page.
const LISTED: usize = 20;

/// Says that a name is refused, and lists it while the list is short.
pub(super) fn refuse(refused: &mut Vec<UnexpectedName>, page_of: &str, name: &str, why: &str) {
    tracing::warn!(page_of, ?name, why, "refused a name in a dump");
    if refused.len() == LISTED {
        let more = "and more, which the log names".to_owned();
        refused.push(UnexpectedName {
            name: "…".to_owned(),
            page_of: page_of.to_owned(),
            why: more,
        });
    }
    if refused.len() < LISTED {
        let mut name: String = name.chars().take(SHOWN + 1).collect();
        if name.chars().count() > SHOWN {
            name.pop();
            name.push('…');
        }
        refused.push(UnexpectedName {
            name,
            page_of: page_of.to_owned(),
            why: why.to_owned(),
        });
    }
}
