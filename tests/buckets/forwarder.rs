//! Stands before a server and decides how many bytes of the client's reach it, and when.

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

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

#[derive(Debug, Default)]
struct State {
    /// The client's bytes that have passed, of all connections.
    passed: u64,
    /// Those that may.
    allowed: u64,
    /// Connections that came.
    connections: usize,
    /// Those that the server did not take.
    refused: usize,
    /// Grows when all that are open are to break.
    severed: usize,
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
            tasks: tasks,
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

async fn accept(listener: TcpListener, port: u16, state: watch::Sender<State>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((client, _)) = accepted {
                state.send_modify(|state| state.connections += 1);
                connections.spawn(forward(client, port, state.clone()));
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// One connection. It ends when either side does, which is the client's business.
async fn forward(client: TcpStream, port: u16, state: watch::Sender<State>) {
    let mut changes = state.subscribe();
    let severed = changes.borrow().severed;
    let open = changes.wait_for(|state| state.passed < state.allowed).await;
    drop(open);
    let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await else {
        state.send_modify(|state| state.refused += 1);
        return;
    };
    let (mut answers, requests) = server.into_split();
    let (from_client, mut to_client) = client.into_split();
    tokio::select! {
        _ = pass(from_client, requests, &state) => {}
        _ = copy(&mut answers, &mut to_client) => {}
        _ = changes.wait_for(|state| state.severed > severed) => {}
    }
}

async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    state: &watch::Sender<State>,
) -> io::Result<()> {
    let mut bytes = vec![0; 64 << 10];
    loop {
        let read = from.read(&mut bytes).await?;
        if read == 0 {
            return Ok(());
        }
        let mut rest = &bytes[..read];
        while !rest.is_empty() {
            let (now, later) = rest.split_at(allowance(state, rest.len()).await);
            to.write_all(now).await?;
            rest = later;
        }
    }
}

/// Waits until some bytes may pass, and says how many of these do.
async fn allowance(state: &watch::Sender<State>, wanted: usize) -> usize {
    let mut changes = state.subscribe();
    loop {
        let mut taken = 0;
        state.send_if_modified(|state| {
            taken = (wanted as u64).min(state.allowed.saturating_sub(state.passed));
            state.passed += taken;
            taken > 0
        });
        if taken > 0 {
            return taken as usize;
        }
        let more = changes.wait_for(|state| state.passed < state.allowed).await;
        drop(more.expect("the sender is borrowed"));
    }
}
