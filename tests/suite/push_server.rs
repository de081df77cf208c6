//! A server that profiles are pushed to: it answers as it is told, and keeps what it got.

use std::collections::{BTreeMap, VecDeque};
use std::io::{Cursor, Read};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use cluster_profiler_job::pprof::{Header, ProfileReader};
use flate2::read::MultiGzDecoder;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// What is done with a request.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// This status, with these headers and these words.
    Status(u16, &'static str, String),
    /// A refusal whose words never end.
    Endless,
    /// None, and the connection stays.
    Silence,
    /// The beginning of one that says it was stored.
    Cut,
    /// The connection ends.
    Vanish,
    /// The same, and there will be no other.
    Gone,
}

impl Answer {
    pub(crate) fn of(status: u16, words: &str) -> Self {
        Self::Status(status, "", words.to_owned())
    }
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    /// Its method and path.
    pub(crate) to: String,
    /// Its headers, names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Value,
}

/// A profile as it came.
#[derive(Debug, Clone)]
pub(crate) struct Profile {
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) header: Header,
    pub(crate) totals: Vec<i64>,
    pub(crate) samples: usize,
    /// Labels of its samples.
    pub(crate) sample_labels: usize,
    /// Its size, unpacked.
    pub(crate) bytes: usize,
}

#[derive(Debug, Default)]
struct State {
    answers: VecDeque<Answer>,
    received: Vec<Received>,
    /// That there are to be no more connections, and that there can be none.
    leaving: Arc<Notify>,
    gone: Arc<Notify>,
}

/// The server; it ends with this value.
pub(crate) struct PushServer {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
    serving: JoinHandle<()>,
}

impl PushServer {
    /// A server that answers so, and then that all is stored.
    pub(crate) async fn start(answers: impl IntoIterator<Item = Answer>) -> Self {
        Self::start_with(answers, None).await
    }

    /// The same by TLS, and the certificate of the authority that a client has to trust.
    pub(crate) async fn start_tls(answers: impl IntoIterator<Item = Answer>) -> (Self, String) {
        let identity = standin::tls::identity().expect("an identity");
        let mut config = (*identity.config).clone();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let server = Self::start_with(answers, Some(acceptor)).await;
        (server, identity.ca_pem)
    }

    async fn start_with(
        answers: impl IntoIterator<Item = Answer>,
        acceptor: Option<TlsAcceptor>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(Mutex::new(State {
            answers: answers.into_iter().collect(),
            ..State::default()
        }));
        let shared = Arc::clone(&state);
        let (leaving, gone) = {
            let state = shared.lock().expect("a lock");
            (Arc::clone(&state.leaving), Arc::clone(&state.gone))
        };
        let serving = tokio::spawn(async move {
            loop {
                let stream = tokio::select! {
                    accepted = listener.accept() => accepted.expect("a connection").0,
                    () = leaving.notified() => break,
                };
                let (acceptor, shared) = (acceptor.clone(), Arc::clone(&shared));
                tokio::spawn(async move {
                    match acceptor {
                        None => serve(stream, shared).await,
                        // Who does not trust it hangs up.
                        Some(acceptor) => {
                            if let Ok(stream) = acceptor.accept(stream).await {
                                serve(stream, shared).await;
                            }
                        }
                    }
                });
            }
            drop(listener);
            gone.notify_one();
        });
        Self {
            address,
            state,
            serving,
        }
    }

    /// It as a target of this kind.
    pub(crate) fn target(&self, kind: &str) -> String {
        format!("{kind}+http://{}", self.address)
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.state.lock().expect("a lock").received.clone()
    }

    /// All profiles, as they came.
    pub(crate) fn profiles(&self) -> Vec<Profile> {
        let received = self.received();
        received.iter().flat_map(Received::profiles).collect()
    }
}

impl Drop for PushServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Received {
    pub(crate) fn profiles(&self) -> Vec<Profile> {
        let series = self.body["series"].as_array().expect("series");
        series.iter().map(profile).collect()
    }
}

fn profile(series: &Value) -> Profile {
    let labels = &series["labels"];
    // Parca's are a message of their own.
    let labels = labels.as_array().or(labels["labels"].as_array());
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let pairs = labels.expect("labels").iter();
    let pairs: Vec<_> = pairs
        .map(|label| (text(&label["name"]), text(&label["value"])))
        .collect();
    let count = pairs.len();
    let labels: BTreeMap<_, _> = pairs.into_iter().collect();
    assert_eq!(labels.len(), count, "a label is there twice");
    let samples = series["samples"].as_array().expect("samples");
    assert_eq!(samples.len(), 1);
    let content = text(&samples[0]["rawProfile"]);
    let content = BASE64_STANDARD.decode(content).expect("base64");
    let mut unpacked = Vec::new();
    let unpacking = MultiGzDecoder::new(&*content).read_to_end(&mut unpacked);
    unpacking.expect("a whole profile");
    let mut read = ProfileReader::open(Cursor::new(content)).expect("a profile");
    let (mut count, mut sample_labels) = (0, 0);
    let visited = read.each_sample(|sample| {
        count += 1;
        sample_labels += sample.labels().count();
        Ok(())
    });
    visited.expect("samples");
    Profile {
        labels,
        totals: read.totals().expect("sums"),
        header: read.header().clone(),
        samples: count,
        sample_labels,
        bytes: unpacked.len(),
    }
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, state: Arc<Mutex<State>>) {
    while let Some(received) = request(&mut stream).await {
        let answer = {
            let mut state = state.lock().expect("a lock");
            state.received.push(received);
            state.answers.pop_front()
        };
        let answer = answer.unwrap_or_else(|| Answer::of(200, "{}"));
        let text = match answer {
            Answer::Status(status, headers, words) => {
                let length = words.len();
                format!("HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\n\r\n{words}")
            }
            Answer::Endless => {
                let mut text = "HTTP/1.1 400 X\r\n\r\nno such label".to_owned();
                while stream.write_all(text.as_bytes()).await.is_ok() {
                    text = " and so on".repeat(1000);
                }
                return;
            }
            Answer::Silence => std::future::pending().await,
            Answer::Cut => "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{".to_owned(),
            Answer::Vanish => return,
            Answer::Gone => {
                let gone = {
                    let state = state.lock().expect("a lock");
                    state.leaving.notify_one();
                    Arc::clone(&state.gone)
                };
                gone.notified().await;
                return;
            }
        };
        let written = stream.write_all(text.as_bytes()).await;
        if written.is_err() || text.ends_with("\r\n\r\n{") {
            return;
        }
    }
}

/// Reads a request; `None` at the connection's end.
async fn request(stream: &mut (impl AsyncRead + Unpin)) -> Option<Received> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).expect("text");
    let (first, lines) = head.split_once("\r\n").expect("a line");
    let pairs = lines.lines().filter_map(|line| line.split_once(':'));
    let headers: BTreeMap<_, _> = pairs
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers["content-length"].parse().expect("a length");
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Received {
        to: first.trim_end_matches(" HTTP/1.1").to_owned(),
        headers,
        body: serde_json::from_slice(&body).expect("JSON"),
    })
}
