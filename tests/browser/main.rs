//! A report's page in Chromium (`helpers/browser`): what a person does with it, by pointer and by keyboard, whether
//! it can be used by those who do not see it, and pictures of it.
//!
//! `cargo e2e` runs it. With BLESS=1 it writes the README's picture anew. Pictures of every page are in the
//! folder `browser` of the build's.

#[path = "../suite/compared_findings.rs"]
mod compared_findings;
#[expect(dead_code, reason = "the suite uses the rest of it")]
#[path = "../suite/harness.rs"]
mod harness;
#[path = "../suite/report_findings.rs"]
mod report_findings;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use cluster_profiler_job::report::{page, redact};
use compared_findings::compare;
use harness::{Place, RUN_ID};
use report_findings::{Scene, findings};
use standin::{Options, Profiles, Standin};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn main() -> ExitCode {
    let to = Path::new(env!("CARGO_TARGET_TMPDIR")).join("browser");
    std::fs::create_dir_all(&to).expect("a folder for pages");
    for (name, scene) in scenes() {
        let file = std::fs::File::create(to.join(format!("{name}.html"))).expect("a file");
        let mut findings = findings(&scene);
        if name != "many" && name != "missing" {
            compare(&mut findings, scene.attacks);
        }
        if name == "redacted" {
            redact(&mut findings);
        }
        page(&findings, std::io::BufWriter::new(file)).expect("a page");
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(demo(&to.join("demo.html")));
    let helper = Path::new(ROOT).join("helpers/browser");
    let mut check = Command::new("node");
    check
        .arg(helper.join("check.js"))
        .arg(&to)
        .arg(modules(&helper));
    if std::env::var_os("BLESS").is_some() {
        check.arg(Path::new(ROOT).join("docs/report.png"));
    }
    if check.status().expect("node starts").success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The page of a run such as the demo's.
async fn demo(to: &Path) {
    let options = Options {
        pods: 8,
        profiles: Profiles::Window,
        ..Options::default()
    };
    let standin = Standin::start(options).await.expect("a stand-in");
    let place = Place::new(&standin)
        .with("PROFILER_REPORT", "")
        .with("PROFILER_BASELINE", "true")
        .with("PROFILER_SNAPSHOT_EVERY", "1s")
        .with("PROFILER_SETTLE", "1500ms");
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let page = place.out().join(format!("profile-{RUN_ID}.html"));
    std::fs::copy(page, to).expect("a page");
}

/// The folder with what comes from npm.
fn modules(helper: &Path) -> PathBuf {
    let built = Command::new(helper.join("build"))
        .output()
        .expect("bash starts");
    assert!(
        built.status.success(),
        "{}",
        String::from_utf8_lossy(&built.stderr)
    );
    PathBuf::from(String::from_utf8_lossy(&built.stdout).trim())
}

fn scenes() -> [(&'static str, Scene); 5] {
    [
        ("normal", Scene::default()),
        (
            "many",
            Scene {
                handlers: 494,
                functions: 100,
                stacks: 800,
                ..Scene::default()
            },
        ),
        (
            "missing",
            Scene {
                handlers: 24,
                missing_percent: 40,
                ..Scene::default()
            },
        ),
        (
            "redacted",
            Scene {
                missing_percent: 20,
                handlers: 12,
                ..Scene::default()
            },
        ),
        (
            "attacks",
            Scene {
                attacks: true,
                ..Scene::default()
            },
        ),
    ]
}
