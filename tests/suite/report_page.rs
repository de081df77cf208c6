//! A report's page, of findings that are made by hand.

use cluster_profiler_job::report::{Findings, page};

use crate::report_findings::{Scene, findings};

fn text(findings: &Findings) -> String {
    let mut out = Vec::new();
    page(findings, &mut out).expect("a page");
    String::from_utf8(out).expect("a page is UTF-8")
}

#[test]
fn names_of_others_stay_text() {
    let scene = Scene {
        attacks: true,
        ..Scene::default()
    };
    let page = text(&findings(&scene));
    assert!(!page.contains("<img"), "a name became an element");
    assert!(!page.contains("<svg onload"), "a name became an element");
    assert_eq!(
        page.matches("</script>").count(),
        page.matches("<script").count()
    );
    assert_eq!(page.matches("</style>").count(), 1);
    assert!(
        !page.contains('\u{202e}'),
        "the direction of text is changed"
    );
    assert!(
        page.contains("\\u{202e}"),
        "it is not said that a name does"
    );
    assert!(!page.contains(&"A".repeat(300)), "a name is not cut");
    if let Ok(to) = std::env::var("PAGE_TO") {
        std::fs::write(to, &page).expect("written");
    }
}

#[test]
fn a_page_has_no_style_that_its_policy_forbids() {
    let page = text(&findings(&Scene::default()));
    assert!(!page.contains(" style="), "a style of an element's own");
    if let Ok(to) = std::env::var("PAGE_TO") {
        std::fs::write(to, &page).expect("written");
        eprintln!("size {}", page.len());
    }
}
