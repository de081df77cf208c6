//! The part of a page that its script fills: any flame graph, with its functions.

use maud::{Markup, html};

use super::flame;

/// The viewer, hidden until there is a script.
pub(super) fn viewer() -> Markup {
    html! {
        div id="viewer" hidden {
            div.controls role="group" aria-label="What is shown" {
                label { "Component" select id="component" {} }
                label { "Profile" select id="profile" {} }
                label { "Pod" select id="pod" {} }
                label {
                    "View"
                    select id="view" {
                        option value="callees" { "top down: calls" }
                        option value="callers" { "inverted: callers" }
                    }
                }
                label.search {
                    "Search"
                    input id="search" type="search" placeholder="part of a function's name" autocomplete="off" spellcheck="false";
                }
            }
            p.note id="about" aria-live="polite" {}
            div id="stage" {
                div.way {
                    button id="back" type="button" { "Back" }
                    nav aria-label="Zoom" { ol id="crumbs" {} }
                    output id="found" for="search" {}
                }
                div id="graph" role="tree" aria-describedby="keys" {}
                p id="hover" { "Point at a box, or move to it by keyboard, for its name and value." }
                (flame::legend())
                p.note id="keys" {
                    "Keys: Tab to the graph; arrows to callers, what they call and neighbours; Enter zooms, Backspace goes back, \
                     Escape shows the whole; / searches."
                }
                p.note id="unseen" {}
            }
            div.scroll role="region" aria-label="Functions of what is shown" tabindex="0" {
                table.top.sortable id="functions" {
                    caption {}
                    (super::profiles::functions_head())
                    tbody {}
                }
            }
        }
    }
}
