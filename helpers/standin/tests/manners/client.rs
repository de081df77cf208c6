//! A client that says exactly what it was answered.

use std::collections::BTreeMap;

use http_body_util::BodyExt;
use kube::{
    Client, Config,
    client::Body,
    config::{KubeConfigOptions, Kubeconfig},
};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Value, json};
use standin::{Options, Standin};

pub(crate) const COMPONENTS: &str =
    "kubevirt.io in (virt-api,virt-controller,virt-handler,virt-operator)";

/// A stand-in and a client that found it by its kubeconfig.
pub(crate) struct Bench {
    pub(crate) standin: Standin,
    pub(crate) client: Client,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    /// The body as far as it came.
    pub(crate) body: String,
    /// Whether it ended well.
    pub(crate) ended: bool,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        assert!(self.ended, "the body broke after {} bytes", self.body.len());
        serde_json::from_str(&self.body).expect("JSON")
    }

    /// The names of the pods on a dump's page.
    pub(crate) fn pods(&self) -> Vec<String> {
        self.page().component_results.into_keys().collect()
    }

    /// The token of a dump's page or of a LIST.
    pub(crate) fn token(&self) -> String {
        let page = self.page();
        page.token.or(page.metadata.token).unwrap_or_default()
    }

    fn page(&self) -> Page {
        serde_json::from_str(&self.body).expect("a page")
    }

    /// The names of a pod's files on a dump's page.
    pub(crate) fn files(&self, pod: &str) -> Vec<String> {
        keys(&self.json()["componentResults"][pod]["pprofData"])
    }
}

/// What the tests look at first; the profiles are skipped, for they are long.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Page {
    component_results: BTreeMap<String, IgnoredAny>,
    metadata: ListMeta,
    #[serde(rename = "continue")]
    token: Option<String>,
}

#[derive(Default, Deserialize)]
struct ListMeta {
    #[serde(rename = "continue")]
    token: Option<String>,
}

fn keys(object: &Value) -> Vec<String> {
    object
        .as_object()
        .expect("an object")
        .keys()
        .cloned()
        .collect()
}

impl Bench {
    pub(crate) async fn new(options: Options) -> Self {
        let standin = Standin::start(options).await.expect("it starts");
        let kubeconfig = Kubeconfig::from_yaml(&standin.kubeconfig()).expect("a kubeconfig");
        let options = KubeConfigOptions::default();
        let mut config = Config::from_custom_kubeconfig(kubeconfig, &options)
            .await
            .expect("a config");
        // Else kube asks again after 429 and 503, and a test never sees them.
        config.default_retry = false;
        let client = Client::try_from(config).expect("a client");
        Self { standin, client }
    }

    pub(crate) async fn send(&self, method: &str, path: &str, body: String) -> Answer {
        self.try_send(method, path, body).await.expect("an answer")
    }

    /// Sends a merge patch.
    pub(crate) async fn patch(&self, path: &str, patch: Value) -> Answer {
        let headers = [("content-type", "application/merge-patch+json")];
        let answer = self.send_with("PATCH", path, &headers, patch.to_string());
        answer.await.expect("an answer")
    }

    /// Nothing when the connection was closed without an answer.
    pub(crate) async fn try_send(&self, method: &str, path: &str, body: String) -> Option<Answer> {
        let headers = [("content-type", "application/json")];
        self.send_with(method, path, &headers, body).await
    }

    pub(crate) async fn send_with(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Option<Answer> {
        let mut request = http::Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request
            .body(Body::from(body.into_bytes()))
            .expect("a request");
        let response = self.client.send(request).await.ok()?;
        let (parts, mut body) = response.into_parts();
        let content_type = parts
            .headers
            .get("content-type")
            .map(|it| it.to_str().expect("text"));
        let mut bytes = Vec::new();
        let ended = loop {
            match body.frame().await {
                None => break true,
                Some(Err(_)) => break false,
                Some(Ok(frame)) => bytes.extend(frame.into_data().unwrap_or_default()),
            }
        };
        Some(Answer {
            status: parts.status.as_u16(),
            content_type: content_type.unwrap_or_default().to_owned(),
            body: String::from_utf8(bytes).expect("UTF-8"),
            ended,
        })
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, String::new()).await
    }

    pub(crate) async fn start(&self) -> Answer {
        self.call("start", String::new()).await
    }

    pub(crate) async fn stop(&self) -> Answer {
        self.call("stop", String::new()).await
    }

    pub(crate) async fn dump(&self, selector: &str, token: &str, size: i64) -> Answer {
        let body = json!({ "labelSelector": selector, "continue": token, "pageSize": size });
        self.call("dump", body.to_string()).await
    }

    pub(crate) async fn call(&self, call: &str, body: String) -> Answer {
        let path = format!("/apis/subresources.kubevirt.io/v1/{call}-cluster-profiler");
        self.send("GET", &path, body).await
    }

    /// LISTs component pods.
    pub(crate) async fn list(&self, limit: usize, token: &str) -> Answer {
        let selector: String = form_urlencoded::byte_serialize(COMPONENTS.as_bytes()).collect();
        let path = format!(
            "/api/v1/namespaces/kubevirt/pods?labelSelector={selector}&limit={limit}&continue={token}"
        );
        self.get(&path).await
    }
}
