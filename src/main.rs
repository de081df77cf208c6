//! The binary: environment, arguments and signals in, one call, an exit code out.

mod cli;

use std::process::ExitCode;

use clap::Parser;
use cli::{Cli, Command};
use cluster_profiler_job::commands::{Accepting, Bounds, Fetch};
use cluster_profiler_job::limits::Limits;
use cluster_profiler_job::report::Wanted;
use cluster_profiler_job::{commands, outcome, run};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// musl's own maps and unmaps memory for each TLS record, which costs a fourth of a run's time, and glibc's keeps
/// memory for each thread.
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

fn main() -> std::io::Result<ExitCode> {
    let command = Cli::parse().command;
    let environment: Vec<_> = std::env::vars_os().collect();
    let runtime = runtime()?;
    let code = match command {
        None => runtime.block_on(run::run(environment, signals(&runtime)?)),
        Some(Command::Stop { exit_code }) => commands::stop(environment, exit_code),
        Some(Command::Undo) => runtime.block_on(commands::undo_until_told(
            environment,
            Limits::default(),
            signals(&runtime)?,
        )),
        Some(Command::Convert {
            source,
            dest,
            drop_originals,
            max_bytes,
            max_entries,
        }) => {
            let bounds = Bounds {
                bytes: max_bytes.as_u64(),
                entries: max_entries,
            };
            let signals = signals(&runtime)?;
            commands::convert(&source, &dest, !drop_originals, bounds, signals)
        }
        Some(Command::Ls) => {
            let signals = signals(&runtime)?;
            runtime.block_on(commands::unless_told(commands::ls(environment), signals))
        }
        Some(Command::Get {
            run_id,
            report,
            output,
        }) => {
            let signals = signals(&runtime)?;
            let fetch = Fetch {
                run_id,
                report,
                output,
            };
            let get = commands::get(environment, fetch);
            runtime.block_on(commands::unless_told(get, signals))
        }
        Some(Command::Report(arguments)) => {
            let signals = signals(&runtime)?;
            let (run, reporting) = arguments.reporting();
            let report = commands::report(environment, run, reporting);
            runtime.block_on(commands::unless_told(report, signals))
        }
        Some(Command::Top {
            run,
            component,
            kind,
            pod,
            json,
        }) => {
            let signals = signals(&runtime)?;
            let wanted = Wanted {
                component,
                kind: Some(kind),
                pod,
                ..Wanted::default()
            };
            let top = async move { commands::top(environment, &run, wanted, json).await };
            runtime.block_on(commands::unless_told(top, signals))
        }
        Some(Command::Diff(arguments)) => {
            let signals = signals(&runtime)?;
            let diff = commands::diff(environment, arguments.comparing());
            runtime.block_on(commands::unless_told(diff, signals))
        }
        Some(Command::Accept { run_id, by, why }) => {
            let signals = signals(&runtime)?;
            let by = by.or_else(|| std::env::var("USER").ok());
            let accepting = Accepting { run_id, by, why };
            let accept = commands::accept(environment, accepting);
            runtime.block_on(commands::unless_told(accept, signals))
        }
        Some(Command::Export { run, output, .. }) => {
            let signals = signals(&runtime)?;
            let export = commands::export(environment, run, output);
            runtime.block_on(commands::unless_told(export, signals))
        }
        Some(Command::Push { run, target, time }) => {
            let signals = signals(&runtime)?;
            runtime.block_on(commands::push(environment, run, &target, time, signals))
        }
        Some(Command::Hold { wait }) => runtime.block_on(commands::hold(wait, signals(&runtime)?)),
        Some(Command::Ready { wait }) => {
            let signals = signals(&runtime)?;
            let ready = commands::ready(environment, wait);
            runtime.block_on(commands::unless_told(ready, signals))
        }
    };
    // A thread that still reads a dump nobody wants must not hold the exit up.
    runtime.shutdown_background();
    Ok(code.into())
}

/// A runtime with two threads at least: a log that blocks one must not keep signals from being heard.
fn runtime() -> std::io::Result<Runtime> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    Builder::new_multi_thread()
        .worker_threads(processors.max(2))
        .enable_all()
        .build()
}

/// A receiver of the signals that tell a process to stop, as the exit codes for them.
fn signals(runtime: &Runtime) -> std::io::Result<mpsc::Receiver<outcome::ExitCode>> {
    let _inside = runtime.enter();
    let mut term = signal(SignalKind::terminate())?;
    let mut int = signal(SignalKind::interrupt())?;
    // A closed terminal or a lost connection, and Ctrl-backslash.
    let mut hangup = signal(SignalKind::hangup())?;
    let mut quit = signal(SignalKind::quit())?;
    let (sender, receiver) = mpsc::channel(8);
    runtime.spawn(async move {
        loop {
            let code = tokio::select! {
                Some(()) = term.recv() => outcome::ExitCode::Terminated,
                Some(()) = hangup.recv() => outcome::ExitCode::Terminated,
                Some(()) = quit.recv() => outcome::ExitCode::Terminated,
                Some(()) = int.recv() => outcome::ExitCode::Interrupted,
                else => return,
            };
            if sender.send(code).await.is_err() {
                return;
            }
        }
    });
    Ok(receiver)
}
