//! Files by what they import.

use std::collections::{BTreeMap, BTreeSet};

use super::imports;
use super::source::Tree;

/// Every file with those that it imports.
pub(super) type Graph = BTreeMap<String, BTreeSet<String>>;

/// The imports of a tree.
pub(super) fn graph(tree: &Tree) -> Graph {
    let names = tree.keys();
    names
        .map(|name| (name.clone(), imports::files(tree, name)))
        .collect()
}

/// Files that import a folder which they are in, and circles.
pub(super) fn faults(tree: &Tree) -> Vec<String> {
    let mut graph = graph(tree);
    let mut faults = Vec::new();
    for (name, files) in &mut graph {
        files.retain(|file| {
            let above = is_above(file, name);
            if above {
                faults.push(format!("{name} imports {file}, which it is a part of"));
            }
            !above
        });
    }
    faults.extend(circle(&graph).map(|circle| format!("a circle: {}", circle.join(" -> "))));
    faults
}

/// Whether a file is that of a folder which another is in; a root is that of all.
fn is_above(file: &str, name: &str) -> bool {
    let inside = name.strip_prefix(file);
    inside.is_some_and(|rest| rest.starts_with('/')) || ["lib", "main"].contains(&file)
}

/// A way through the imports that ends where it begins.
fn circle(graph: &Graph) -> Option<Vec<&str>> {
    let (mut way, mut done) = (Vec::new(), BTreeSet::new());
    let mut names = graph.keys();
    names.find_map(|name| circle_from(graph, name, &mut way, &mut done))
}

fn circle_from<'a>(
    graph: &'a Graph,
    name: &'a str,
    way: &mut Vec<&'a str>,
    done: &mut BTreeSet<&'a str>,
) -> Option<Vec<&'a str>> {
    if let Some(begin) = way.iter().position(|file| *file == name) {
        return Some([&way[begin..], &[name]].concat());
    }
    if !done.insert(name) {
        return None;
    }
    way.push(name);
    let mut files = graph.get(name).into_iter().flatten();
    let found = files.find_map(|file| circle_from(graph, file, way, done));
    way.pop();
    found
}

/// The longest chain of imports, of a graph without circles.
pub(super) fn longest_chain(graph: &Graph) -> Vec<&str> {
    let mut known = BTreeMap::new();
    for name in graph.keys() {
        chain_from(graph, name, &mut known);
    }
    let chains = known.into_values();
    chains.max_by_key(Vec::len).unwrap_or_default()
}

fn chain_from<'a>(
    graph: &'a Graph,
    name: &'a str,
    known: &mut BTreeMap<&'a str, Vec<&'a str>>,
) -> Vec<&'a str> {
    if let Some(chain) = known.get(name) {
        return chain.clone();
    }
    // Should there be a circle, it is not followed; another rule tells of it.
    known.insert(name, vec![name]);
    let files = graph.get(name).into_iter().flatten();
    let below = files.map(|file| chain_from(graph, file, known));
    let longest = below.max_by_key(Vec::len).unwrap_or_default();
    let chain = [vec![name], longest].concat();
    known.insert(name, chain.clone());
    chain
}

#[test]
fn a_circle_is_seen() {
    let tree = super::source::tree([
        ("a", "use crate::b::inner::B;"),
        ("b", "mod inner; use crate::c::C;"),
        ("b/inner", "use super::other::D;"),
        ("b/other", "use crate::a::A;"),
        ("c", ""),
    ]);
    assert_eq!(faults(&tree), ["a circle: a -> b/inner -> b/other -> a"]);
}

#[test]
fn an_import_of_the_own_folder_or_root_is_seen() {
    let tree = super::source::tree([
        ("lib", "mod a;"),
        ("a", "mod b;"),
        ("a/b", "use super::Thing; use crate::BUCKET;"),
    ]);
    assert_eq!(
        faults(&tree),
        [
            "a/b imports a, which it is a part of",
            "a/b imports lib, which it is a part of"
        ]
    );
}

#[test]
fn the_longest_chain_is_found() {
    let tree = super::source::tree([
        ("a", "use crate::{b::B, c::C};"),
        ("b", "use crate::c::C;"),
        ("c", "use crate::d::D;"),
        ("d", ""),
    ]);
    assert_eq!(longest_chain(&graph(&tree)), ["a", "b", "c", "d"]);
}
