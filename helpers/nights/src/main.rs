//! Prints the tables of `docs/verdict.md`, or writes them into it.

use anyhow::{Context, Result};

fn main() -> Result<()> {
    let tables = nights::tables();
    if std::env::args().nth(1).as_deref() != Some("--write") {
        print!("{tables}");
        return Ok(());
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/verdict.md");
    let page = std::fs::read_to_string(path).context(path)?;
    let page =
        nights::with_tables(&page, &tables).context("docs/verdict.md has no place for them")?;
    std::fs::write(path, page).context(path)
}
