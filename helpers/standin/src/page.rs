//! The page a dump answers with, as virt-api prints it: indented by one space, pods and files in
//! the order of their names, the token last. The big strings are shared, never printed.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::body::{Broken, Piece};

/// One pod's part of a page.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) pod: String,
    pub(crate) files: Vec<(String, Content)>,
    /// Whether the page ends after this pod's files, with no brace closed.
    pub(crate) left_open: bool,
}

/// The value of a file in a page.
#[derive(Debug)]
pub(crate) enum Content {
    /// A string of base64, in pieces.
    Text(Vec<Bytes>),
    /// A number, where a string belongs.
    Number(u64),
    /// The page ends inside the string, cleanly or with the connection broken.
    Cut { kept: Bytes, broken: Option<Broken> },
}

/// Prints the page.
pub(crate) fn print(entries: Vec<Entry>, token: &str) -> VecDeque<Piece> {
    let mut page = Printer::default();
    page.text("{\n \"componentResults\": {");
    for (index, entry) in entries.into_iter().enumerate() {
        page.text(if index == 0 { "\n" } else { ",\n" });
        if page.entry(entry).is_none() {
            return page.pieces;
        }
    }
    page.text("\n }");
    if !token.is_empty() {
        page.text(&format!(",\n \"continue\": {}", quoted(token)));
    }
    page.text("\n}");
    page.pieces
}

#[derive(Default)]
struct Printer {
    pieces: VecDeque<Piece>,
}

impl Printer {
    fn text(&mut self, text: &str) {
        self.bytes(Bytes::copy_from_slice(text.as_bytes()));
    }

    fn bytes(&mut self, bytes: Bytes) {
        self.pieces.push_back(Ok(bytes));
    }

    /// Prints a pod; `None` if the page ends within it.
    fn entry(&mut self, entry: Entry) -> Option<()> {
        self.text(&format!(
            "  {}: {{\n   \"pprofData\": {{",
            quoted(&entry.pod)
        ));
        for (index, (name, content)) in entry.files.into_iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            self.text(&format!("{comma}\n    {}: ", quoted(&name)));
            self.content(content)?;
        }
        if entry.left_open {
            return None;
        }
        self.text("\n   }\n  }");
        Some(())
    }

    fn content(&mut self, content: Content) -> Option<()> {
        match content {
            Content::Number(number) => self.text(&number.to_string()),
            Content::Text(pieces) => {
                self.text("\"");
                pieces.into_iter().for_each(|piece| self.bytes(piece));
                self.text("\"");
            }
            Content::Cut { kept, broken } => {
                self.text("\"");
                self.bytes(kept);
                self.pieces.extend(broken.map(Err));
                return None;
            }
        }
        Some(())
    }
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a string is JSON")
}
