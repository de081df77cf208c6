//! A client of one server: the requests, what it answers, and what is known of a request that it does not answer.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::capture_connection;
use kube::Client;
use kube::client::Body;
use tokio::time::timeout;

use super::headers::{headers, secrets_of};
use super::labels::Label;
use super::profile::Pushed;
use crate::cluster::connect::client_of;
use crate::config::{PushAccess, PushServer, PushTarget};
use crate::errors::{self, chain, plain, speaks_no_tls, unknown_to_tls};
use crate::limits::PUSH_SHORT;
use crate::trust;

/// The most bytes of an answer that are read.
const MOST_OF_ANSWER: usize = 64 * 1024;

/// A server's words are cut after so many characters.
const LONGEST_WORDS: usize = 500;

/// What is known of a request once it is over.
#[derive(Debug)]
pub(super) enum Reply {
    /// The server has answered.
    Answered(Answer),
    /// The request did not reach it.
    NotSent {
        /// Why.
        why: String,
        /// Whether it may reach it later.
        may_pass: bool,
    },
    /// It may have reached it, and nobody knows what became of it.
    Unanswered(String),
}

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// How long it asks to be left alone.
    pub(super) retry_after: Option<Duration>,
    /// Its own words, as they came.
    pub(super) words: String,
}

/// A client of one server.
pub(super) struct PushClient {
    client: Client,
    server: PushServer,
    /// For a whole answer.
    patience: Duration,
    /// Parts of the headers, which nothing that is written shows.
    secrets: Vec<String>,
}

impl PushClient {
    /// # Errors
    /// The headers, the certificates or the proxy cannot be used.
    pub(super) fn new(
        target: &PushTarget,
        access: &PushAccess,
        patience: Duration,
    ) -> Result<Self, String> {
        let mut config = kube::Config::new(target.url.clone());
        config.connect_timeout = Some(PUSH_SHORT);
        config.default_retry = false;
        config.headers = headers(access)?;
        let usual = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter();
        let mut trusted: Vec<_> = usual.map(|certificate| certificate.to_vec()).collect();
        for (variable, path) in &access.ca_bundles {
            let more = trust::certificates(variable, path).map_err(|error| error.to_string())?;
            trusted.extend(more.iter().map(|certificate| certificate.to_vec()));
        }
        config.root_cert = Some(trusted);
        let headers = config.headers.iter();
        let mut secrets: Vec<_> = headers.flat_map(|(_, value)| secrets_of(value)).collect();
        let proxy = access.proxies.of(&target.url);
        // A fault of its URL is one of the client's, below.
        let proxy = proxy.and_then(|proxy| proxy.proxy().ok());
        let password = proxy.as_ref().and_then(|proxy| proxy.target.basic_auth());
        secrets.extend(password.into_iter().flat_map(secrets_of));
        // What a part is in goes first.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        let client = client_of(&config, &access.proxies);
        Ok(Self {
            client: client.map_err(|error| chain(error.as_ref()))?,
            server: target.server,
            patience,
            secrets,
        })
    }

    /// Sends one pod's profiles, in one request, until `told` says why that is to end.
    pub(super) async fn send(
        &self,
        labels: &[Label],
        profiles: &[&Pushed],
        told: impl Future<Output = String>,
    ) -> Reply {
        let path = match self.server {
            PushServer::Pyroscope => "/push.v1.PusherService/Push",
            PushServer::Parca => "/api/profiles/writeraw",
        };
        let body = serde_json::to_vec(&self.message(labels, profiles));
        let request = body.map_err(|error| error.to_string()).and_then(|body| {
            let request = Request::post(path).header(CONTENT_TYPE, "application/json");
            request
                .body(Body::from(body))
                .map_err(|error| error.to_string())
        });
        let mut request = match request {
            Ok(request) => request,
            Err(why) => {
                return Reply::NotSent {
                    why,
                    may_pass: false,
                };
            }
        };
        let connected = capture_connection(&mut request);
        let patience = self.patience;
        let (why, may_pass) = tokio::select! {
            biased;
            why = told => (why, false),
            exchanged = timeout(patience, self.exchange(request)) => match exchanged {
                Ok(reply) => return reply,
                Err(_) => (format!("no answer came within {patience:?}"), true),
            },
        };
        // A name may be looked up until then, or TLS agreed upon.
        if connected.connection_metadata().is_none() {
            return Reply::NotSent { why, may_pass };
        }
        Reply::Unanswered(why)
    }

