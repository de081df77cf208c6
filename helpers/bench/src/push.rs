//! A server that takes whatever is pushed to it, at once.

use anyhow::Result;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

const STORED: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";

/// The server, which runs until this value is dropped.
#[derive(Debug)]
pub struct PushServer {
    target: String,
    serving: AbortHandle,
}

impl PushServer {
    /// Starts it on the loopback.
    ///
    /// # Errors
    /// No port can be had.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let target = format!("pyroscope+http://{}", listener.local_addr()?);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // How a connection ends is the client's business.
                tokio::spawn(serve(stream));
            }
        });
        Ok(Self {
            target,
            serving: serving.abort_handle(),
        })
    }

    /// It as PROFILER_PUSH names it.
    pub fn target(&self) -> &str {
        &self.target
    }
}

impl Drop for PushServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(stream: TcpStream) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let (mut line, mut length) = (String::new(), 0);
        while line.trim_end() != "" || line.is_empty() {
            line.clear();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            let (name, value) = line.split_once(':').unwrap_or_default();
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().unwrap_or_default();
            }
        }
        let mut body = (&mut stream).take(length);
        tokio::io::copy(&mut body, &mut tokio::io::sink()).await?;
        stream.write_all(STORED).await?;
    }
}
