//! Connections through a forwarder: the client's bytes pass as far as they are allowed to, the server's
//! at once.

use std::io;
use std::net::Ipv4Addr;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What may pass, and what has.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// The client's bytes that have passed, of all connections.
    pub(crate) passed: u64,
    /// Those that may.
    pub(crate) allowed: u64,
    /// Connections that came.
    pub(crate) connections: usize,
    /// Those that the server did not take.
    pub(crate) refused: usize,
    /// Grows when all that are open are to break.
    pub(crate) severed: usize,
}

/// Takes connections until it is aborted; they end with it.
pub(crate) async fn accept(listener: TcpListener, port: u16, state: watch::Sender<State>) {
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
