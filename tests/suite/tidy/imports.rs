//! What a file imports.

use std::collections::BTreeSet;

use super::source::{File, Tree};

/// The paths that a file names in its own crate, such as `config/run_id/RunId`, and whatever it names
/// of its own modules.
pub(super) fn paths(name: &str, file: &File) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let children = children(&file.code);
    for (at, word) in words(&file.code) {
        let before = file.code[..at].trim_end();
        let after = &file.code[at + word.len()..];
        // `pub(in crate::run)` imports nothing.
        let is_inner = before.ends_with("::") || before.ends_with("(in");
        if is_inner || !after.starts_with("::") {
            continue;
        }
        let base = match word {
            "crate" => String::new(),
            // As the binary names the library that stands beside it.
            "cluster_profiler_job" if parent(name).is_empty() => String::new(),
            "super" => parent(name).to_owned(),
            "self" => own(name).to_owned(),
            child if children.contains(child) => join(own(name), child),
            _ => continue,
        };
        expand(&base, &after["::".len()..], &mut found);
    }
    found
}

/// The files that a file imports: the longest beginning of each path that is a file. A path that is
/// none is its crate's root.
pub(super) fn files(tree: &Tree, name: &str) -> BTreeSet<String> {
    let paths = paths(name, &tree[name]);
    let files = paths.iter().map(|path| resolve(tree, path));
    files.filter(|file| file != name).collect()
}

fn resolve(tree: &Tree, path: &str) -> String {
    let mut file = path;
    while !tree.contains_key(file) {
        match file.rsplit_once('/') {
            Some((shorter, _)) => file = shorter,
            None if tree.contains_key("lib") => return "lib".to_owned(),
            None => return "main".to_owned(),
        }
    }
    file.to_owned()
}

/// The folder that a file is in, as its `super` means it.
pub(super) fn parent(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// The folder of a file's own modules.
fn own(name: &str) -> &str {
    match name {
        "lib" | "main" => "",
        name => name,
    }
}

fn join(folder: &str, name: &str) -> String {
    format!("{folder}/{name}").trim_matches('/').to_owned()
}

/// The modules that a file declares.
fn children(code: &str) -> BTreeSet<&str> {
    code.lines()
        .filter_map(|line| line.split_once("mod ")?.1.strip_suffix(';'))
        .collect()
}

/// The words of a code, and where they are.
fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let pieces = code.split(move |c| !is_word(c));
    pieces
        .filter(|word| !word.is_empty())
        .map(|word| (word.as_ptr() as usize - code.as_ptr() as usize, word))
}

/// The paths of `a::{b, c::D}` or `a::B`, below a folder.
fn expand(base: &str, text: &str, found: &mut BTreeSet<String>) {
    let text = text.trim();
    if let Some(inside) = text.strip_prefix('{') {
        for item in items(inside) {
            expand(base, item, found);
        }
        return;
    }
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_'));
    let (word, rest) = text.split_at(end.unwrap_or(text.len()));
    let path = match word {
        "" | "self" => base.to_owned(),
        "super" => parent(base).to_owned(),
        word => join(base, word),
    };
    match rest.strip_prefix("::") {
        Some(rest) => expand(&path, rest, found),
        None => {
            found.insert(path);
        }
    }
}

/// What stands between the commas, up to the brace that closes.
fn items(text: &str) -> Vec<&str> {
    let (mut depth, mut begin, mut found) = (0, 0, Vec::new());
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            '}' => {
                found.push(&text[begin..at]);
                break;
            }
            ',' if depth == 0 => {
                found.push(&text[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    found.retain(|item| !item.trim().is_empty());
    found
}

#[test]
fn every_way_to_import_is_seen() {
    let text = "mod e;
        pub(super) use super::{a, b::{C, D as _}};
        use crate::{f::{self, G}, h};
        use e::E;
        pub(in crate::x) fn i(j: &crate::k::L) { super::super::m(); e::e(); other::super_::n() }";
    let tree = super::source::tree([
        ("x/y", text),
        ("x/y/e", ""),
        ("x/a", ""),
        ("x/b", ""),
        ("f", ""),
        ("h", ""),
        ("k", ""),
        ("x", ""),
        ("lib", ""),
    ]);
    let files = files(&tree, "x/y");
    let files: Vec<_> = files.iter().map(String::as_str).collect();
    assert_eq!(files, ["f", "h", "k", "lib", "x/a", "x/b", "x/y/e"]);
}
