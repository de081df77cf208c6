//! Source files as the rules see them.

use std::collections::BTreeMap;
use std::path::Path;

/// One source file.
pub(super) struct File {
    /// The number of its lines.
    pub(super) lines: usize,
    /// Its code: comments, the insides of texts and unit tests are left out, lines are where they were.
    pub(super) code: String,
}

/// The files of a crate by their paths without `.rs`, such as `config/run_id`. A `x/mod` is `x`.
pub(super) type Tree = BTreeMap<String, File>;

/// The files below a crate's root; a folder with a `main.rs` of its own is another crate. One with a package of its
/// own is read as if it were a module: its `lib.rs` is the folder's file.
pub(super) fn read(root: &Path) -> Tree {
    let mut tree = Tree::new();
    read_folder(root, root, None, &mut tree);
    tree
}

fn read_folder(root: &Path, folder: &Path, package: Option<&str>, tree: &mut Tree) {
    for entry in std::fs::read_dir(folder).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.join("main.rs").exists() {
            continue;
        }
        let relative = path.strip_prefix(root).expect("below the root");
        let name = relative.with_extension("").display().to_string();
        if path.is_dir() {
            let is_package = path.join("Cargo.toml").exists();
            let package = is_package.then_some(&*name).or(package);
            read_folder(root, &path, package, tree);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("a source file");
            let mut file = file(&text);
            let mut name = name.strip_suffix("/mod").unwrap_or(&name);
            if let Some(package) = package {
                file.code = file.code.replace("crate::", &format!("crate::{package}::"));
                name = name.strip_suffix("/lib").unwrap_or(name);
            }
            tree.insert(name.to_owned(), file);
        }
    }
}

/// A file of this text.
pub(super) fn file(text: &str) -> File {
    File {
        lines: text.lines().count(),
        code: without_unit_tests(&without_comments_and_texts(text)),
    }
}

/// A tree of these names and texts.
pub(super) fn tree<const N: usize>(files: [(&str, &str); N]) -> Tree {
    let files = files.into_iter();
    files
        .map(|(name, text)| (name.to_owned(), file(text)))
        .collect()
}

fn without_comments_and_texts(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let after_word = code.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let skipped = match next {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => end_of(rest, 2, "*/"),
            'r' if !after_word => raw_text(rest).unwrap_or(0),
            '"' => text_end(rest, '"'),
            '\'' if rest[1..].starts_with('\\') || rest.chars().nth(2) == Some('\'') => {
                text_end(rest, '\'')
            }
            _ => 0,
        };
        if skipped == 0 {
            code.push(next);
            rest = &rest[next.len_utf8()..];
        } else {
            code.extend(rest[..skipped].chars().filter(|c| *c == '\n'));
            // So that what stood on both sides does not become one word.
            code.push(' ');
            rest = &rest[skipped..];
        }
    }
    code
}

/// The length of a text that ends with a quote, its escapes heeded.
fn text_end(text: &str, quote: char) -> usize {
    let mut escaped = false;
    let end = text.char_indices().skip(1).find(|(_, c)| {
        let ends = *c == quote && !escaped;
        escaped = *c == '\\' && !escaped;
        ends
    });
    end.map_or(text.len(), |(at, _)| at + 1)
}

/// The length of `r"…"` or `r#"…"#`, if that is what it is.
fn raw_text(text: &str) -> Option<usize> {
    let hashes = text[1..].chars().take_while(|c| *c == '#').count();
    let begins = text[1 + hashes..].starts_with('"');
    let end = format!("\"{}", "#".repeat(hashes));
    begins.then(|| end_of(text, 2 + hashes, &end))
}

fn end_of(text: &str, from: usize, end: &str) -> usize {
    let found = text[from..].find(end);
    found.map_or(text.len(), |at| from + at + end.len())
}

/// Leaves out `#[cfg(test)] mod … { … }`, as rustfmt has it.
fn without_unit_tests(code: &str) -> String {
    let mut kept = String::new();
    let (mut inside, mut test) = (false, false);
    for line in code.lines() {
        inside |= test && line.starts_with("mod ") && line.ends_with('{');
        test = line.starts_with("#[cfg(test)]");
        if !inside {
            kept.push_str(line);
        }
        kept.push('\n');
        inside &= line != "}";
    }
    kept
}

#[test]
fn comments_texts_and_unit_tests_are_no_code() {
    let text = "use a; // use b\nlet c = \"use \\\" d\"; /* use e */ 'f'; &'g str; '\\''; r#\"use h\"#\n\
                #[cfg(test)]\nmod tests {\n    use i;\n}\nuse j;";
    let code = file(text).code;
    let words: Vec<_> = code.split_whitespace().collect();
    assert_eq!(
        words.join(" "),
        "use a; let c = ; ; &'g str; ; #[cfg(test)] use j;"
    );
    assert_eq!(code.lines().count(), text.lines().count());
}
