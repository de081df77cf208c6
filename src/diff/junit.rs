//! What `diff` says, as JUnit XML: a test for each number that is tested.

use super::document::{Compared, Diff, NotMeasured, PassedOver, Word};
use super::quantity::shown_value;
use super::table::{headline, not_judged, word};
use crate::component::Component;

/// The document. A regression fails its test if it is confirmed, and with `fail_on_suspected` at first sight; a
/// run that could not be judged has a test that is skipped, and so have a number that was not measured, and the verdict if
/// there is none.
pub fn junit(diff: &Diff, fail_on_suspected: bool) -> String {
    let tested: Vec<_> = diff
        .numbers
        .iter()
        .filter(|number| number.verdict.is_some())
        .collect();
    let fails = |number: &Compared| number.is_failure(fail_on_suspected);
    let failures = tested.iter().filter(|number| fails(number)).count();
    let skips = skips(diff, tested.is_empty());
    let skipped = skips.len();
    let cases: String = tested
        .iter()
        .map(|number| case(number, fails(number)))
        .chain(skips)
        .collect();
    let newest = diff.new.last();
    let (run, at) = newest.map_or(("", String::new()), |run| {
        (&*run.run_id, run.start.strftime("%FT%T").to_string())
    });
    let counts = format!(
        "tests=\"{}\" failures=\"{failures}\" errors=\"0\" skipped=\"{skipped}\" time=\"0\"",
        tested.len() + skipped
    );
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite \
        name=\"cluster-profiler-job diff {}\" {counts} timestamp=\"{at}\">\n{cases}  </testsuite>\n</testsuites>\n",
        escaped(run)
    )
}

/// The tests that are skipped: of runs that could not be judged, of numbers that were not measured, and of the verdict if there is none.
fn skips(diff: &Diff, has_none: bool) -> Vec<String> {
    let run = |run: &PassedOver| {
        let why = not_judged("the run", run);
        skip("cluster-profiler-job", &run.run_id, &why)
    };
    let not_measured = |number: &NotMeasured| {
        let class = number.component.map_or("VMIs", Component::name);
        let why = format!("not measured in {}", diff.where_missing());
        skip(class, number.name, &why)
    };
    let not_measured = diff.not_measured.iter().map(not_measured);
    let verdict = has_none.then(|| skip("cluster-profiler-job", "verdict", &headline(diff)));
    let runs = diff.not_judged.iter().map(run);
    runs.chain(not_measured).chain(verdict).collect()
}

fn skip(class: &str, name: &str, why: &str) -> String {
    format!(
        "    <testcase classname=\"{class}\" name=\"{}\" time=\"0\">\n      \
        <skipped>{}</skipped>\n    </testcase>\n",
        escaped(name),
        escaped(why)
    )
}

fn case(number: &Compared, fails: bool) -> String {
    let component = number
        .component
        .map_or("VMIs", |component| component.name());
    let [low, high] = number.interval.unwrap_or([f64::NAN; 2]);
    let said = format!(
        "{}: {:.2} times {} ({:.2} to {:.2}), of {} runs",
        word(number),
        number.ratio,
        shown_value(number.name, number.earlier),
        low,
        high,
        number.runs
    );
    let said = escaped(&said);
    let inside = if fails {
        format!(
            "<failure type=\"{}\" message=\"{said}\"/>",
            Word::Regression.name()
        )
    } else {
        format!("<system-out>{said}</system-out>")
    };
    format!(
        "    <testcase classname=\"{component}\" name=\"{}\" time=\"0\">\n      {inside}\n    </testcase>\n",
        number.name
    )
}

/// A text for XML, without the characters that XML has none for.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => escaped.push('?'),
            c if c.is_control() => escaped.push('?'),
            c => escaped.push(c),
        }
    }
    escaped
}
