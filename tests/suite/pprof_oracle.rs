//! What we make of a profile's text says what Go's own proto of the same moment says, for every
//! kind that is served as text. helpers/goldens/README.md has where the two differ by nature.

use std::collections::BTreeMap;

use cluster_profiler_job::pprof::{Kind, Problem, convert};

use crate::goldens::golden;
use crate::proto_reader::{Decoded, Frame, converted, decode};

/// The values of all samples of each stack, in order.
type Stacks = BTreeMap<Vec<Frame>, Vec<Vec<i64>>>;

/// A name with its type arguments as Go prints them.
fn generic(name: &str) -> String {
    match (name.find('['), name.rfind(']')) {
        (Some(open), Some(close)) => format!("{}[...]{}", &name[..open], &name[close + 1..]),
        _ => name.to_owned(),
    }
}

/// Whether a traceback leaves a frame out. `showfuncinfo` in Go's runtime/traceback.go
fn hidden(name: &str) -> bool {
    let runtime = name.strip_prefix("runtime.");
    let exported = |name: &str| {
        name.trim_start_matches("(*")
            .starts_with(char::is_uppercase)
    };
    !name.contains('.') || runtime.is_some_and(|name| name != "gopanic" && !exported(name))
}

fn leading(name: &str) -> bool {
    name.starts_with("runtime.") || name.starts_with("internal/runtime/")
}

/// What text and proto of one kind have in common. `None`: the sample is left out.
fn normal(kind: &str, mut frames: Vec<Frame>) -> Option<Vec<Frame>> {
    match kind {
        "goroutine" => {
            // The goroutine that dumps stands at another line.
            if frames.iter().any(|(name, ..)| name == "main.capture") {
                return None;
            }
            frames.retain(|(name, ..)| !hidden(name));
            // Of more than 100 frames the text has the 50 innermost and the 50 outermost, the
            // proto the 128 innermost.
            if frames.len() >= 100 {
                frames.truncate(50);
            }
        }
        "threadcreate" => {
            // Go's proto has a location without a name for each of the zeros that fill its records.
            frames.retain(|(name, ..)| !name.is_empty());
            let shown = frames.iter().position(|(name, ..)| !leading(name));
            frames.drain(..shown.unwrap_or(0));
        }
        _ => {}
    }
    Some(frames)
}

fn stacks(kind: &str, profile: &Decoded) -> Stacks {
    let mut stacks = Stacks::new();
    for (stack, values) in &profile.samples {
        let mut frames = profile.frames(stack);
        frames
            .iter_mut()
            .for_each(|(name, ..)| *name = generic(name));
        let Some(frames) = normal(kind, frames) else {
            continue;
        };
        if values.iter().all(|value| *value == 0) {
            continue;
        }
        stacks.entry(frames).or_default().push(values.clone());
    }
    for samples in stacks.values_mut() {
        samples.sort();
        if matches!(kind, "goroutine" | "threadcreate") {
            let sum = samples.iter().map(|values| values[0]).sum();
            *samples = vec![vec![sum]];
        }
    }
    stacks
}

fn of(kind: &str) -> Kind {
    Kind::from_file_name(&format!("{kind}.pprof")).expect("a kind")
}

/// Moves what we have of a stack that is too deep to where the oracle has it: a stack of 128 PCs
/// may lack the outermost inlined frames of Go's proto.
fn deepen(ours: &mut Stacks, oracle: &Stacks) {
    let lacking: Vec<_> = oracle.keys().filter(|stack| stack.len() >= 128).collect();
    for stack in lacking {
        let whole = ours.contains_key(stack);
        let part = ours
            .keys()
            .find(|part| {
                part.len() >= 120 && stack.starts_with(part) && !oracle.contains_key(*part)
            })
            .cloned();
        if let (false, Some(part)) = (whole, part) {
            let samples = ours.remove(&part).expect("it was found");
            ours.insert(stack.clone(), samples);
        }
    }
}

fn near(ours: &[Vec<i64>], oracle: &[Vec<i64>]) -> bool {
    let close = |(a, b): (&i64, &i64)| a.abs_diff(*b) <= 1;
    let same = |(a, b): (&Vec<i64>, &Vec<i64>)| a.len() == b.len() && a.iter().zip(b).all(close);
    ours.len() == oracle.len() && ours.iter().zip(oracle).all(same)
}

fn compare(set: &str, kind: &str) {
    let text = golden(&format!("{set}/{kind}.txt"));
    let parsed = convert(of(kind), text.as_slice())
        .expect("it can be read")
        .expect("it is text");
    let damage = parsed
        .problems
        .iter()
        .find(|p| matches!(p, Problem::Damage { .. }));
    assert!(damage.is_none(), "{set}/{kind}: {damage:?}");
    let theirs = decode(&golden(&format!("{set}/{kind}.pb")));
    let mine = converted(&parsed);
    let oracle = stacks(kind, &theirs);
    let mut ours = stacks(kind, &mine);
    // All that print a record's PCs lose the last inlined chain at the 128th, contention too.
    if !matches!(kind, "goroutine" | "threadcreate") {
        deepen(&mut ours, &oracle);
    }
    assert!(!ours.is_empty());
    let mut faults = Vec::new();
    for (stack, samples) in &oracle {
        match ours.get(stack) {
            None => faults.push(format!("lacks {samples:?} {stack:#?}")),
            Some(own) if !near(own, samples) => {
                faults.push(format!("has {own:?}, not {samples:?} {:?}", stack.first()));
            }
            Some(_) => {}
        }
    }
    let more = ours
        .iter()
        .filter(|(stack, _)| !oracle.contains_key(*stack));
    faults.extend(more.map(|(stack, samples)| format!("has besides {samples:?} {stack:#?}")));
    let (all, first) = (
        faults.len(),
        faults.iter().take(4).cloned().collect::<Vec<_>>(),
    );
    assert!(
        faults.is_empty(),
        "{set}/{kind}: {all} of {}: {}",
        oracle.len(),
        first.join("\n")
    );
    assert_eq!(mine.period, theirs.period, "{set}/{kind}");
    assert_eq!(mine.types(), theirs.types(), "{set}/{kind}");
    // Go says so of allocs alone.
    let first = if kind == "heap" {
        "inuse_space"
    } else {
        theirs.default_type()
    };
    assert_eq!(mine.default_type(), first, "{set}/{kind}");
    assert!(mine.says_that_it_has_names, "{set}/{kind}");
}

#[test]
fn heap_says_what_gos_proto_says() {
    compare("small", "heap");
    compare("large", "heap");
}

#[test]
fn allocs_says_what_gos_proto_says() {
    compare("small", "allocs");
    compare("large", "allocs");
}

#[test]
fn block_says_what_gos_proto_says() {
    compare("small", "block");
    compare("large", "block");
}

#[test]
fn mutex_says_what_gos_proto_says() {
    compare("small", "mutex");
    compare("large", "mutex");
}

#[test]
fn threadcreate_says_what_gos_proto_says() {
    compare("small", "threadcreate");
    compare("large", "threadcreate");
}

#[test]
fn goroutine_says_what_gos_proto_says() {
    compare("small", "goroutine");
    compare("large", "goroutine");
}
