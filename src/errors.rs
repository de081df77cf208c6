//! Errors and texts of others: told in one line with their causes, without characters that change what a
//! person sees, and panics that are passed on.

use std::error::Error;

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
