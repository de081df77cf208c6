//! The layers of docs/architecture.md, held.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A file's height: its layer, then its place inside its folder.
type Height = (usize, usize);

/// Every module of the table with its height, by path (`config/raw`).
fn table() -> BTreeMap<String, Height> {
    let text = include_str!("../../docs/architecture.md");
    let mut heights = BTreeMap::new();
    for row in text.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let Ok(layer) = cells[1].parse::<usize>() else {
            continue;
        };
        let module = cells[2].trim_matches('`');
        let groups: Vec<_> = cells[4].split('<').collect();
        for (place, group) in groups.iter().enumerate() {
            for child in group.split_whitespace() {
                let path = format!("{module}/{}", child.trim_matches('`'));
                heights.insert(path, (layer, place));
            }
        }
        heights.insert(module.to_owned(), (layer, groups.len()));
    }
    // main's children stand beside it, not in a folder of its name.
    let cli = heights.remove("main/cli").expect("main has a child");
    heights.insert("cli".to_owned(), cli);
    heights
}

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// The paths that a file imports, absolute, as `config/run_id/RunId`.
fn imports(module: &str, text: &str) -> Vec<String> {
    let parent = module.rsplit_once('/').map_or("", |(parent, _)| parent);
    let code: Vec<_> = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect();
    let code = code.join("\n");
    let mut found = Vec::new();
    for (marker, base) in [
        ("crate::", ""),
        ("cluster_profiler_job::", ""),
        ("super::", parent),
    ] {
        for (at, _) in code.match_indices(marker) {
            let before = code[..at].chars().next_back().unwrap_or(' ');
            if before.is_alphanumeric() || before == '_' || before == ':' {
                continue;
            }
            for path in tree(&code[at + marker.len()..]) {
                assert!(
                    !path.starts_with("super"),
                    "{module}: say crate:: where super::super:: would be"
                );
                found.push(format!("{base}/{path}").trim_start_matches('/').to_owned());
            }
        }
    }
    found
}

/// The paths of `a::{b, c::D}` or `a::B`.
fn tree(text: &str) -> Vec<String> {
    let end = text
        .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'))
        .unwrap_or(text.len());
    let path = text[..end].trim_end_matches("::").replace("::", "/");
    if !text[end..].starts_with('{') {
        return vec![path];
    }
    let mut depth = 0;
    let close = text[end..].find(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        depth == 0
    });
    let inner = &text[end + 1..end + close.expect("a closing brace")];
    inner
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(|name| {
            format!("{path}/{}", name.replace("::", "/"))
                .trim_start_matches('/')
                .to_owned()
        })
        .collect()
}

/// The module that a path is in: its longest beginning that is in the table.
fn owner<'a>(heights: &'a BTreeMap<String, Height>, path: &str) -> Option<(&'a str, Height)> {
    let within = |module: &&String| {
        path.strip_prefix(module.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let module = heights
        .keys()
        .filter(within)
        .max_by_key(|module| module.len())?;
    Some((module, heights[module]))
}

#[test]
fn imports_point_down() {
    let heights = table();
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"));
    let mut files = Vec::new();
    sources(root, &mut files);
    let mut faults = Vec::new();
    let mut checked = 0;
    for file in files {
        let relative = file
            .strip_prefix(root)
            .expect("below src")
            .with_extension("");
        let module = relative.display().to_string();
        let Some(own) = heights.get(&module) else {
            faults.push(format!("{module} is not in the table"));
            continue;
        };
        let text = std::fs::read_to_string(&file).expect("a source file");
        for import in imports(&module, &text) {
            let target = owner(&heights, &import);
            checked += 1;
            match target {
                None => faults.push(format!("{module} imports {import}, which is in no module")),
                Some((target, height)) if height >= *own && target != module => {
                    faults.push(format!("{module} imports {target}, which is not below it"));
                }
                Some(_) => {}
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(checked > 50, "only {checked} imports were seen");
}

#[test]
fn every_row_of_the_table_is_a_file() {
    for module in table().keys() {
        let path = format!("{}/src/{module}.rs", env!("CARGO_MANIFEST_DIR"));
        assert!(Path::new(&path).is_file(), "{path}");
    }
}

#[test]
fn an_import_that_points_up_or_sideways_is_seen() {
    let heights = table();
    let height = |path: &str| owner(&heights, path).expect("a module").1;
    assert_eq!(
        imports("config/raw", "use super::check::check;"),
        ["config/check/check"]
    );
    assert!(height("config/check/check") > height("config/raw"));
    assert_eq!(
        imports("engine", "use crate::run::{fault::Fault, phase};"),
        ["run/fault/Fault", "run/phase"]
    );
    assert!(height("run/phase") > height("engine"));
    assert_eq!(
        height("config/raw"),
        height("config/values"),
        "neighbours are not below each other"
    );
}
