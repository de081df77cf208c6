//! Drawings of one number in several runs, and what a verdict looks like in them and beside its words.

use maud::{Markup, html};

use crate::diff::{Compared, Word, shown_value};
use crate::verdict::Rules;

/// The size of a drawing.
const WIDTH: f64 = 180.0;
const HEIGHT: f64 = 30.0;

/// What is left free at each side.
const MARGIN: f64 = 6.0;

/// The least share of the largest value that the height of a line of runs stands for.
const LEAST_SPAN: f64 = 0.02;

/// The least and the most that an axis of ratios has to either side of 1.
const NARROWEST: f64 = 1.2;
const WIDEST: f64 = 4.0;

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

/// An axis of ratios, by their logarithms, the same for all numbers of a table.
pub(super) struct Axis {
    /// The largest ratio on it; the smallest is its inverse.
    largest: f64,
}

impl Axis {
    /// The axis on which these numbers' intervals find room, as far as that is of use.
    pub(super) fn of(numbers: &[&Compared]) -> Self {
        let ends = numbers.iter().flat_map(|number| {
            let [low, high] = number.interval.unwrap_or([number.ratio; 2]);
            [low, high, number.ratio]
        });
        let farthest = ends.map(|ratio| ratio.ln().abs()).fold(0.0, f64::max);
        Self {
            largest: farthest.exp().clamp(NARROWEST, WIDEST),
        }
    }

    /// Its ends.
    pub(super) fn shown(&self) -> String {
        format!("×{:.2} to ×{:.2}", 1.0 / self.largest, self.largest)
    }

    /// Where a ratio is; what is beyond an end stands there.
    fn x(&self, ratio: f64) -> f64 {
        let part = (ratio.ln() / self.largest.ln()).clamp(-1.0, 1.0);
        MARGIN + (WIDTH - 2.0 * MARGIN) * (1.0 + part) / 2.0
    }

    fn has(&self, ratio: f64) -> bool {
        ratio.ln().abs() <= self.largest.ln() * 1.000_001
    }
}

fn at(place: f64) -> String {
    format!("{place:.1}")
}

fn view() -> String {
    format!("0 0 {WIDTH} {HEIGHT}")
}

/// The class and the shape of what stands for the new run.
fn marker(number: &Compared, x: f64, y: f64) -> Markup {
    let triangle = |tip: f64| {
        format!(
            "{:.1},{:.1} {:.1},{:.1} {:.1},{:.1}",
            x - 5.0,
            y - tip,
            x + 5.0,
            y - tip,
            x,
            y + tip
        )
    };
    let sign = Sign::of(number.verdict);
    html! {
        @if let Some(tip) = sign.tip { polygon.(sign.class) points=(triangle(tip)) {} }
        @else { circle.(sign.class) cx=(at(x)) cy=(at(y)) r="4" {} }
    }
}

/// The ratio, and its interval, on an axis.
pub(super) fn interval(number: &Compared, axis: &Axis) -> Markup {
    let practical = 1.0 + Rules::default().practical_size;
    let (left, right) = (axis.x(1.0 / practical), axis.x(practical));
    let middle = HEIGHT / 2.0;
    let between = number
        .interval
        .map(|[low, high]| format!(", between {low:.2} and {high:.2}"));
    let said = format!(
        "ratio {:.2}{}, by {}",
        number.ratio,
        between.unwrap_or_default(),
        counted(number.runs)
    );
    html! {
        svg.ratio viewBox=(view()) width=(WIDTH) height=(HEIGHT) role="img" aria-label=(said) {
            title { (said) }
            rect.band x=(at(left)) width=(at(right - left)) y="0" height=(HEIGHT) fill="#ddd" {}
            line.axis x1=(at(axis.x(1.0))) x2=(at(axis.x(1.0))) y1="0" y2=(HEIGHT) stroke="currentColor" {}
            @if let Some([low, high]) = number.interval {
                line.reach x1=(at(axis.x(low))) x2=(at(axis.x(high))) y1=(at(middle)) y2=(at(middle)) stroke="currentColor" {}
                @for end in [low, high] {
                    // An end that is not on the axis has no stop.
                    @if axis.has(end) {
                        line.reach x1=(at(axis.x(end))) x2=(at(axis.x(end))) y1=(at(middle - 5.0)) y2=(at(middle + 5.0)) stroke="currentColor" {}
                    }
                }
            }
            (marker(number, axis.x(number.ratio), middle))
        }
    }
}

/// The interval in words.
pub(super) fn interval_text(number: &Compared) -> String {
    match number.interval {
        Some([low, high]) => format!("×{low:.2} to ×{high:.2}"),
        None => "no interval".to_owned(),
    }
}

/// So many runs before.
fn counted(runs: usize) -> String {
    let s = if runs == 1 { "" } else { "s" };
    format!("{runs} run{s} before")
}

/// The values of the runs before, the oldest first, and that of this one, with the band in which a run without any change
/// would lie.
pub(super) fn runs_before(number: &Compared) -> Markup {
    let band = number.interval.map(|[_, high]| {
        let reach = high / number.ratio;
        [number.earlier / reach, number.earlier * reach]
    });
    let values = || number.before.iter().copied().chain([number.new]);
    let all = || values().chain(band.into_iter().flatten());
    let (least, most) = (
        all().fold(f64::INFINITY, f64::min),
        all().fold(0.0, f64::max),
    );
    // What differs by less than that is a level line, and no slope.
    let span = (most - least).max(LEAST_SPAN * most).max(f64::MIN_POSITIVE);
    let middle = f64::midpoint(least, most);
    let y = |value: f64| HEIGHT / 2.0 - (HEIGHT - 2.0 * MARGIN) * (value - middle) / span;
    let step = (WIDTH - 2.0 * MARGIN) / number.before.len().max(1) as f64;
    let x = |run: usize| MARGIN + step * run as f64;
    let line: Vec<_> = values()
        .enumerate()
        .map(|(run, value)| format!("{:.1},{:.1}", x(run), y(value)))
        .collect();
    let show = |value: f64| shown_value(number.name, value);
    let before = number.before.len();
    let mut said = counted(before);
    if number.runs < before {
        said += &format!(", of which {} count", number.runs);
    }
    said += &format!(
        ", median {}, this one {}",
        show(number.earlier),
        show(number.new)
    );
    if let Some([low, high]) = band {
        said += &format!(
            "; without a change between {} and {}",
            show(low),
            show(high)
        );
    }
    html! {
        svg.nights viewBox=(view()) width=(WIDTH) height=(HEIGHT) role="img" aria-label=(said) {
            title { (said) }
            @if let Some([low, high]) = band {
                rect.band x="0" width=(WIDTH) y=(at(y(high))) height=(at(y(low) - y(high))) fill="#ddd" {}
            }
            polyline points=(line.join(" ")) fill="none" stroke="currentColor" {}
            (marker(number, x(before), y(number.new)))
        }
    }
}
