//! Errors and texts of others: told in one line with their causes, without characters that change what a
//! person sees, how long a server wants to be left alone, panics that are passed on, and locks that one left.

use std::error::Error;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustls::{AlertDescription, CertificateError};
use tokio::task::JoinError;

/// An error and its causes in one line, outermost first.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}

/// What a certificate needs that this program's TLS does not know, where that is the cause of an error.
pub fn unknown_to_tls(error: &(dyn Error + 'static)) -> Option<String> {
    let rustls::Error::InvalidCertificate(error) = tls_error(error)? else {
        return None;
    };
    #[expect(clippy::wildcard_enum_match_arm, reason = "rustls has many others")]
    let names = match error {
        CertificateError::UnsupportedSignatureAlgorithmContext {
            signature_algorithm_id,
            ..
        } => algorithm(signature_algorithm_id),
        CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext {
            signature_algorithm_id,
            public_key_algorithm_id,
        } => format!(
            "{} by a key of {}",
            algorithm(signature_algorithm_id),
            algorithm(public_key_algorithm_id)
        ),
        _ => return None,
    };
    Some(format!(
        "a certificate is signed with {names}, which this program does not know: have one that is signed with \
         {KNOWN_TO_TLS}"
    ))
}

/// The keys and signatures that this program's TLS knows.
pub const KNOWN_TO_TLS: &str = "RSA, Ed25519, or ECDSA on P-256 or P-384 with SHA-256 or SHA-384";

/// What is to be said where a server ended a TLS handshake; nothing where it did not.
pub fn on_handshake(error: &(dyn Error + 'static)) -> &'static str {
    let failure = rustls::Error::AlertReceived(AlertDescription::HandshakeFailure);
    if tls_error(error) != Some(&failure) {
        return "";
    }
    "; the server and this program have no cipher or no kind of certificate in common: a server's key on the \
     curve P-521 is not supported"
}

/// Whether what answered a TLS handshake was no TLS.
pub fn speaks_no_tls(error: &(dyn Error + 'static)) -> bool {
    matches!(tls_error(error), Some(rustls::Error::InvalidMessage(_)))
}

/// The error of TLS among an error's causes. Errors of input and output hide what they are made of.
fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        let inner = error.downcast_ref().and_then(io::Error::get_ref);
        cause = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

/// The name of an algorithm, or of a key's curve, out of its identifier.
fn algorithm(id: &[u8]) -> String {
    const NAMES: [(&[u8], &str); 5] = [
        (
            &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 4],
            "ECDSA and SHA-512",
        ),
        (&[0x2b, 0x81, 4, 0, 0x23], "the curve P-521"),
        (&[0x2b, 0x81, 4, 0, 0x0a], "the curve secp256k1"),
        (
            &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 5],
            "RSA and SHA-1",
        ),
        (&[0x2b, 0x65, 0x71], "Ed448"),
    ];
    let known = NAMES
        .iter()
        .find(|(known, _)| id.windows(known.len()).any(|part| part == *known));
    known.map_or_else(
        || format!("an algorithm whose identifier is {}", hex::encode(id)),
        |(_, name)| (*name).to_owned(),
    )
}

/// How long a server wants to be left alone: its Retry-After (RFC 9110, 10.2.3), in seconds or as a date.
pub fn retry_after(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let then = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    Duration::try_from(then.duration_since(jiff::Timestamp::now())).ok()
}

/// A text of somebody else's, with its control characters written out, such as `\n` and `\u{1b}`: they
/// would move a terminal's cursor or begin lines of their own. So would characters that turn the direction
/// of writing round.
pub fn plain(text: &str) -> String {
    written_out(text, &[])
}

/// The same of a text that may have several lines.
pub fn plain_lines(text: &str) -> String {
    written_out(text, &['\n'])
}

fn written_out(text: &str, allowed: &[char]) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        let turns = matches!(
            c,
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}'
        );
        if (c.is_control() || turns) && !allowed.contains(&c) {
            plain.extend(c.escape_default());
        } else {
            plain.push(c);
        }
    }
    plain
}

/// The result of a task or a blocking thread. Its panic goes on here: a defect must end the run, not
/// a thread.
pub fn joined<T>(result: Result<T, JoinError>) -> T {
    result.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

/// Locks what a panic elsewhere may have left locked: what is behind these locks is whole after each change.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
