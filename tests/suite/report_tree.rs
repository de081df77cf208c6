//! What a report adds up by function is what `go tool pprof` says of the same profiles.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;

use cluster_profiler_job::pprof::ProfileReader;
use cluster_profiler_job::report::{Tree, tree};
use standin::KINDS;

use crate::goldens::packed;
use crate::google_pprof::{Said, raw};

/// The functions of a stack from the outermost.
type Stack = Vec<String>;

fn read(name: &str) -> Tree {
    let mut profile = ProfileReader::open(Cursor::new(packed(name))).expect("a profile");
    tree(&mut profile).expect("samples")
}

/// What pprof says, by function.
fn by_function(said: &Said) -> BTreeMap<Stack, Vec<i64>> {
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

/// A function's own and cumulative value, as `-top` has them: a stack in which it recurs counts once.
fn top(stacks: &BTreeMap<Stack, Vec<i64>>, value: usize) -> BTreeMap<&str, (i64, i64)> {
    let mut top = BTreeMap::<_, (i64, i64)>::new();
    for (stack, values) in stacks {
        for function in stack.iter().collect::<BTreeSet<_>>() {
            top.entry(function.as_str()).or_default().1 += values[value];
        }
        if let Some(innermost) = stack.last() {
            top.entry(innermost).or_default().0 += values[value];
        }
    }
    top
}

#[test]
fn trees_and_tables_are_those_of_pprof() {
    for kind in KINDS {
        let one = |set: &str| read(&format!("{set}/{kind}.pb"));
        let mut merged = one("small");
        merged.absorb(&one("large"));
        for (name, tree) in [
            ("small", one("small")),
            ("large", one("large")),
            ("merged", merged),
        ] {
            let said = raw(&format!("{name}/{kind}"));
            let what = format!("{name}/{kind}");
            let expected = by_function(&said);
            assert_eq!(tree.cut(), 0, "{what}");
            assert_eq!(tree.totals(), said.totals(), "{what}");
            assert!(stacks(&tree) == expected, "{what}: the stacks differ");
            for value in 0..tree.types().len() {
                let rows = tree.top(value, usize::MAX);
                let rows = rows
                    .iter()
                    .map(|row| (row.name.as_str(), (row.own, row.cumulative)));
                assert!(
                    rows.collect::<BTreeMap<_, _>>() == top(&expected, value),
                    "{what}"
                );
                let fifty = tree.top(value, 50);
                let most = top(&expected, value)
                    .into_values()
                    .map(|(own, _)| own)
                    .max();
                assert_eq!(fifty.first().map(|row| row.own), most, "{what}");
            }
        }
    }
}

#[test]
fn folding_keeps_every_total() {
    for kind in KINDS {
        let whole = read(&format!("large/{kind}.pb"));
        let folded = whole.folded(20);
        assert_eq!(folded.totals(), whole.totals(), "{kind}");
        assert!(folded.nodes().len() <= whole.nodes().len(), "{kind}");
        let small: u32 = (0..folded.nodes().len())
            .map(|node| folded.small_frames(node as u32))
            .sum();
        let kept = folded.nodes().len() - 1;
        let stand_for_small =
            (0..folded.nodes().len()).filter(|node| folded.small_frames(*node as u32) > 0);
        assert_eq!(
            kept - stand_for_small.count() + small as usize,
            whole.nodes().len() - 1,
            "{kind}"
        );
    }
}