    async fn exchange(&self, request: Request<Body>) -> Reply {
        let response = match self.client.send(request).await {
            Ok(response) => response,
            Err(error) => return self.failed(&error),
        };
        let status = response.status();
        let retry_after = response.headers().get(RETRY_AFTER);
        let retry_after = retry_after.and_then(|value| errors::retry_after(value.to_str().ok()?));
        let (mut body, mut words) = (response.into_body(), Vec::new());
        // Nobody needs what stands behind that much.
        while words.len() < MOST_OF_ANSWER {
            match body.frame().await {
                None => break,
                Some(Ok(frame)) => words.extend(frame.into_data().unwrap_or_default()),
                Some(Err(error)) => {
                    return Reply::Unanswered(format!(
                        "its answer, {status}, ended too early: {}",
                        self.shown(&chain(&error))
                    ));
                }
            }
        }
        Reply::Answered(Answer {
            status,
            retry_after,
            words: String::from_utf8_lossy(&words).into_owned(),
        })
    }

    /// What is known of a request that failed. Only one that found no connection is known not to have been sent.
    fn failed(&self, error: &kube::Error) -> Reply {
        let mut why = self.shown(&chain(error));
        if !is_of_connecting(error) {
            return Reply::Unanswered(why);
        }
        let is_untrusted = why.contains("invalid peer certificate");
        let is_plain = speaks_no_tls(error);
        if let Some(what) = unknown_to_tls(error) {
            why = format!("{why}; {what}");
        } else if is_untrusted {
            why.push_str("; its certificate is not trusted: give its authority's in AWS_CA_BUNDLE or SSL_CERT_FILE");
        } else if is_plain {
            why.push_str("; it speaks no TLS there: such a server is named with +http");
        }
        Reply::NotSent {
            why,
            may_pass: !is_untrusted && !is_plain,
        }
    }

    /// Words of somebody else's, without what is secret, in one line. What JSON escapes is read as what it stands for.
    pub(super) fn shown(&self, words: &str) -> String {
        let without = |words: String| {
            let secrets = self.secrets.iter();
            secrets.fold(words, |words, secret| words.replace(secret, "…"))
        };
        let words = without(unescaped(&without(words.to_owned())));
        plain(&words).chars().take(LONGEST_WORDS).collect()
    }

    /// The message of a request.
    fn message(&self, labels: &[Label], profiles: &[&Pushed]) -> serde_json::Value {
        let series = profiles.iter().map(|profile| {
            let content = BASE64_STANDARD.encode(&profile.content);
            let mut own = vec![label("__name__", profile.name)];
            match self.server {
                PushServer::Pyroscope => {
                    // It would take a running total for a difference, and store nothing the first time.
                    own.push(label("__delta__", "false"));
                    own.extend_from_slice(labels);
                    own.sort();
                    serde_json::json!({
                        "labels": own,
                        "samples": [{ "ID": random_uuid(), "rawProfile": content }],
                    })
                }
                PushServer::Parca => {
                    own.extend_from_slice(labels);
                    serde_json::json!({
                        "labels": { "labels": own },
                        "samples": [{ "rawProfile": content }],
                    })
                }
            }
        });
        let series: Vec<_> = series.collect();
        match self.server {
            PushServer::Pyroscope => serde_json::json!({ "series": series }),
            PushServer::Parca => serde_json::json!({ "series": series, "normalized": true }),
        }
    }
}

/// A text with the characters for which JSON's escapes in it stand. RFC 8259
fn unescaped(text: &str) -> String {
    let mut units = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        units.extend(before.encode_utf16());
        let number = after.strip_prefix('u').and_then(|digits| digits.get(..4));
        let number = number.and_then(|digits| u16::from_str_radix(digits, 16).ok());
        let (unit, length) = match (number, after.as_bytes().first()) {
            (Some(number), _) => (number, 5),
            (None, Some(b'n')) => (b'\n'.into(), 1),
            (None, Some(b't')) => (b'\t'.into(), 1),
            (None, Some(escaped @ (b'"' | b'\\' | b'/'))) => ((*escaped).into(), 1),
            (None, _) => (b'\\'.into(), 0),
        };
        units.push(unit);
        rest = &after[length..];
    }
    units.extend(rest.encode_utf16());
    String::from_utf16_lossy(&units)
}

fn label(name: &str, value: &str) -> Label {
    Label {
        name: name.to_owned(),
        value: value.to_owned(),
    }
}

/// A UUID of random numbers. RFC 9562
fn random_uuid() -> String {
    let number = fastrand::u128(..);
    let number = number & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let hex = format!("{number:032x}");
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

/// Whether an error is that there was no connection.
fn is_of_connecting(error: &(dyn std::error::Error + 'static)) -> bool {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes
        .filter_map(|error| error.downcast_ref::<legacy::Error>())
        .any(legacy::Error::is_connect)
}
