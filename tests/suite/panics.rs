//! A defect in an engine ends the run as one, and profiling is off all the same.

use cluster_profiler_job::cluster::call::CallError;
use cluster_profiler_job::engine::{DumpPlan, Engine, PodDump};
use cluster_profiler_job::limits::Limits;
use cluster_profiler_job::outcome::ExitCode;
use cluster_profiler_job::run::phase::{Clock, Phase, Undo};
use cluster_profiler_job::run::{Fault, run_with, supervisor};
use futures::FutureExt;
use futures::future::BoxFuture;
use standin::{Options, Standin};
use tokio::sync::mpsc;

use crate::harness::{Place, listing};

#[derive(Debug)]
struct Panicking;

impl Engine for Panicking {
    fn name(&self) -> &'static str {
        "panicking"
    }

    fn dump(&self, _: DumpPlan, _: mpsc::Sender<PodDump>) -> BoxFuture<'_, Result<(), CallError>> {
        async { panic!("an engine's defect") }.boxed()
    }
}

#[tokio::test]
async fn an_engine_that_panics_gives_101_and_a_stop() {
    let standin = Standin::start(Options::default())
        .await
        .expect("a stand-in");
    let place = Place::new(&standin);
    let (_signals, receiver) = mpsc::channel(1);
    let code = run_with(place.variables(), receiver, Limits::default(), |_| {
        Box::new(Panicking)
    })
    .await;
    assert_eq!(code, ExitCode::Panic);
    assert_eq!(standin.starts(), 1);
    assert!(standin.profiling().is_empty());
    assert!(
        listing(&place.out()).is_empty(),
        "something was left: {:?}",
        listing(&place.out())
    );
    let message = std::fs::read_to_string(place.path("termination")).expect("a message");
    assert!(message.contains("an engine's defect"), "{message}");
}

#[tokio::test]
async fn a_panic_in_any_phase_is_undone_as_that_phase_says() {
    for phase in Phase::ALL {
        let (mut clock, watcher) = Clock::new();
        let work = async move {
            clock.enter(phase);
            panic!("in {}", phase.name());
            #[expect(unreachable_code, reason = "it gives the work its type")]
            Ok::<(), Fault>(())
        };
        let undone = std::sync::Mutex::new(Vec::new());
        let undo = async |step: Undo| {
            undone.lock().expect("no panic here").push(step);
            None
        };
        let never = std::future::pending();
        let ended = supervisor::supervise(work, &watcher, never, undo).await;
        assert_eq!(ended.expect_err("it panicked").code, ExitCode::Panic);
        assert_eq!(*undone.lock().expect("no panic here"), phase.undo());
        let before = [Phase::Preflight, Phase::Lock, Phase::Gate, Phase::Baseline];
        let started = !before.contains(&phase);
        let stops = |step: &Undo| matches!(step, Undo::Stop | Undo::CancelStart);
        assert_eq!(phase.undo().iter().any(stops), started, "{phase:?}");
    }
}

#[tokio::test]
async fn a_lock_that_is_lost_while_undoing_ends_the_undoing() {
    let (mut clock, watcher) = Clock::new();
    let work = async move {
        clock.enter(Phase::Window);
        Err::<(), _>(Fault::new(ExitCode::NotAllowed, "the work's own"))
    };
    let (lose, lost) = tokio::sync::oneshot::channel();
    let (lose, undone) = (
        std::sync::Mutex::new(Some(lose)),
        std::sync::Mutex::new(Vec::new()),
    );
    let undo = async |step: Undo| {
        undone.lock().expect("no panic here").push(step);
        if step == Undo::Stop {
            let lose = lose.lock().expect("no panic here").take();
            lose.expect("one stop").send(()).expect("it is waited for");
            std::future::pending::<()>().await;
        }
        None
    };
    let lost = async {
        lost.await.expect("it is told");
        Fault::new(ExitCode::Retry, "the lock is lost")
    };
    let ended = supervisor::supervise(work, &watcher, lost, undo).await;
    let fault = ended.expect_err("it failed");
    assert_eq!(fault.code, ExitCode::Retry);
    assert!(fault.message.starts_with("the lock is lost"), "{fault}");
    assert!(fault.message.contains("the work's own"), "{fault}");
    let undone = undone.into_inner().expect("no panic here");
    assert_eq!(undone, [Undo::NotReady, Undo::Stop]);
}
