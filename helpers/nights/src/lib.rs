//! What the method of `verdict` reaches, as the tables of `docs/verdict.md`: on real nights, and on histories that
//! are simulated.

mod look;
mod real;
mod simulated;

/// The line that the tables begin after in the page.
pub const BEGIN: &str = "<!-- The tables below are written by `cargo nights --write`. -->\n";

/// The line that they end before.
pub const END: &str = "<!-- End of the tables. -->\n";

/// The tables, as Markdown.
pub fn tables() -> String {
    [real::tables(), simulated::table()].concat()
}

/// The page with these tables in place of its own; `None`, if it has no place for them.
pub fn with_tables(page: &str, tables: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some([before, BEGIN, tables, END, after].concat())
}

/// So many of all, in percent.
fn percent(count: usize, all: usize) -> f64 {
    100.0 * count as f64 / all.max(1) as f64
}
