//! The layers between top-level modules.

use std::collections::BTreeMap;

use super::source::Tree;
use super::{documents, imports};

/// Every top-level module with its layer.
pub(super) fn table(document: &str) -> BTreeMap<String, usize> {
    let rows = documents::rows(document, "| layer | module | what it is |");
    let rows = rows.iter().map(|cells| {
        let layer = cells[0].parse().expect("a layer's number");
        (cells[1].trim_matches('`').to_owned(), layer)
    });
    rows.collect()
}

/// Modules that the table does not have, rows without a file, imports that point up or sideways.
pub(super) fn faults(layers: &BTreeMap<String, usize>, tree: &Tree) -> Vec<String> {
    let rows = layers.keys().filter(|module| !tree.contains_key(*module));
    let mut faults: Vec<_> = rows
        .map(|module| format!("{module} is in the table and no file"))
        .collect();
    for name in tree.keys() {
        let module = top(name);
        let Some(layer) = layers.get(module) else {
            faults.push(format!("{name} is of no module in the table"));
            continue;
        };
        for file in imports::files(tree, name) {
            let other = top(&file);
            if other != module && layers.get(other).is_some_and(|other| other >= layer) {
                faults.push(format!("{name} imports {file}, which is not below it"));
            }
        }
    }
    faults
}

fn top(name: &str) -> &str {
    name.split('/').next().unwrap_or(name)
}

#[test]
fn an_import_that_points_up_or_sideways_is_seen() {
    let layers = table(
        "| layer | module | what it is |\n|---|---|---|\n| 1 | `a` | |\n| 1 | `b` | |\n| 2 | `c` | |\n| 3 | `gone` | |\n\n| 4 | `d` | |",
    );
    let tree = super::source::tree([
        ("a", "use crate::b::B;"),
        ("a/inner", "use crate::c::C;"),
        ("b", ""),
        ("c", "use crate::{a::A, b};"),
        ("d", ""),
    ]);
    assert_eq!(
        faults(&layers, &tree),
        [
            "gone is in the table and no file",
            "a imports b, which is not below it",
            "a/inner imports c, which is not below it",
            "d is of no module in the table",
        ]
    );
}
