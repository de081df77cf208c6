//! A flame graph that needs no script: SVG without styles of its own.

use maud::{Markup, html};

use super::fold::{Folded, Frame};
use super::text::{Origin, short, shown};
use crate::report::units::{self, Unit};

/// The height of a row of frames.
const ROW: u32 = 19;

/// The share of the whole from which a frame's name is written into it.
const NAMED: f64 = 0.02;

/// A frame, and where it begins, in values.
struct Placed<'a> {
    frame: &'a Frame,
    begin: i64,
}

/// The flame graph of a folded tree, for those who cannot run the page's script.
pub(super) fn flame(folded: &Folded<'_>, unit: Unit, label: &str) -> Markup {
    let whole = folded.whole();
    let placed = place(folded);
    let rows = placed.iter().map(|of| of.frame.depth + 1).max();
    let height = rows.unwrap_or_default() * ROW;
    html! {
        svg.flame width="100%" height=(height) role="img" aria-label=(label) {
            @for of in placed.iter().filter(|of| of.frame.width > 0) { (box_of(folded, of, whole, unit)) }
        }
    }
}

fn place<'a>(folded: &'a Folded<'_>) -> Vec<Placed<'a>> {
    // Where the next frame of each depth begins.
    let mut next = vec![0_i64];
    let mut placed = Vec::with_capacity(folded.frames.len());
    for frame in &folded.frames {
        let depth = frame.depth as usize;
        let begin = next.get(depth).copied().unwrap_or_default();
        next.truncate(depth);
        next.push(begin.saturating_add(frame.width));
        next.push(begin);
        placed.push(Placed { frame, begin });
    }
    placed
}

fn box_of(folded: &Folded<'_>, of: &Placed<'_>, whole: i64, unit: Unit) -> Markup {
    let frame = of.frame;
    let name = shown(&folded.name(frame));
    let part = |value: i64| format!("{:.2}%", 100.0 * value as f64 / whole as f64);
    let is_named = frame.width as f64 >= whole as f64 * NAMED;
    html! {
        svg x=(part(of.begin)) y=(frame.depth * ROW) width=(part(frame.width)) height=(ROW - 1) {
            title { (name) ": " (unit.show(frame.cumulative)) ", " (units::percent(frame.cumulative as f64, whole as f64)) }
            rect.(format!("o{}", origin(folded, frame).digit())) width="100%" height="100%" {}
            @if is_named { text x="4" y="13" { (short(&name)) } }
        }
    }
}

/// Whose code a frame is.
pub(super) fn origin(folded: &Folded<'_>, frame: &Frame) -> Origin {
    if frame.is_function() {
        Origin::of(&folded.name(frame))
    } else {
        Origin::Folded
    }
}

/// What the colours mean.
pub(super) fn legend() -> Markup {
    html! {
        ul.legend aria-label="Colours" {
            @for origin in Origin::ALL {
                li { svg width="14" height="14" aria-hidden="true" { rect.(format!("o{}", origin.digit())) width="14" height="14" {} } " " (origin.label()) }
            }
        }
    }
}
