//! Cases, one after another on one ground, with the time that each took.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, ExitCode};
use std::time::Instant;

/// What cases stand on.
pub(crate) trait Ground {
    /// Brings it up.
    fn up(arguments: &[&str]) -> Self;
    /// As it came up, after a case that failed.
    fn reset(&self);
    /// Brings it down.
    fn down(self);
}

/// A case's name, and what it does.
pub(crate) type Case<G> = (&'static str, fn(&G));

/// All of them.
pub(crate) struct Suite {
    words: Vec<String>,
    passed: usize,
    failed: Vec<String>,
}

impl Suite {
    /// The cases with one of this process's arguments in their names, or all. Options are cargo's.
    pub(crate) fn of_arguments() -> Self {
        let arguments = std::env::args().skip(1);
        Self {
            words: arguments.filter(|word| !word.starts_with('-')).collect(),
            passed: 0,
            failed: Vec::new(),
        }
    }

    /// Runs cases on a ground that is brought up with these arguments.
    pub(crate) fn on<G: Ground>(&mut self, ground: &str, arguments: &[&str], cases: &[Case<G>]) {
        let chosen = |(name, _): &&Case<G>| {
            let full = format!("{ground}: {name}");
            self.words.is_empty() || self.words.iter().any(|word| full.contains(word))
        };
        let chosen: Vec<_> = cases.iter().filter(chosen).collect();
        if chosen.is_empty() {
            return;
        }
        let begin = Instant::now();
        let up = G::up(arguments);
        println!("{ground}: up in {:.0} s", begin.elapsed().as_secs_f64());
        for (name, case) in chosen {
            let begin = Instant::now();
            let result = catch_unwind(AssertUnwindSafe(|| case(&up)));
            let seconds = begin.elapsed().as_secs_f64();
            let said = if result.is_ok() { "ok" } else { "FAILED" };
            println!("{ground}: {name} ... {said} ({seconds:.1} s)");
            match result {
                Ok(()) => self.passed += 1,
                Err(_) => {
                    self.failed.push(format!("{ground}: {name}"));
                    up.reset();
                }
            }
        }
        up.down();
    }

    /// The verdict.
    pub(crate) fn end(self) -> ExitCode {
        self.failed
            .iter()
            .for_each(|name| println!("failed: {name}"));
        println!("{} passed, {} failed", self.passed, self.failed.len());
        if self.failed.is_empty() && self.passed > 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

/// Builds a program of the test tree, which cargo does by itself only where it runs all tests.
pub(crate) fn build_example(name: &str) {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--example", name]);
    forget_package(&mut cargo);
    let status = cargo.status().expect("cargo starts");
    assert!(status.success(), "{name} is not built");
}

/// Keeps from a command what cargo tells a test of its package, which would have cargo build half of the dependencies
/// anew.
pub(crate) fn forget_package(command: &mut Command) {
    for (variable, _) in std::env::vars_os() {
        let told = |of: &str| variable.to_string_lossy().starts_with(of);
        if told("CARGO_PKG_") || told("CARGO_MANIFEST_") {
            command.env_remove(&variable);
        }
    }
}
