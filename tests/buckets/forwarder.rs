//! Stands before a server and decides how many bytes of the client's reach it, and when.

use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::flow::{State, accept};

/// Longer than anything that is waited for takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often a slow one lets something pass.
const TICK: Duration = Duration::from_millis(50);

/// Passes connections on to a server; it ends with this value.
pub(crate) struct Forwarder {
    /// Where it is: the server's certificate is good for it, too.
    pub(crate) url: String,
    state: watch::Sender<State>,
    tasks: JoinSet<()>,
}

impl Forwarder {
    /// Lets so many bytes pass, and holds what comes then.
    pub(crate) async fn holding_after(port: u16, bytes: u64) -> Self {
        Self::new(port, bytes).await
    }

    /// Holds nothing.
    pub(crate) async fn open(port: u16) -> Self {
        Self::new(port, u64::MAX).await
    }

    /// Lets so many bytes pass in any second, and never more.
    pub(crate) async fn slow(port: u16, bytes_a_second: u64) -> Self {
        let mut slow = Self::new(port, 0).await;
        let at_once = bytes_a_second * TICK.as_millis() as u64 / 1000;
        let state = slow.state.clone();
        slow.tasks.spawn(async move {
            let mut ticks = interval(TICK);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                // What was not used is not saved up.
                state.send_modify(|state| state.allowed = state.passed + at_once);
            }
        });
        slow
    }

    async fn new(port: u16, allowed: u64) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.expect("a port");
        let address = listener.local_addr().expect("an address");
        let state = watch::Sender::new(State {
            allowed,
            ..State::default()
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, port, state.clone()));
        Self {
            url: format!("https://{address}"),
            state,
            tasks,
        }
    }

    /// Holds what comes from now on.
    pub(crate) fn hold(&self) {
        self.state.send_modify(|state| state.allowed = state.passed);
    }

    /// Lets everything pass.
    pub(crate) fn release(&self) {
        self.state.send_modify(|state| state.allowed = u64::MAX);
    }

    /// Breaks all connections.
    pub(crate) fn sever(&self) {
        self.state.send_modify(|state| state.severed += 1);
    }

    /// How many connections came.
    pub(crate) fn connections(&self) -> usize {
        self.state.borrow().connections
    }

    /// Waits until as much has passed as may.
    pub(crate) async fn held(&self) {
        self.until("bytes to hold", |state| state.passed >= state.allowed)
            .await;
    }

    /// Waits until the server did not take a connection.
    pub(crate) async fn refused(&self) {
        self.until("a connection that is refused", |state| state.refused > 0)
            .await;
    }

    async fn until(&self, what: &str, is_so: impl FnMut(&State) -> bool) {
        let mut state = self.state.subscribe();
        let waited = timeout(PATIENCE, state.wait_for(is_so)).await;
        let Ok(so) = waited else {
            panic!("waited in vain for {what}: {:?}", self.state.borrow());
        };
        drop(so.expect("the sender is ours"));
    }
}
