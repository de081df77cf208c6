//! A function that allocates and holds more than the golden profiles say, in some pods.

/// What is made heavier.
#[derive(Debug, Clone)]
pub struct Heavier {
    /// The function that allocates, as a text of the heap names it.
    pub function: String,
    /// By how much more, in hundredths.
    pub percent: u64,
    /// What the names of the pods begin with.
    pub pods: String,
}

impl Heavier {
    /// The text of a heap (`debug=1`) with more in the function's records, and as much more in its first line.
    pub(crate) fn apply(&self, text: &str) -> String {
        let (mut records, mut added) = (Vec::new(), [0; 4]);
        for record in text.split("\n\n") {
            let (before, own) = match record.strip_prefix("heap profile: ") {
                // The line of sums has no blank line after it.
                Some(_) => record.split_once('\n').unwrap_or((record, "")),
                None => ("", record),
            };
            records.push((before, self.heavier(own, &mut added)));
        }
        let records = records.into_iter().map(|(sums, record)| match sums {
            "" => record,
            sums => format!("{}\n{record}", scaled(sums, |at, value| value + added[at])),
        });
        records.collect::<Vec<_>>().join("\n\n")
    }

    /// A record, with more in it if the function is the one that allocates there.
    fn heavier(&self, record: &str, added: &mut [u64; 4]) -> String {
        let name = |line: &str| {
            let name = line.split('\t').nth(2)?.rsplit_once('+')?.0;
            Some(name == self.function)
        };
        let mut lines = record.splitn(3, '\n');
        let (Some(sums), Some(first), rest) = (lines.next(), lines.next(), lines.next()) else {
            return record.to_owned();
        };
        if name(first) != Some(true) {
            return record.to_owned();
        }
        let sums = scaled(sums, |at, value| {
            let more = value * self.percent / 100;
            added[at] += more;
            value + more
        });
        let rest = rest.map(|rest| format!("\n{rest}"));
        format!("{sums}\n{first}{}", rest.unwrap_or_default())
    }
}

/// The line of a record with its four numbers changed: objects and bytes in use, and both that were allocated.
fn scaled(line: &str, mut change: impl FnMut(usize, u64) -> u64) -> String {
    let (numbers, stack) = line.split_once('@').unwrap_or((line, ""));
    let mut at = 0;
    let mut changed = String::new();
    for piece in numbers.split_inclusive(|c: char| !c.is_ascii_digit()) {
        let end = piece
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(piece.len());
        let (number, rest) = piece.split_at(end);
        match number.parse() {
            Ok(number) if at < 4 => {
                changed += &change(at, number).to_string();
                at += 1;
            }
            _ => changed += number,
        }
        changed += rest;
    }
    format!("{changed}@{stack}")
}
