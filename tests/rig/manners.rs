//! The stand-in answers as this control plane does: the same requests to both, and of each answer the
//! status, the content type and what the runner reads of the body.

use std::path::Path;

use http::{Method, Request};
use http_body_util::BodyExt;
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::{Value, json};
use standin::{Options, Standin};

use crate::setup::{Rig, until};

/// What is compared of an answer.
#[derive(Debug, PartialEq)]
struct Answer {
    status: u16,
    content_type: String,
    body: Value,
}

const PROFILER: &str = "/apis/subresources.kubevirt.io/v1";
const ALL: &str = "kubevirt.io in (virt-api,virt-controller,virt-handler,virt-operator)";

/// Both control planes.
struct Both {
    runtime: tokio::runtime::Runtime,
    real: Client,
    standin: Client,
}

async fn client(kubeconfig: &Path) -> Client {
    let kubeconfig = Kubeconfig::read_from(kubeconfig).expect("a kubeconfig");
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    let mut config = config.expect("a configuration");
    config.default_retry = false;
    Client::try_from(config).expect("a client")
}

async fn ask(
    client: &Client,
    (method, path, body): (&Method, &str, &str),
) -> (u16, String, String) {
    let content_type = match *method {
        Method::PATCH => "application/merge-patch+json",
        _ => "application/json",
    };
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", content_type)
        .body(Body::from(body.as_bytes().to_vec()));
    let response = client
        .send(request.expect("a request"))
        .await
        .expect("an answer");
    let status = response.status().as_u16();
    let content_type = response.headers().get("content-type");
    let content_type = content_type.map(|value| value.to_str().expect("text").to_owned());
    let body = response
        .into_body()
        .collect()
        .await
        .expect("a body")
        .to_bytes();
    (
        status,
        content_type.unwrap_or_default(),
        String::from_utf8_lossy(&body).into_owned(),
    )
}

/// What the runner reads: of a Status its reason and message, of a page its shape, else the text.
fn reduced(body: &str) -> Value {
    let Ok(json) = serde_json::from_str::<Value>(body) else {
        // How a parser words its complaint is nothing that a client reads.
        let parsers = ["unable to parse requirement", "continue key is not valid: "];
        let end = parsers
            .iter()
            .find_map(|parser| Some(body.find(parser)? + parser.len()));
        return json!(body[..end.unwrap_or(body.len())].trim());
    };
    if json["kind"] == "Status" {
        let names = json["details"]["name"].clone();
        return json!({ "reason": json["reason"], "code": json["code"], "message": json["message"], "name": names });
    }
    if let Some(pods) = json["componentResults"].as_object() {
        let files = |pod: &Value| -> Vec<String> {
            let files = pod["pprofData"].as_object().expect("files");
            files.keys().cloned().collect()
        };
        let files: Vec<_> = pods.values().map(files).collect();
        let more = json["continue"]
            .as_str()
            .is_some_and(|token| !token.is_empty());
        return json!({ "files": files, "more": more });
    }
    let read = ["kind", "apiVersion", "spec", "preferredVersion"];
    let read = read.map(|field| (field.to_owned(), json[field].clone()));
    read.into_iter().collect()
}

impl Both {
    fn answer(&self, client: &Client, asked: (&Method, &str, &str)) -> Answer {
        let (status, content_type, body) = self.runtime.block_on(ask(client, asked));
        Answer {
            status,
            content_type,
            body: reduced(&body),
        }
    }

    /// Both answer alike, and with this status.
    fn agree(&self, status: u16, method: Method, path: &str, body: &str) -> Answer {
        let asked = (&method, path, body);
        let real = self.answer(&self.real, asked);
        let standin = self.answer(&self.standin, asked);
        assert_eq!(standin, real, "{method} {path} {body}");
        assert_eq!(real.status, status, "{method} {path} {body}: {real:?}");
        real
    }

