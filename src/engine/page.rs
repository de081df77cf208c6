//! virt-api's answer to a dump, read as it streams in:
//! `{"componentResults":{"POD":{"pprofData":{"cpu.pprof":"BASE64",…}}},"continue":"TOKEN"}`.

use std::io::{self, Read};

use base64::engine::general_purpose::STANDARD;
use base64::read::DecoderReader;
use struson::reader::{JsonReader, JsonStreamReader, ReaderError, ValueType};

use crate::archive::{Entry, EntryError, PodBundle, Spool};
use crate::manifest::Refused;
use crate::pprof::Kind;

/// A name longer than this is cut where it is shown.
const SHOWN: usize = 100;

/// Refused names that are listed, of one page.
const LISTED: usize = 20;

/// One pod's page.
#[derive(Debug, Default)]
pub(super) struct Page {
    /// The pod's profiles, if it is in the page.
    pub(super) bundle: Option<PodBundle>,
    /// Names that nobody asked for.
    pub(super) refused: Vec<Refused>,
}

/// A page that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum PageError {
    /// It was cut, or is not the JSON that it should be.
    #[error("the dump was cut or malformed: {0}")]
    Json(#[from] ReaderError),
    /// A profile in it could not be taken.
    #[error("{file}: {source}")]
    Profile {
        /// The profile's file name.
        file: &'static str,
        /// What is wrong: the stream, the base64, or the temporary file.
        source: io::Error,
    },
    /// The same thing twice.
    #[error("{0} is there twice")]
    Twice(String),
    /// The pod's path does not fit the archive, or there is no room for its data.
    #[error(transparent)]
    Entry(#[from] EntryError),
}

/// Reads a page to its very end, keeping what was asked for.
///
/// # Errors
/// The page is unusable; nothing of it counts.
pub(super) fn read(body: impl Read, pod: &str, spool: &Spool) -> Result<Page, PageError> {
    let mut json = JsonStreamReader::new(body);
    let mut page = Page::default();
    json.begin_object()?;
    while json.has_next()? {
        match json.next_name()? {
            "componentResults" => results(&mut json, pod, spool, &mut page)?,
            _ => json.skip_value()?,
        }
    }
    json.end_object()?;
    json.consume_trailing_whitespace()?;
    Ok(page)
}

type Json<R> = JsonStreamReader<R>;

/// Enters an object; Go writes an empty map as null.
fn enter<R: Read>(json: &mut Json<R>) -> Result<bool, ReaderError> {
    if json.peek()? == ValueType::Null {
        json.next_null()?;
        return Ok(false);
    }
    json.begin_object()?;
    Ok(true)
}

fn results<R: Read>(
    json: &mut Json<R>,
    pod: &str,
    spool: &Spool,
    page: &mut Page,
) -> Result<(), PageError> {
    if !enter(json)? {
        return Ok(());
    }
    while json.has_next()? {
        let name = json.next_name_owned()?;
        if name != pod {
            refuse(
                &mut page.refused,
                pod,
                &name,
                "no pod of this name was asked for",
            );
            json.skip_value()?;
        } else if page.bundle.is_some() {
            return Err(PageError::Twice(name));
        } else {
            page.bundle = Some(result(json, pod, spool, &mut page.refused)?);
        }
    }
    Ok(json.end_object()?)
}

fn result<R: Read>(
    json: &mut Json<R>,
    pod: &str,
    spool: &Spool,
    refused: &mut Vec<Refused>,
) -> Result<PodBundle, PageError> {
    let mut bundle = PodBundle::default();
    if !enter(json)? {
        return Ok(bundle);
    }
    while json.has_next()? {
        match json.next_name()? {
            "pprofData" => profiles(json, pod, spool, &mut bundle, refused)?,
            _ => json.skip_value()?,
        }
    }
    json.end_object()?;
    Ok(bundle)
}

fn profiles<R: Read>(
    json: &mut Json<R>,
    pod: &str,
    spool: &Spool,
    bundle: &mut PodBundle,
    refused: &mut Vec<Refused>,
) -> Result<(), PageError> {
    if !enter(json)? {
        return Ok(());
    }
    while json.has_next()? {
        let name = json.next_name_owned()?;
        let Some(kind) = Kind::from_file_name(&name) else {
            refuse(refused, pod, &name, "no profile has this file name");
            json.skip_value()?;
            continue;
        };
        let entry = profile(json, pod, kind, spool)?;
        if bundle.entries.insert(kind, entry).is_some() {
            return Err(PageError::Twice(name));
        }
    }
    Ok(json.end_object()?)
}

fn profile<R: Read>(
    json: &mut Json<R>,
    pod: &str,
    kind: Kind,
    spool: &Spool,
) -> Result<Entry, PageError> {
    let mut entry = spool.profile(pod, kind)?;
    let fault = |source| PageError::Profile {
        file: kind.file_name(),
        source,
    };
    let mut decoder = DecoderReader::new(json.next_string_reader()?, &STANDARD);
    io::copy(&mut decoder, &mut entry).map_err(fault)?;
    drop(decoder);
    entry.finish().map_err(fault)
}

fn refuse(refused: &mut Vec<Refused>, page_of: &str, name: &str, why: &str) {
    tracing::warn!(page_of, ?name, why, "refused a name in a dump");
    if refused.len() < LISTED {
        let mut name: String = name.chars().take(SHOWN + 1).collect();
        if name.chars().count() > SHOWN {
            name.pop();
            name.push('…');
        }
        refused.push(Refused {
            name,
            page_of: page_of.to_owned(),
            why: why.to_owned(),
        });
    }
}
