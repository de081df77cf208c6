//! A flame graph that needs no script, and is read where the page's style is forbidden, too.

use maud::{Markup, html};

use super::frames::{Frame, Frames};
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

/// A flame graph, for those who cannot run the page's script.
pub(super) fn flame(frames: &Frames<'_>, unit: Unit, label: &str) -> Markup {
    let whole = frames.whole();
    let placed = place(frames);
    let rows = placed.iter().map(|of| of.frame.depth + 1).max();
    let height = rows.unwrap_or_default() * ROW;
    html! {
        svg.flame width="100%" height=(height) role="img" aria-label=(label) {
            @for of in placed.iter().filter(|of| of.frame.width > 0) { (box_of(frames, of, whole, unit)) }
        }
    }
}

fn place<'a>(frames: &'a Frames<'_>) -> Vec<Placed<'a>> {
    // Where the next frame of each depth begins.
    let mut next = vec![0_i64];
    let mut placed = Vec::with_capacity(frames.all.len());
    for frame in &frames.all {
        let depth = frame.depth as usize;
        let begin = next.get(depth).copied().unwrap_or_default();
        next.truncate(depth);
        next.push(begin.saturating_add(frame.width));
        next.push(begin);
        placed.push(Placed { frame, begin });
    }
    placed
}

fn box_of(frames: &Frames<'_>, of: &Placed<'_>, whole: i64, unit: Unit) -> Markup {
    let frame = of.frame;
    let name = shown(&frames.name(frame));
    let origin = origin(frames, frame);
    let part = |value: i64| format!("{:.2}%", 100.0 * value as f64 / whole as f64);
    let is_named = frame.width as f64 >= whole as f64 * NAMED;
    html! {
        svg x=[(of.begin > 0).then(|| part(of.begin))] y=(frame.depth * ROW) width=(part(frame.width)) height=(ROW - 1) {
            title { (name) ": " (unit.show(frame.cumulative)) ", " (units::percent(frame.cumulative as f64, whole as f64)) }
            rect.(format!("o{}", origin.digit())) fill=(origin.colour()) width="100%" height="100%" {}
            @if is_named { text x="4" y="13" { (short(&name)) } }
        }
    }
}

/// Whose code a frame is.
pub(super) fn origin(frames: &Frames<'_>, frame: &Frame) -> Origin {
    if frame.is_function() {
        Origin::of(&frames.name(frame))
    } else {
        Origin::Folded
    }
}

/// What the colours mean.
pub(super) fn legend() -> Markup {
    html! {
        ul.legend aria-label="Colours" {
            @for origin in Origin::ALL {
                li { svg width="14" height="14" aria-hidden="true" { rect.(format!("o{}", origin.digit())) fill=(origin.colour()) width="14" height="14" {} } " " (origin.label()) }
            }
        }
    }
}
