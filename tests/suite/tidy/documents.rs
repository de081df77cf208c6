//! What the documents say of the source.

/// The cells of the table with this heading, row by row.
pub(super) fn rows(document: &str, heading: &str) -> Vec<Vec<String>> {
    let lines = document.lines();
    let table = lines.skip_while(|line| !line.starts_with(heading)).skip(2);
    table
        .take_while(|line| line.starts_with('|'))
        .map(|row| {
            let cells = row.trim_matches('|').split('|');
            cells.map(|cell| cell.trim().to_owned()).collect()
        })
        .collect()
}

/// The source files that a document names. A name with capitals stands for any.
pub(super) fn files(document: &str) -> Vec<&str> {
    let of_path = |c: char| c.is_alphanumeric() || "_-./".contains(c);
    let words = document.split(move |c| !of_path(c));
    words
        .map(|word| word.trim_end_matches('.'))
        .filter(|word| word.ends_with(".rs") && *word != ".rs")
        .filter(|word| !word.contains(char::is_uppercase))
        .collect()
}

#[test]
fn a_table_ends_with_its_last_row() {
    let document =
        "| b | c |\n|---|---|\n| 0 | 0 |\n\n| a | b |\n|---|---|\n| 1 | `2` |\n\n| 3 | 4 |";
    assert_eq!(rows(document, "| a |"), [["1", "`2`"]]);
}

#[test]
fn files_are_found_in_a_document() {
    let document = "see `run/a.rs`, (b.rs) and c.rs.\n```\nd -> run/e.rs -> run/NAME.rs\n```\nf.md";
    assert_eq!(files(document), ["run/a.rs", "b.rs", "c.rs", "run/e.rs"]);
}
