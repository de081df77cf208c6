//! The commands that show the same elsewhere.

use maud::{Markup, html};

use crate::report::findings::{Part, Profiled};

use super::numbers::ComponentNumbers;
use super::profiles::title;
use super::text::quoted;

/// Commands for the whole run, and one for each profile.
pub(super) fn commands(
    run: &str,
    components: &[ComponentNumbers<'_>],
    profiles: &[&Profiled],
) -> Markup {
    let archive = quoted(&format!("profile-{run}.tar.gz"));
    let folder = quoted(&format!("profile-{run}"));
    html! {
        section id="commands" {
            h2 { "The same in a terminal" }
            p { "With the archive, and Go for " code { "go tool pprof" } ":" }
            pre tabindex="0" {
                "cluster-profiler-job get " (quoted(run)) " > " (archive) "\n"
                "tar -xzf " (archive) "\n"
                "cluster-profiler-job top " (quoted(run)) " --component virt-handler --kind heap\n"
                "cluster-profiler-job top " (quoted(run)) " --kind cpu --pod POD\n"
            }
            @for of in components {
                @let of_component = profiles.iter().filter(|profile| profile.component == of.component);
                @if of_component.clone().next().is_some() {
                    details {
                        summary { (of.component.name()) }
                        dl.commands {
                            @for profile in of_component {
                                dt { (title(profile.kind, profile.part)) }
                                dd { pre tabindex="0" { "go tool pprof -http=: " (folder) "/" (of.component.name()) "-*/" (path(profile)) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn path(of: &Profiled) -> String {
    match of.part {
        Part::Whole => of.kind.file_name().to_owned(),
        Part::Delta | Part::Growth => format!("{}/{}", of.part.name(), of.kind.file_name()),
    }
}
