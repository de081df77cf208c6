//! What `diff --functions` says, for a terminal.

use std::fmt::Write;

use super::functions::{ChangedFunction, FunctionShare, NumberFunctions, ScatterWord};
use super::quantity::shown_name;
use crate::table::aligned;

/// The functions of a number: what they are of, and each that changed.
pub(super) fn functions_table(of: &NumberFunctions) -> String {
    let mut text = format!(
        "functions of {} {}: {}",
        of.component,
        shown_name(of.name),
        of.changed
    );
    let _ = writeln!(
        text,
        " of {} changed, in {} new against {} earlier; {}",
        of.tested,
        runs(of.new_runs),
        runs(of.earlier_runs),
        match of.scatter {
            ScatterWord::Runs => "judged by the scatter of the earlier runs",
            ScatterWord::Pods => "judged by the scatter of pods, for there are few earlier runs",
            ScatterWord::Samples =>
                "judged by the number of samples alone: what differs between runs is not known",
        }
    );
    if of.too_few_samples > 0 {
        let _ = writeln!(
            text,
            "too few samples: {} functions, which have {} of it",
            of.too_few_samples,
            share(of.too_few_samples_share)
        );
    }
    if of.functions.is_empty() {
        return text;
    }
    let header = [
        "SELF",
        "RATIO",
        "95 %",
        "CUMULATIVE",
        "RATIO",
        "95 %",
        "FUNCTION",
    ];
    let mut rows = vec![header.map(str::to_owned)];
    rows.extend(of.functions.iter().map(row));
    text += &aligned(&rows);
    let more = of.changed - of.functions.len();
    if more > 0 {
        let _ = writeln!(text, "and {more} more");
    }
    text
}

fn runs(count: usize) -> String {
    format!("{count} {}", if count == 1 { "run" } else { "runs" })
}

fn row(function: &ChangedFunction) -> [String; 7] {
    let [own, own_ratio, own_interval] = cells(&function.own);
    let [cumulative, ratio, interval] = cells(&function.cumulative);
    let name = match &function.moved {
        None => function.name.clone(),
        Some(moved) => {
            let way = if function.own.new > function.own.earlier {
                "from"
            } else {
                "to"
            };
            format!("{} (moved {way} {})", function.name, moved.other.join(", "))
        }
    };
    [
        own,
        own_ratio,
        own_interval,
        cumulative,
        ratio,
        interval,
        name,
    ]
}

/// A share, and by how much it changed, if it did.
fn cells(of: &FunctionShare) -> [String; 3] {
    let shares = format!("{} -> {}", share(of.earlier), share(of.new));
    let Some((ratio, [low, high])) = of.ratio.zip(of.interval).filter(|_| of.changed) else {
        return [shares, String::new(), String::new()];
    };
    [
        shares,
        format!("{ratio:.2}"),
        format!("{low:.2} to {high:.2}"),
    ]
}

fn share(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}
