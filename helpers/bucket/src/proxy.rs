//! A proxy, as HTTPS_PROXY and HTTP_PROXY name one: whatever it is asked to reach, it reaches one server. It speaks
//! HTTP and SOCKS 5 on one port.

use std::sync::{Arc, Mutex};

use anyhow::Result;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, copy_bidirectional};
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

    /// The same proxy's URL where SOCKS is to be spoken.
    pub fn socks_url(&self) -> String {
        self.url.replace("http://", "socks5://")
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

/// One tunnel. How it ends is the client's business.
async fn tunnel(client: TcpStream, server: String, asked: Asked) -> std::io::Result<()> {
    let mut client = BufReader::new(client);
    let is_socks = client.fill_buf().await?.first() == Some(&5);
    if is_socks {
        let target = socks(&mut client).await?;
        asked.lock().expect("no panic").extend(target);
        let mut server = TcpStream::connect(server).await?;
        client.write_all(b"\x05\0\0\x01\0\0\0\0\0\0").await?;
        copy_bidirectional(&mut client, &mut server).await?;
        return Ok(());
    }
    let head = head(&mut client).await?;
    let mut first = head.split([' ', '\r']);
    let is_connect = first.next() == Some("CONNECT");
    let target = first.next().unwrap_or_default();
    let target = target.trim_start_matches("http://");
    let host = target.split('/').next().map(str::to_owned);
    asked.lock().expect("no panic").extend(host);
    let mut server = TcpStream::connect(server).await?;
    if is_connect {
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
    } else {
        // The server sees what the client sent, and so a test does.
        server.write_all(head.as_bytes()).await?;
    }
    copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}

/// Reads the head of a CONNECT (RFC 9110, 9.3.6), or of a request that is to be forwarded (RFC 9112, 3.2.2).
async fn head(client: &mut BufReader<TcpStream>) -> std::io::Result<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if client.read_line(&mut head).await? == 0 {
            break;
        }
    }
    Ok(head)
}

/// Reads a SOCKS 5 client's greeting and its CONNECT (RFC 1928): the name that is to be reached. An address is
/// none: a client that resolves a name by itself is not what the tests are about.
async fn socks(client: &mut BufReader<TcpStream>) -> std::io::Result<Option<String>> {
    const NAME: u8 = 3;
    client.read_u8().await?;
    let mut methods = vec![0; client.read_u8().await?.into()];
    client.read_exact(&mut methods).await?;
    client.write_all(b"\x05\0").await?;
    let mut head = [0; 4];
    client.read_exact(&mut head).await?;
    if head[3] != NAME {
        return Ok(None);
    }
    let mut name = vec![0; client.read_u8().await?.into()];
    client.read_exact(&mut name).await?;
    let port = client.read_u16().await?;
    Ok(Some(format!("{}:{port}", String::from_utf8_lossy(&name))))
}
