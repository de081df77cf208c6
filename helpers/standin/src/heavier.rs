//! Functions that allocate and hold more than the golden profiles say, or have another name, in some pods.

use std::collections::HashMap;

/// What is changed in the memory of some pods.
#[derive(Debug, Clone)]
pub struct Heavier {
    /// The function that allocates, as a text of the heap names it.
    pub function: String,
    /// By how much more, in hundredths: of what it holds, and of what it allocated in the window.
    pub percent: u64,
    /// The function that allocates it instead, if one does: a refactoring.
    pub moved_to: Option<String>,
    /// What the names of the pods begin with.
    pub pods: String,
}

/// Objects and bytes in use, and both that were allocated.
type Sums = [u64; 4];

impl Heavier {
    /// What there is of it before a window: the other name.
    pub(crate) fn before(&self) -> Self {
        Self {
            percent: 0,
            ..self.clone()
        }
    }

    /// A text of memory after the window (`debug=1`: heap or allocs) with more in the function's records, and as much more
    /// in its first line and in what the runtime counts. The text before the window says what came in it.
    pub(crate) fn apply(&self, text: &str, before: &str) -> String {
        let before: HashMap<_, _> = before
            .split("\n\n")
            .filter_map(|record| sums_and_stack(after_head(record).1.lines().next()?))
            .map(|(sums, stack)| (stack, sums))
            .collect();
        let (mut records, mut added, mut counted) = (Vec::new(), Sums::default(), [0.0; 2]);
        for record in text.split("\n\n") {
            let (head, own) = after_head(record);
            let more = self.more(own, &before);
            for (sum, more) in added.iter_mut().zip(more) {
                *sum += more;
            }
            // A record has the sampled objects alone, and the runtime counts them all.
            let [_, _, objects, bytes] = more.map(|more| more as f64);
            let share = 1.0 - (-bytes / objects / PERIOD).exp();
            if objects > 0.0 {
                counted[0] += objects / share;
                counted[1] += bytes / share;
            }
            records.push((head, self.changed(own, more)));
        }
        let records = records.into_iter().map(|(head, record)| match head {
            "" => grown(&record, counted),
            head => format!("{}\n{record}", scaled(head, added)),
        });
        records.collect::<Vec<_>>().join("\n\n")
    }

    /// What a record has more of; nothing if it is not the function that allocates there.
    fn more(&self, record: &str, before: &HashMap<&str, Sums>) -> Sums {
        let mut lines = record.lines();
        let of = lines.next().and_then(sums_and_stack);
        let (Some((sums, stack)), Some(first)) = (of, lines.next()) else {
            return Sums::default();
        };
        if !self.is_at(first) {
            return Sums::default();
        }
        let [_, _, objects, bytes] = before.get(stack).copied().unwrap_or_default();
        let since = [0, 0, objects, bytes];
        let mut more = sums;
        for (more, since) in more.iter_mut().zip(since) {
            *more = more.saturating_sub(since) * self.percent / 100;
        }
        more
    }

    /// A record with so much more, and the function's other name.
    fn changed(&self, record: &str, more: Sums) -> String {
        let Some((sums, rest)) = record.split_once('\n') else {
            return record.to_owned();
        };
        let first = rest.lines().next().unwrap_or_default();
        if !self.is_at(first) {
            return record.to_owned();
        }
        let rest = match &self.moved_to {
            Some(name) => rest.replacen(&self.function, name, 1),
            None => rest.to_owned(),
        };
        format!("{}\n{rest}", scaled(sums, more))
    }

    /// Whether a line of a stack is one of the function.
    fn is_at(&self, line: &str) -> bool {
        let name = line.split('\t').nth(2);
        let name = name.and_then(|name| name.rsplit_once('+'));
        name.is_some_and(|(name, _)| name == self.function)
    }
}

/// The distance of two samples in bytes, in the golden profiles.
const PERIOD: f64 = 524_288.0;

/// A text's first line, which has no blank line after it, and the record behind it.
fn after_head(record: &str) -> (&str, &str) {
    if record.starts_with("heap profile: ") {
        record.split_once('\n').unwrap_or((record, ""))
    } else {
        ("", record)
    }
}

/// The numbers of a record's first line, and the addresses behind them.
fn sums_and_stack(line: &str) -> Option<(Sums, &str)> {
    let (numbers, stack) = line.split_once('@')?;
    let digits = numbers.split(|c: char| !c.is_ascii_digit());
    let all: Vec<u64> = digits.filter_map(|digits| digits.parse().ok()).collect();
    Some((all.try_into().ok()?, stack))
}

/// A line with so much more in its four numbers.
fn scaled(line: &str, more: Sums) -> String {
    let Some(([objects, bytes, all_objects, all_bytes], stack)) = sums_and_stack(line) else {
        return line.to_owned();
    };
    let head = if line.starts_with("heap profile: ") {
        "heap profile: "
    } else {
        ""
    };
    format!(
        "{head}{}: {} [{}: {}] @{stack}",
        objects + more[0],
        bytes + more[1],
        all_objects + more[2],
        all_bytes + more[3]
    )
}

/// What the runtime counts, with so many objects and bytes more; what is no such text stays as it is.
fn grown(text: &str, [objects, bytes]: [f64; 2]) -> String {
    let line = |line: &str| {
        let (name, value) = line.split_once(" = ").unwrap_or_default();
        let more = match name {
            "# Mallocs" => objects,
            "# TotalAlloc" => bytes,
            _ => return line.to_owned(),
        };
        value.trim_end().parse::<u64>().map_or_else(
            |_| line.to_owned(),
            |value| format!("{name} = {}\n", value + more as u64),
        )
    };
    text.split_inclusive('\n').map(line).collect()
}
