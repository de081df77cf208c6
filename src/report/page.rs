//! A run's findings as one page of HTML that needs nothing else: no network, and no script for what matters most.

mod components;
mod flame;
mod fold;
mod head;
mod numbers;
mod profiles;
mod text;
mod units;
mod verdict;

use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, PreEscaped, html};
use sha2::{Digest, Sha256};

use super::findings::Findings;
use crate::component::Component;

const STYLE: &str = include_str!("page/page.css");
const SCRIPT: &str = include_str!("page/page.js");

/// Writes the page, section by section.
pub fn page(findings: &Findings, mut out: impl Write) -> io::Result<()> {
    let components = numbers::of_components(findings);
    let profiles = profiles::in_order(findings);
    let manifest = &findings.manifest;
    let mut write = |markup: PreEscaped<String>| out.write_all(markup.0.as_bytes());
    write(html! {
        (DOCTYPE)
        (PreEscaped("<html lang=\"en\">"))
        head {
            meta charset="utf-8";
            meta http-equiv="Content-Security-Policy" content=(policy());
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            title { "Profile " (text::shown(&manifest.run_id)) }
            style { (PreEscaped(STYLE)) }
        }
        (PreEscaped("<body>"))
        (head::head(findings, &components))
        (PreEscaped("<main>"))
    })?;
    if let Some(missing) = head::completeness(findings) {
        write(missing)?;
    }
    write(components::components(findings, &components))?;
    write(html! { (PreEscaped("<section id=\"profiles\">")) h2 { "Where it went" } })?;
    for component in Component::ALL {
        if profiles.iter().any(|of| of.component == component) {
            write(profiles::component(findings, component, &profiles))?;
        }
    }
    write(html! {
        (profiles::empty_kinds(manifest))
        (PreEscaped("</section></main>"))
        script { (PreEscaped(SCRIPT)) }
        (PreEscaped("</body></html>\n"))
    })
}

/// The page's policy: its own style and script, and nothing from anywhere.
fn policy() -> String {
    let hash = |text: &str| STANDARD.encode(Sha256::digest(text));
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}
