//! A run's findings as one page of HTML that needs nothing else: no network, and no script for what matters most.

mod commands;
mod comparison;
mod components;
mod data;
mod difference;
mod flame;
mod frames;
mod graph;
mod head;
mod interval;
mod numbers;
mod pods;
mod profiles;
mod snapshots;
mod text;
mod verdict;
mod viewer;

use std::io::{self, BufWriter, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use base64::write::EncoderWriter;
use flate2::Compression;
use flate2::write::GzEncoder;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use super::findings::{Findings, Profiled};
use crate::component::Component;

const STYLE: &str = include_str!("page/page.css");
const SCRIPT: &str = include_str!("page/page.js");

/// Writes the page, section by section.
pub fn page(findings: &Findings, mut out: impl Write) -> io::Result<()> {
    let components = numbers::of_components(findings);
    let profiles = profiles::in_order(findings);
    let manifest = &findings.manifest;
    let mut write = |markup: Markup| out.write_all(markup.0.as_bytes());
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
    if let Some(section) = comparison::comparison(findings) {
        write(section)?;
    }
    write(
        html! { (PreEscaped("<section id=\"profiles\">")) h2 { "Where it went" } (viewer::viewer()) },
    )?;
    for component in Component::ALL {
        if profiles.iter().any(|of| of.component == component) {
            write(profiles::component(findings, component, &profiles))?;
        }
    }
    write(html! {
        (profiles::empty_kinds(manifest))
        (PreEscaped("</section><section id=\"pods\">"))
        (pods::heading(&components))
    })?;
    for of in &components {
        write(pods::component(of, &profiles))?;
    }
    write(html! { (PreEscaped("</section>")) })?;
    if let Some(lines) = snapshots::over_the_window(findings, &components) {
        write(lines)?;
    }
    write(commands::commands(&manifest.run_id, &components, &profiles))?;
    write(html! { (PreEscaped("</main><script type=\"application/octet-stream\" id=\"data\">")) })?;
    write_data(findings, &profiles, &mut out)?;
    out.write_all(b"</script><script>")?;
    out.write_all(SCRIPT.as_bytes())?;
    out.write_all(b"</script></body></html>\n")
}

/// Writes the script's data in letters that mean nothing to a browser.
fn write_data(findings: &Findings, profiles: &[&Profiled], out: impl Write) -> io::Result<()> {
    let letters = EncoderWriter::new(out, &STANDARD);
    let packed = GzEncoder::new(letters, Compression::best());
    // The data are written in small pieces.
    let mut packed = BufWriter::new(packed);
    data::write(findings, profiles, &mut packed)?;
    let packed = packed.into_inner().map_err(|error| error.into_error())?;
    packed.finish()?.finish()?;
    Ok(())
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
