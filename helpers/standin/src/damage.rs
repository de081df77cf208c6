//! Damages one pod's part of a page.

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;

use crate::{
    body::Broken,
    fault::Damage,
    page::{Content, Entry},
};

/// The file that is damaged where one is enough.
const VICTIM: &str = "heap.pprof";

/// What an extra file holds.
const SMALL: &[u8] = b"c21hbGw=";

/// The pod's entries after the damage: itself, and those it was told to bring along.
pub(crate) fn apply(mut entry: Entry, damages: &[Damage]) -> Vec<Entry> {
    let mut extra = Vec::new();
    for damage in damages {
        match damage {
            Damage::BrokenInString => {
                change(&mut entry, VICTIM, |text| cut(&text, Some(Broken::Here)))
            }
            Damage::StallsInString => change(&mut entry, VICTIM, |text| {
                cut(&text, Some(Broken::AfterALongStall))
            }),
            Damage::EndsInString => change(&mut entry, VICTIM, |text| cut(&text, None)),
            Damage::EndsInStructure => {
                entry.files.truncate(entry.files.len().div_ceil(2));
                entry.left_open = true;
            }
            Damage::InvalidBase64 => change(&mut entry, VICTIM, |text| spoil(&text)),
            Damage::ExtraPods(names) => extra.extend(names.iter().map(|name| small_entry(name))),
            Damage::ExtraFiles(names) => {
                entry
                    .files
                    .extend(names.iter().map(|name| (name.clone(), small())));
            }
            Damage::MissingFile(file) => entry.files.retain(|(name, _)| name != file),
            Damage::WrongType(file) => change(&mut entry, file, |_| Content::Number(12_345)),
            Damage::Replaced(file, content) => change(&mut entry, file, |_| {
                Content::Text(vec![BASE64_STANDARD.encode(content).into()])
            }),
        }
    }
    extra.insert(0, entry);
    extra
}

fn change(entry: &mut Entry, file: &str, damage: impl FnOnce(Bytes) -> Content) {
    if let Some((_, content)) = entry.files.iter_mut().find(|(name, _)| name == file)
        && let Content::Text(pieces) = content
    {
        let text = pieces.first().cloned().unwrap_or_default();
        *content = damage(text);
    }
}

/// A place in the middle that is no multiple of four.
fn middle(text: &Bytes) -> usize {
    (text.len() / 2 / 4 * 4 + 1).min(text.len())
}

fn cut(text: &Bytes, broken: Option<Broken>) -> Content {
    Content::Cut {
        kept: text.slice(..middle(text)),
        broken,
    }
}

fn spoil(text: &Bytes) -> Content {
    let (head, tail) = (text.slice(..middle(text)), text.slice(middle(text)..));
    Content::Text(vec![head, Bytes::from_static(b"!*?#"), tail])
}

fn small() -> Content {
    Content::Text(vec![Bytes::from_static(SMALL)])
}

fn small_entry(pod: &str) -> Entry {
    let files = vec![(VICTIM.to_owned(), small())];
    Entry {
        pod: pod.to_owned(),
        files,
        left_open: false,
    }
}
