//! What `docs/verdict.md` says was measured is what the method measures.

/// `cargo nights --write` writes them anew.
#[test]
fn the_tables_are_the_methods() {
    let page = include_str!("../../docs/verdict.md");
    let expected = nights::with_tables(page, &nights::tables()).expect("a place for them");
    assert!(page == expected, "cargo nights --write");
}
