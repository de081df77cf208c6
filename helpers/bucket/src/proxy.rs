//! A proxy for HTTPS, as HTTPS_PROXY names one: whatever it is asked to reach, it reaches one server.

use std::sync::{Arc, Mutex};

use anyhow::Result;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

/// The hosts that clients asked for.
type Asked = Arc<Mutex<Vec<String>>>;

/// A proxy, which runs until this value is dropped.
#[derive(Debug)]
pub struct Proxy {
    url: String,
    asked: Asked,
    serving: AbortHandle,
}

impl Proxy {
    /// Starts a proxy that leads every client to this server, such as `127.0.0.1:9000`.
    ///
    /// # Errors
    /// No port can be had.
    pub async fn start(server: String) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let asked = Asked::default();
        let serving = tokio::spawn(serve(listener, server, Arc::clone(&asked)));
        Ok(Self {
            url,
            asked,
            serving: serving.abort_handle(),
        })
    }

    /// The proxy's URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The hosts, with their ports, that it was asked to reach.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no panic").clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, server: String, asked: Asked) {
    let mut tunnels = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((client, _)) = accepted {
                tunnels.spawn(tunnel(client, server.clone(), Arc::clone(&asked)));
            },
            Some(_) = tunnels.join_next() => {}
        }
    }
}

/// One tunnel (RFC 9110, 9.3.6). How it ends is the client's business.
async fn tunnel(client: TcpStream, server: String, asked: Asked) -> std::io::Result<()> {
    let mut client = BufReader::new(client);
    let mut line = String::new();
    client.read_line(&mut line).await?;
    let target = line
        .split(' ')
        .nth(1)
        .filter(|_| line.starts_with("CONNECT "));
    asked
        .lock()
        .expect("no panic")
        .extend(target.map(str::to_owned));
    while line.trim_end() != "" {
        line.clear();
        client.read_line(&mut line).await?;
    }
    let mut server = TcpStream::connect(server).await?;
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
    copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}
