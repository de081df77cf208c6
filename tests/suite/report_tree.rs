//! What a report adds up by function is what `go tool pprof` says of the same profiles.

use std::io::Cursor;

use cluster_profiler_job::pprof::ProfileReader;
use cluster_profiler_job::report::{MergedTree, Tree, tree};
use standin::KINDS;

use crate::by_function::assert_is;
use crate::goldens::packed;
use crate::google_pprof::raw;
use crate::made_runs::profile;

fn open(name: &str) -> ProfileReader<Cursor<Vec<u8>>> {
    ProfileReader::open(Cursor::new(packed(name))).expect("a profile")
}

fn read(name: &str) -> Tree {
    tree(&mut open(name)).expect("samples")
}

#[test]
fn trees_and_tables_are_those_of_pprof() {
    for kind in KINDS {
        let one = |set: &str| read(&format!("{set}/{kind}.pb"));
        let mut merged = MergedTree::new(one("small").types().to_vec());
        for set in ["small", "large"] {
            let mut profile = open(&format!("{set}/{kind}.pb"));
            merged.add(&mut profile).expect("samples");
            let alone = one(set);
            assert_eq!(merged.totals_of_last(), alone.totals(), "{set}/{kind}");
            for value in 0..alone.types().len() {
                let of_last = merged.top_of_last(value, 10);
                assert_eq!(of_last, Some(alone.top(value, 10)), "{set}/{kind}");
            }
        }
        for (name, tree) in [
            ("small", &one("small")),
            ("large", &one("large")),
            ("merged", merged.tree()),
        ] {
            let what = format!("{name}/{kind}");
            assert_is(tree, &raw(&what), &what);
        }
    }
}

#[test]
fn a_profile_that_cannot_be_read_leaves_nothing_in_the_sums() {
    let functions: Vec<_> = (0..9).map(|at| format!("example.com/x.f{at}")).collect();
    let open = |stacks: &[[u64; 2]]| {
        let stacks = stacks.iter().map(|stack| stack.iter().copied());
        let profile = profile(&functions, stacks);
        ProfileReader::open(Cursor::new(profile)).expect("tables")
    };
    let count = |merged: &MergedTree| (merged.tree().nodes().len(), merged.tree().top(0, 50));
    let mut first = open(&[[2, 1], [3, 1]]);
    let mut merged = MergedTree::new(first.header().sample_types.clone());
    merged.add(&mut first).expect("samples");
    let before = count(&merged);
    // Its last sample has a location that is not there.
    let damaged = merged.add(&mut open(&[[3, 1], [4, 1], [10, 1]]));
    assert!(
        damaged
            .expect_err("it is damaged")
            .to_string()
            .contains("location 10")
    );
    assert_eq!(count(&merged), before);
    assert_eq!(merged.totals_of_last(), [0]);
    merged.add(&mut open(&[[5, 1], [3, 1]])).expect("samples");
    let mut both = first;
    let mut expected = MergedTree::new(both.header().sample_types.clone());
    expected.add(&mut both).expect("samples");
    expected.add(&mut open(&[[5, 1], [3, 1]])).expect("samples");
    assert_eq!(count(&merged), count(&expected));
    assert_eq!(merged.totals_of_last(), [2]);
}

#[test]
fn a_function_that_calls_itself_counts_once() {
    let functions = ["a", "b"].map(str::to_owned);
    let stacks = [vec![1, 2, 1, 1], vec![1, 1], vec![2, 1, 2]];
    let stacks = stacks.iter().map(|stack| stack.iter().copied());
    let mut profile = ProfileReader::open(Cursor::new(profile(&functions, stacks))).expect("it");
    let rows = tree(&mut profile).expect("samples").top(0, 2);
    let rows = rows.iter().map(|row| (&*row.name, row.own, row.cumulative));
    assert_eq!(rows.collect::<Vec<_>>(), [("a", 2, 3), ("b", 1, 2)]);
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