    /// A continue token of each, from a LIST of one pod.
    fn tokens(&self, namespace: &str) -> [String; 2] {
        let selector = "kubevirt.io%20in%20(virt-api,virt-controller,virt-handler,virt-operator)";
        let path = format!("/api/v1/namespaces/{namespace}/pods?limit=1&labelSelector={selector}");
        [&self.real, &self.standin].map(|client| {
            let (status, _, body) = self
                .runtime
                .block_on(ask(client, (&Method::GET, &path, "")));
            assert_eq!(status, 200);
            let list: Value = serde_json::from_str(&body).expect("JSON");
            list["metadata"]["continue"]
                .as_str()
                .expect("a token")
                .to_owned()
        })
    }
}

fn page(selector: &str, token: &str, size: u32) -> String {
    json!({ "labelSelector": selector, "continue": token, "pageSize": size }).to_string()
}

impl Both {
    fn new(rig: &Rig, options: Options) -> (Self, Standin) {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let standin = runtime
            .block_on(Standin::start(options))
            .expect("a stand-in");
        let kubeconfig = tempfile::NamedTempFile::new().expect("a file");
        standin
            .write_kubeconfig(kubeconfig.path())
            .expect("it is written");
        let both = Self {
            real: runtime.block_on(client(&rig.path("kubeconfig"))),
            standin: runtime.block_on(client(kubeconfig.path())),
            runtime,
        };
        (both, standin)
    }
}

pub(crate) fn the_same(rig: &Rig) {
    let options = Options {
        pods: 6,
        unrelated: 45,
        gate: false,
        ..Options::default()
    };
    let (both, standin) = Both::new(rig, options);
    let (start, stop, dump) = (
        format!("{PROFILER}/start-cluster-profiler"),
        format!("{PROFILER}/stop-cluster-profiler"),
        format!("{PROFILER}/dump-cluster-profiler"),
    );
    both.agree(200, Method::GET, "/apis/subresources.kubevirt.io", "");
    for path in [&start, &stop, &dump] {
        both.agree(403, Method::GET, path, "");
    }
    rig.turn(true);
    standin.set_gate(true);
    both.agree(400, Method::GET, &dump, "");
    both.agree(400, Method::GET, &dump, "{");
    both.agree(400, Method::GET, &dump, &page("a in (", "", 1));
    both.agree(400, Method::GET, &dump, &page(ALL, "nonsense", 1));
    both.agree(204, Method::GET, &dump, &page("kubevirt.io=nothing", "", 1));
    both.agree(204, Method::GET, &dump, &page("", "", 10));
    both.agree(200, Method::GET, &start, "");
    // While it profiles: no cpu yet.
    both.agree(
        200,
        Method::GET,
        &dump,
        &page("kubevirt.io=virt-operator", "", 1),
    );
    both.agree(200, Method::GET, &stop, "");
    both.agree(200, Method::GET, &stop, "");
    both.agree(
        200,
        Method::GET,
        &dump,
        &page("kubevirt.io=virt-operator", "", 1),
    );
    let [real, ours] = both.tokens(&rig.namespace);
    let with =
        |client, token: &str| both.answer(client, (&Method::GET, &dump, &page(ALL, token, 1)));
    assert_eq!(
        with(&both.standin, &ours),
        with(&both.real, &real),
        "a token of a LIST"
    );
    leases(&both, &rig.namespace);
    aged(&both, rig, (&standin, &dump));
    let kubevirt = format!(
        "/apis/kubevirt.io/v1/namespaces/{}/kubevirts",
        rig.namespace
    );
    let stale = r#"{"metadata":{"resourceVersion":"1"},"spec":{"configuration":{}}}"#;
    both.agree(409, Method::PATCH, &format!("{kubevirt}/kubevirt"), stale);
    both.agree(404, Method::GET, &format!("{kubevirt}/other"), "");
    rig.turn(false);
}

