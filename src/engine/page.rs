//! A page: virt-api's answer to a dump, read as it streams in:
//! `{"componentResults":{"POD":{"pprofData":{"cpu.pprof":"BASE64",…}}},"continue":"TOKEN"}`.

use std::cell::RefCell;
use std::io::BufRead;

use jiff::Timestamp;
use struson::reader::{JsonReader, JsonStreamReader, ReaderError, ValueType};

use super::base64_value::Base64Value;
use super::bounded_names::{BoundedNames, Shared};
use super::pod_dump::note_unexpected_name;
use crate::archive::{PodBundle, ProfileError, Spool};
use crate::manifest::UnexpectedName;
use crate::pprof::Kind;

/// One pod's page.
#[derive(Debug, Default)]
pub(super) struct Page {
    /// The pod's profiles, if it is in the page.
    pub(super) bundle: Option<PodBundle>,
    /// Names that nobody asked for.
    pub(super) unexpected_names: Vec<UnexpectedName>,
}

/// A page that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum PageError {
    /// It was cut, or is not the JSON that it should be.
    #[error("the dump was cut or malformed: {0}")]
    Json(#[from] ReaderError),
    /// A profile in it could not be kept.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The pod is there twice.
    #[error("the pod {0} is there twice")]
    Twice(String),
}

/// What is asked for of a page.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// The one pod.
    pub(super) pod: String,
    /// When the page began to arrive.
    pub(super) dumped_at: Timestamp,
}

/// Reads a page to its very end, and keeps what was asked for.
///
/// # Errors
/// The page cannot be used; nothing of it counts.
pub(super) fn read(body: impl BufRead, wanted: &Wanted, spool: &Spool) -> Result<Page, PageError> {
    let body = RefCell::new(BoundedNames::new(body));
    let mut json = JsonStreamReader::new(Shared(&body));
    let mut page = Page::default();
    json.begin_object()?;
    while json.has_next()? {
        match json.next_name()? {
            "componentResults" => results(&mut json, wanted, spool, &mut page)?,
            _ => json.skip_value()?,
        }
    }
    json.end_object()?;
    json.consume_trailing_whitespace()?;
    Ok(page)
}

/// Why a pod is not in its page.
pub(super) fn why_not_there(unexpected_names: &[UnexpectedName]) -> String {
    match unexpected_names.first() {
        Some(other) => format!("its page had {:?} in its place", other.name),
        None => "its page did not have it".to_owned(),
    }
}

type Json<'a, R> = JsonStreamReader<Shared<'a, R>>;

/// Enters an object; Go writes an empty map as null.
fn enter<R: BufRead>(json: &mut Json<'_, R>) -> Result<bool, ReaderError> {
    if json.peek()? == ValueType::Null {
        json.next_null()?;
        return Ok(false);
    }
    json.begin_object()?;
    Ok(true)
}

/// Reads the results of all pods of the page.
fn results<R: BufRead>(
    json: &mut Json<'_, R>,
    wanted: &Wanted,
    spool: &Spool,
    page: &mut Page,
) -> Result<(), PageError> {
    if !enter(json)? {
        return Ok(());
    }
    let pod = &wanted.pod;
    while json.has_next()? {
        let name = json.next_name_owned()?;
        if name != *pod {
            let why = "no pod of this name was asked for";
            note_unexpected_name(&mut page.unexpected_names, pod, &name, why);
            json.skip_value()?;
        } else if page.bundle.is_some() {
            return Err(PageError::Twice(name));
        } else {
            page.bundle = Some(result(json, wanted, spool, &mut page.unexpected_names)?);
        }
    }
    Ok(json.end_object()?)
}

/// Reads the result of the pod that was asked for.
fn result<R: BufRead>(
    json: &mut Json<'_, R>,
    wanted: &Wanted,
    spool: &Spool,
    unexpected_names: &mut Vec<UnexpectedName>,
) -> Result<PodBundle, PageError> {
    let mut bundle = PodBundle::new(wanted.dumped_at);
    let pod = &wanted.pod;
    if !enter(json)? {
        return Ok(bundle);
    }
    while json.has_next()? {
        match json.next_name()? {
            "pprofData" => profiles(json, pod, spool, &mut bundle, unexpected_names)?,
            _ => json.skip_value()?,
        }
    }
    json.end_object()?;
    Ok(bundle)
}

/// Reads the profiles of a pod.
fn profiles<R: BufRead>(
    json: &mut Json<'_, R>,
    pod: &str,
    spool: &Spool,
    bundle: &mut PodBundle,
    unexpected_names: &mut Vec<UnexpectedName>,
) -> Result<(), PageError> {
    if !enter(json)? {
        return Ok(());
    }
    while json.has_next()? {
        let name = json.next_name_owned()?;
        let Some(kind) = Kind::from_file_name(&name) else {
            let why = "no profile has this file name";
            note_unexpected_name(unexpected_names, pod, &name, why);
            json.skip_value()?;
            continue;
        };
        let body = json.reader_mut().0;
        let content = Base64Value::new(body, json.next_string_reader()?);
        bundle.add_profile(pod, kind, content, spool)?;
    }
    Ok(json.end_object()?)
}
