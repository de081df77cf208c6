//! The functions that have the most, for a terminal and for programs.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::errors::plain;
use crate::report::{Findings, Part, Profiled, Unit};

/// A table of each profile that there is.
pub(super) fn table(findings: &Findings) -> String {
    let mut text = String::new();
    for profiled in &findings.profiles {
        // A String takes every write.
        let _ = table_of(&mut text, profiled);
    }
    for unread in &findings.unread {
        let _ = writeln!(
            text,
            "not read: {}: {}",
            plain(&unread.path),
            plain(&unread.why)
        );
    }
    if findings.profiles.is_empty() {
        text += "no such profile is in the archive\n";
    }
    text
}

fn table_of(text: &mut String, profiled: &Profiled) -> std::fmt::Result {
    let value = profiled.shown;
    let shown = profiled.merged.types().get(value);
    let (name, unit) = shown.map_or(("", ""), |shown| (&*shown.name, &*shown.unit));
    let total = total(profiled);
    let unit = Unit::of(unit);
    writeln!(
        text,
        "{} {}{}: {} {}, of {} of {} pods",
        profiled.component.name(),
        match profiled.part {
            Part::Whole => String::new(),
            Part::Delta | Part::Growth => format!("{}/", profiled.part.name()),
        },
        profiled.kind.name(),
        plain(name),
        unit.show(total),
        profiled.pods.len(),
        profiled.expected,
    )?;
    let cut = profiled.merged.cut();
    if cut > 0 {
        writeln!(
            text,
            "of {cut} stacks the innermost functions are left out, for there were too many"
        )?;
    }
    writeln!(
        text,
        "{:>12} {:>6} {:>12} {:>6}  FUNCTION",
        "SELF", "%", "CUMULATIVE", "%"
    )?;
    let share = |part: i64| match total {
        0 => 0.0,
        total => part as f64 * 100.0 / total as f64,
    };
    for row in profiled.top.get(value).into_iter().flatten() {
        writeln!(
            text,
            "{:>12} {:>6.1} {:>12} {:>6.1}  {}",
            unit.show(row.own),
            share(row.own),
            unit.show(row.cumulative),
            share(row.cumulative),
            plain(&row.name),
        )?;
    }
    writeln!(text)
}

fn total(profiled: &Profiled) -> i64 {
    let totals = profiled
        .totals
        .iter()
        .filter_map(|totals| totals.get(profiled.shown));
    totals.fold(0, |sum: i64, value| sum.saturating_add(*value))
}

/// The same as JSON: an object with the profiles, and what could not be read.
pub(super) fn json(findings: &Findings) -> String {
    let profiles = findings.profiles.iter().map(json_of);
    let unread = findings.unread.iter();
    let unread = unread.map(|unread| json!({ "path": unread.path, "why": unread.why }));
    let all = json!({
        "run_id": findings.manifest.run_id,
        "profiles": profiles.collect::<Vec<_>>(),
        "unread": unread.collect::<Vec<_>>(),
    });
    format!("{all:#}\n")
}

fn json_of(profiled: &Profiled) -> Value {
    let shown = profiled.merged.types().get(profiled.shown);
    let rows = profiled.top.get(profiled.shown).into_iter().flatten();
    let functions =
        rows.map(|row| json!({ "name": row.name, "self": row.own, "cumulative": row.cumulative }));
    json!({
        "component": profiled.component.name(),
        "kind": profiled.kind.name(),
        "part": profiled.part.name(),
        "pods": profiled.pods,
        "expected_pods": profiled.expected,
        "sample_type": shown.map(|shown| &shown.name),
        "unit": shown.map(|shown| &shown.unit),
        "total": total(profiled),
        "cut_stacks": profiled.merged.cut(),
        "functions": functions.collect::<Vec<_>>(),
    })
}
