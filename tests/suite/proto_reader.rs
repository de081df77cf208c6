//! profile.proto read back, by code that shares nothing with what wrote it.

use std::collections::BTreeMap;
use std::io::Read;

use cluster_profiler_job::pprof::Parsed;
use flate2::read::GzDecoder;

/// Function, file, line.
pub(crate) type Frame = (String, String, u64);

/// profile.proto, as far as it is compared.
#[derive(Default)]
pub(crate) struct Decoded {
    pub(crate) strings: Vec<String>,
    pub(crate) functions: BTreeMap<u64, (u64, u64)>,
    pub(crate) locations: BTreeMap<u64, Vec<(u64, u64)>>,
    pub(crate) samples: Vec<(Vec<u64>, Vec<i64>)>,
    pub(crate) labels: Vec<String>,
    pub(crate) sample_types: Vec<(u64, u64)>,
    pub(crate) period_type: (u64, u64),
    /// Every mapping has functions, files and lines.
    pub(crate) says_that_it_has_names: bool,
    pub(crate) default_sample_type: u64,
    pub(crate) period: u64,
    pub(crate) time_nanos: u64,
    pub(crate) duration_nanos: u64,
}

/// A field: its number, its value if that is a number, its bytes if not.
type Field<'a> = (u64, u64, &'a [u8]);

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first().expect("a byte");
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            return number;
        }
    }
    panic!("a number of more than 64 bits");
}

fn fields(mut bytes: &[u8]) -> Vec<Field<'_>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes);
        let number = varint(&mut bytes);
        let mut inner: &[u8] = &[];
        if tag & 7 == 2 {
            (inner, bytes) = bytes.split_at(usize::try_from(number).expect("a length"));
        }
        found.push((tag >> 3, number, inner));
    }
    found
}

/// The number of a message's field, zero where it is not there.
fn number(message: &[u8], field: u64) -> u64 {
    let found = fields(message).into_iter().find(|(f, ..)| *f == field);
    found.map_or(0, |(_, number, _)| number)
}

/// A field's numbers, packed or not.
fn numbers(message: &[u8], field: u64) -> Vec<u64> {
    let mut found = Vec::new();
    for (_, number, mut packed) in fields(message).into_iter().filter(|(f, ..)| *f == field) {
        if packed.is_empty() && number != 0 {
            found.push(number);
        }
        while !packed.is_empty() {
            found.push(varint(&mut packed));
        }
    }
    found
}

/// Decodes a message that is not packed.
pub(crate) fn decode(bytes: &[u8]) -> Decoded {
    let mut profile = Decoded::default();
    let mut labels = Vec::new();
    for (field, value, message) in fields(bytes) {
        match field {
            1 => profile
                .sample_types
                .push((number(message, 1), number(message, 2))),
            3 => {
                profile.says_that_it_has_names =
                    [7, 8, 9].iter().all(|flag| number(message, *flag) == 1)
            }
            11 => profile.period_type = (number(message, 1), number(message, 2)),
            2 => {
                let values = numbers(message, 2).into_iter().map(u64::cast_signed);
                profile
                    .samples
                    .push((numbers(message, 1), values.collect()));
                let of = fields(message).into_iter().filter(|(f, ..)| *f == 3);
                labels.extend(of.map(|(_, _, label)| (number(label, 1), number(label, 2))));
            }
            4 => {
                let lines = fields(message).into_iter().filter(|(f, ..)| *f == 4);
                let lines = lines.map(|(_, _, line)| (number(line, 1), number(line, 2)));
                profile
                    .locations
                    .insert(number(message, 1), lines.collect());
            }
            5 => {
                let names = (number(message, 2), number(message, 4));
                profile.functions.insert(number(message, 1), names);
            }
            6 => profile
                .strings
                .push(String::from_utf8(message.to_vec()).expect("UTF-8")),
            9 => profile.time_nanos = value,
            10 => profile.duration_nanos = value,
            12 => profile.period = value,
            14 => profile.default_sample_type = value,
            _ => {}
        }
    }
    for (key, text) in labels {
        let label = format!("{}={}", profile.string(key), profile.string(text));
        profile.labels.push(label);
    }
    profile
}

impl Decoded {
    /// A string of the table.
    pub(crate) fn string(&self, at: u64) -> &str {
        &self.strings[usize::try_from(at).expect("an index")]
    }

    /// The samples' values and the period, each with its unit.
    pub(crate) fn types(&self) -> Vec<(&str, &str)> {
        let all = self.sample_types.iter().chain([&self.period_type]);
        all.map(|(name, unit)| (self.string(*name), self.string(*unit)))
            .collect()
    }

    /// What is shown first.
    pub(crate) fn default_type(&self) -> &str {
        self.string(self.default_sample_type)
    }

    /// The frames of a sample, from the innermost.
    pub(crate) fn frames(&self, stack: &[u64]) -> Vec<Frame> {
        let lines = stack.iter().flat_map(|id| &self.locations[id]);
        lines
            .map(|(function, line)| {
                let (name, file) = self.functions[function];
                (
                    self.string(name).to_owned(),
                    self.string(file).to_owned(),
                    *line,
                )
            })
            .collect()
    }
}

/// Decodes a message as it stands in a file.
pub(crate) fn decode_packed(packed: &[u8]) -> Decoded {
    decode(&unpacked(packed))
}

/// A message as it stands in a file, without the time that it bears.
pub(crate) fn timeless(packed: &[u8]) -> Vec<(u64, u64, Vec<u8>)> {
    fields(&unpacked(packed))
        .into_iter()
        .filter(|(field, ..)| *field != 9)
        .map(|(field, number, inner)| (field, number, inner.to_vec()))
        .collect()
}

fn unpacked(packed: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let read = GzDecoder::new(packed).read_to_end(&mut bytes);
    read.expect("gzip");
    bytes
}

/// What was written of a text's profile.
pub(crate) fn converted(parsed: &Parsed) -> Decoded {
    let mut packed = Vec::new();
    let profile = parsed.profile.as_ref().expect("a profile");
    profile
        .write(jiff::Timestamp::UNIX_EPOCH, &mut packed)
        .expect("memory");
    decode_packed(&packed)
}
