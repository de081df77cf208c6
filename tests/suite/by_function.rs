//! What `go tool pprof` says of samples, by function, and what a report's tree says of the same.

use std::collections::{BTreeMap, BTreeSet};

use cluster_profiler_job::report::Tree;

use crate::google_pprof::Said;

/// The functions of a stack from the outermost.
pub(crate) type Stack = Vec<String>;

/// Asserts that a tree, and the tables that are made of it, say what pprof does.
pub(crate) fn assert_is(tree: &Tree, said: &Said, what: &str) {
    let expected = by_function(said);
    assert_eq!(tree.cut(), 0, "{what}");
    assert_eq!(tree.totals(), said.totals(), "{what}");
    assert!(stacks(tree) == expected, "{what}: the stacks differ");
    for value in 0..tree.types().len() {
        let rows = tree.top(value, usize::MAX);
        let rows = rows
            .iter()
            .map(|row| (row.name.as_str(), (row.own, row.cumulative)));
        let expected = top(&expected, value);
        assert!(rows.collect::<BTreeMap<_, _>>() == expected, "{what}");
        let fifty = tree.top(value, 50);
        let size = |own: &i64| own.unsigned_abs();
        let most = expected.into_values().map(|(own, _)| own).max_by_key(size);
        let first = fifty.first().map(|row| row.own);
        let [first, most] = [first, most].map(|own| own.as_ref().map_or(0, size));
        assert_eq!(first, most, "{what}");
    }
}

/// What pprof says, by function.
pub(crate) fn by_function(said: &Said) -> BTreeMap<Stack, Vec<i64>> {
    let mut stacks = BTreeMap::<Stack, Vec<i64>>::new();
    for ((frames, _), values) in &said.samples {
        let function = |frame: &String| {
            let (address, rest) = frame.split_once(' ').expect("an address");
            let (function, _) = rest.rsplit_once(' ').expect("a place");
            if function.is_empty() {
                let address = u64::from_str_radix(&address[2..], 16).expect("a number");
                return format!("{address:016x}");
            }
            function.to_owned()
        };
        let sums = stacks.entry(frames.iter().rev().map(function).collect());
        let sums = sums.or_insert_with(|| vec![0; values.len()]);
        sums.iter_mut()
            .zip(values)
            .for_each(|(sum, value)| *sum += value);
    }
    stacks.retain(|_, values| values.iter().any(|value| *value != 0));
    stacks
}

/// What a tree says of the same.
fn stacks(tree: &Tree) -> BTreeMap<Stack, Vec<i64>> {
    let own: Vec<_> = (0..tree.types().len())
        .map(|value| tree.own(value))
        .collect();
    let mut paths: Vec<Stack> = Vec::new();
    let mut stacks = BTreeMap::new();
    for (index, node) in tree.nodes().iter().enumerate() {
        let mut path = Vec::new();
        if index > 0 {
            path.clone_from(&paths[node.caller as usize]);
            path.push(tree.name(node.name).to_owned());
        }
        let values: Vec<_> = own.iter().map(|own| own[index]).collect();
        if values.iter().any(|value| *value != 0) {
            stacks.insert(path.clone(), values);
        }
        paths.push(path);
    }
    stacks
}

/// A function's own and cumulative value, as `-top` has them: a stack in which it recurs counts once, and a function
/// without either is none.
pub(crate) fn top(stacks: &BTreeMap<Stack, Vec<i64>>, value: usize) -> BTreeMap<&str, (i64, i64)> {
    let mut top = BTreeMap::<_, (i64, i64)>::new();
    for (stack, values) in stacks {
        for function in stack.iter().collect::<BTreeSet<_>>() {
            top.entry(function.as_str()).or_default().1 += values[value];
        }
        if let Some(innermost) = stack.last() {
            top.entry(innermost).or_default().0 += values[value];
        }
    }
    top.retain(|_, values| *values != (0, 0));
    top
}
