//! What `diff` says, as JUnit XML: a test for each number that is tested.

use std::fmt::Write;

use super::document::{Compared, Diff, Word};
use super::quantity::shown_value;
use super::table::{headline, word};

/// The document. A regression fails its test if it is confirmed, and with `fail_on_suspected` at first sight; without a
/// verdict there is one test, which is skipped.
pub fn junit(diff: &Diff, fail_on_suspected: bool) -> String {
    let tested: Vec<_> = diff
        .numbers
        .iter()
        .filter(|number| number.verdict.is_some())
        .collect();
    let fails = |number: &Compared| number.is_failure(fail_on_suspected);
    let failures = tested.iter().filter(|number| fails(number)).count();
    let skipped = usize::from(tested.is_empty());
    let mut cases: String = tested
        .iter()
        .map(|number| case(number, fails(number)))
        .collect();
    if tested.is_empty() {
        let _ = writeln!(
            cases,
            "    <testcase classname=\"cluster-profiler-job\" name=\"verdict\" time=\"0\">\n      \
            <skipped>{}</skipped>\n    </testcase>",
            escaped(&headline(diff))
        );
    }
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