fn leases(both: &Both, namespace: &str) {
    let all = format!("/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases");
    let one = format!("{all}/manners");
    let lease = |version: Option<&str>| {
        json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": { "name": "manners", "resourceVersion": version },
            "spec": { "holderIdentity": "a/1", "leaseDurationSeconds": 60 },
        })
        .to_string()
    };
    both.agree(404, Method::GET, &one, "");
    both.agree(201, Method::POST, &all, &lease(None));
    both.agree(409, Method::POST, &all, &lease(None));
    both.agree(200, Method::GET, &one, "");
    both.agree(409, Method::PUT, &one, &lease(Some("1")));
    both.agree(422, Method::PUT, &one, &lease(None));
}

/// A token that etcd has forgotten the list of.
fn aged(both: &Both, rig: &Rig, (standin, dump): (&Standin, &str)) {
    let [real, ours] = both.tokens(&rig.namespace);
    // Something new, so that the token is of an older list.
    rig.turn(true);
    rig.patch(
        "kubevirt",
        "kubevirt",
        &json!({ "metadata": { "labels": { "aged": "yes" } } }),
    );
    rig.compact();
    standin.expire_tokens();
    // Tokens are base64url: nothing in them is to be escaped.
    let list = |token: &str| {
        format!(
            "/api/v1/namespaces/{}/pods?limit=1&continue={token}",
            rig.namespace
        )
    };
    let ask = |client, asked: (&Method, &str, &str)| both.answer(client, asked);
    let listed = || ask(&both.real, (&Method::GET, &list(&real), ""));
    until("the token's end", || listed().status == 410);
    let expired = listed();
    assert_eq!(
        ask(&both.standin, (&Method::GET, &list(&ours), "")),
        expired
    );
    let dumped = ask(&both.real, (&Method::GET, dump, &page(ALL, &real, 1)));
    assert_eq!(dumped.status, 400, "{dumped:?}");
    assert_eq!(
        ask(&both.standin, (&Method::GET, dump, &page(ALL, &ours, 1))),
        dumped
    );
}

pub(crate) fn hyperconverged(rig: &Rig) {
    let before = rig.spec();
    let options = Options {
        pods: 6,
        gate: false,
        hyperconverged: true,
        namespace: rig.namespace.clone(),
        ..Options::default()
    };
    let (both, _standin) = Both::new(rig, options);
    let namespace = &rig.namespace;
    let all = format!("/apis/hco.kubevirt.io/v1beta1/namespaces/{namespace}/hyperconvergeds");
    let one = format!("{all}/kubevirt-hyperconverged");
    let annotated = |text: Value| {
        json!({ "metadata": { "annotations": { "kubevirt.kubevirt.io/jsonpatch": text } } })
            .to_string()
    };
    both.agree(404, Method::GET, &format!("{all}/other"), "");
    for bad in [
        "nonsense",
        "{}",
        r#"[{"op":"add","path":"/spec/no/such/parent","value":1}]"#,
        r#"[{"op":"remove","path":"/spec/configuration/none"}]"#,
        r#"[{"op":"add","path":"/metadata/labels","value":{}}]"#,
        r#"[{"op":"put","path":"/spec/configuration/none","value":1}]"#,
    ] {
        let denied = both.agree(403, Method::PATCH, &one, &annotated(json!(bad)));
        let message = denied.body["message"].as_str().unwrap_or_default();
        assert!(message.contains("denied the request"), "{bad}: {message}");
    }
    let stale = r#"{"metadata":{"resourceVersion":"1","labels":{"stale":"yes"}}}"#;
    both.agree(409, Method::PATCH, &one, stale);
    let good =
        r#"[{"op":"add","path":"/spec/configuration/apiConfiguration","value":{"restClient":{}}}]"#;
    both.agree(200, Method::PATCH, &one, &annotated(json!(good)));
    both.agree(200, Method::PATCH, &one, &annotated(Value::Null));
    until("the KubeVirt object", || rig.spec() == before);
}
