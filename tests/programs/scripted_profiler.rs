//! Stands for upstream's cluster-profiler in tests: the same command line, requests, files, output
//! and exit codes, and on top of it the failure that the file `script` beside KUBECONFIG names:
//!
//! - `exit-after:N`, `success-after:N`, `hang-after:N`, `chatter-after:N`: once N pods are written
//!   it fails, says SUCCESS, says nothing more, or never ends saying something else
//! - `half-pod`: it dies in the middle of writing the second page
//! - `early`: it tells of a page when it is in the middle of writing the next one
//! - `lacking:FILE`, `link:FILE`: every pod's FILE is not there, or a link to another file
//! - `extra-dir:NAME`, `extra-link:NAME`, `extra-file:NAME`: something else in its directory
//! - `garbage`: bytes that are no text, and a line without an end, before it begins
//!
//! It appends what it was called with to the file `calls` there, as a line of JSON.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use clap::Parser;
use http_body_util::BodyExt;
use kube::client::Body;
use serde::Deserialize;

type Failure = Box<dyn std::error::Error>;

#[derive(Parser)]
struct Arguments {
    #[arg(long)]
    cmd: String,
    #[arg(long, default_value = "cluster-profiler-results")]
    output_dir: PathBuf,
    #[arg(long, default_value_t = 10)]
    page_size: usize,
    #[arg(long = "continue", default_value = "")]
    token: String,
    #[arg(long)]
    reuse_output_dir: bool,
    #[arg(long = "l", default_value = "")]
    selector: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    component_results: BTreeMap<String, Pod>,
    #[serde(default, rename = "continue")]
    token: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Pod {
    pprof_data: BTreeMap<String, String>,
}

/// A failure's name and what comes behind the colon.
struct Script {
    name: String,
    argument: String,
}

impl Script {
    fn read() -> Self {
        let script = fs::read_to_string(beside_kubeconfig("script")).unwrap_or_default();
        let (name, argument) = script.split_once(':').unwrap_or((&script, ""));
        Self {
            name: name.to_owned(),
            argument: argument.to_owned(),
        }
    }

    /// The argument of a failure of this name.
    fn is(&self, name: &str) -> Option<&str> {
        (self.name == name).then_some(self.argument.as_str())
    }

    /// Whether a failure of this name strikes once so many pods are written.
    fn strikes(&self, name: &str, written: usize) -> bool {
        let after = self.is(name).and_then(|number| number.parse().ok());
        after.is_some_and(|after: usize| written >= after)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    assert_eq!(arguments.cmd, "dump", "nothing else is scripted");
    tell_of_the_call().expect("the test's file takes a line");
    match dump(&arguments, &Script::read()).await {
        Ok(count) => {
            let directory = arguments.output_dir.display();
            eprintln!(
                "2026/01/02 03:04:05 \rSUCCESS: Dumped PProf {count} results for KubeVirt control \
                 plane to [{directory}]"
            );
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("2026/01/02 03:04:05 Error cluster profiler dump: {error}\n");
            ExitCode::FAILURE
        }
    }
}

fn beside_kubeconfig(name: &str) -> PathBuf {
    let kubeconfig = std::env::var_os("KUBECONFIG").expect("KUBECONFIG is set");
    Path::new(&kubeconfig).with_file_name(name)
}

fn tell_of_the_call() -> Result<(), Failure> {
    let path = beside_kubeconfig("calls");
    let call = serde_json::json!({
        "pid": std::process::id(),
        "arguments": std::env::args().skip(1).collect::<Vec<_>>(),
        "kubeconfig": std::env::var("KUBECONFIG").ok(),
    });
    let mut file = OpenOptions::new().append(true).create(true).open(path)?;
    Ok(file.write_all(format!("{call}\n").as_bytes())?)
}

async fn dump(arguments: &Arguments, script: &Script) -> Result<usize, Failure> {
    let client = client().await?;
    prepare(arguments)?;
    if script.is("garbage").is_some() {
        garbage()?;
    }
    let mut token = arguments.token.clone();
    let mut good_token = String::new();
    let mut written = 0;
    loop {
        if script.is("early").is_none() || written == 0 {
            say_progress(written)?;
        }
        let stuck = strike(script, written).await;
        let page = match stuck {
            Ok(true) => break,
            Ok(false) => page(&client, arguments, &token).await,
            Err(error) => Err(error),
        };
        let page = page.map_err(|error| with_token(&error, &good_token))?;
        let Some(page) = page else { break };
        let count = page.component_results.len();
        write(&arguments.output_dir, &page, script, written)
            .map_err(|error| with_token(&error, &good_token))?;
        written += count;
        if page.token.is_empty() {
            break;
        }
        good_token.clone_from(&page.token);
        token = page.token;
    }
    Ok(written)
}

fn with_token(error: &Failure, token: &str) -> Failure {
    format!("{error}\nContinue token from last successful profiles fetch: {token:?}\n").into()
}

async fn client() -> Result<kube::Client, Failure> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut config = kube::Config::infer().await?;
    config.default_retry = false;
    Ok(kube::Client::try_from(config)?)
}

fn prepare(arguments: &Arguments) -> Result<(), Failure> {
    let directory = &arguments.output_dir;
    if directory.exists() && !arguments.reuse_output_dir {
        let mut old = directory.clone().into_os_string();
        old.push("-old-abcd");
        fs::rename(directory, old)?;
    }
    Ok(fs::create_dir_all(directory)?)
}

/// One page, or none where it is empty: its token is lost then.
async fn page(
    client: &kube::Client,
    arguments: &Arguments,
    token: &str,
) -> Result<Option<Page>, Failure> {
    let asked = serde_json::json!({
        "labelSelector": arguments.selector,
        "continue": token,
        "pageSize": arguments.page_size,
    });
    let request = http::Request::get("/apis/subresources.kubevirt.io/v1/dump-cluster-profiler")
        .body(Body::from(asked.to_string().into_bytes()))?;
    let response = client.send(request).await?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    if !status.is_success() {
        return Err(String::from_utf8_lossy(&body).into());
    }
    if body.is_empty() {
        return Ok(None);
    }
    Ok(Some(serde_json::from_slice(&body)?))
}

fn say_progress(written: usize) -> Result<(), Failure> {
    print!("\rFetching in progress. Downloaded so far: {written} ");
    Ok(std::io::stdout().flush()?)
}

/// The failures between pages; whether the dump ends here, as if all were well.
async fn strike(script: &Script, written: usize) -> Result<bool, Failure> {
    if script.strikes("exit-after", written) {
        return Err("Internal error encountered: scripted".into());
    }
    if script.strikes("hang-after", written) {
        std::future::pending::<()>().await;
    }
    while script.strikes("chatter-after", written) {
        eprintln!("still there");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(script.strikes("success-after", written))
}

fn write(directory: &Path, page: &Page, script: &Script, written: usize) -> Result<(), Failure> {
    for name in ["extra-dir", "extra-link", "extra-file"] {
        if let Some(extra) = script.is(name).filter(|_| written == 0) {
            let path = directory.join(extra);
            match name {
                "extra-dir" => fs::create_dir(path)?,
                "extra-link" => symlink("/etc", path)?,
                _ => fs::write(path, "no directory")?,
            }
        }
    }
    for (index, (pod, Pod { pprof_data })) in page.component_results.iter().enumerate() {
        let pod = directory.join(pod);
        fs::create_dir(&pod)?;
        let second_page = index == 0 && written > 0;
        for (name, text) in pprof_data {
            if script.is("lacking") == Some(name) {
                continue;
            }
            let path = pod.join(name);
            if script.is("link") == Some(name) {
                symlink("/etc/hostname", path)?;
                continue;
            }
            let content = BASE64_STANDARD.decode(text)?;
            if second_page && name == "allocs.pprof" {
                let half = &content[..content.len() / 2];
                let cut = |name: &String| fs::write(pod.join(name), half);
                if script.is("half-pod").is_some() {
                    pprof_data.keys().try_for_each(cut)?;
                    return Err("no space left on device".into());
                }
                if script.is("early").is_some() {
                    pprof_data.keys().try_for_each(cut)?;
                    say_progress(written)?;
                    until_taken(&pod);
                    fs::create_dir_all(&pod)?;
                }
            }
            fs::write(path, content)?;
        }
    }
    Ok(())
}

/// Gives whoever takes a pod too soon the time to.
fn until_taken(pod: &Path) {
    for _ in 0..50 {
        if !pod.exists() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn garbage() -> Result<(), Failure> {
    let noise: Vec<u8> = (0..=255).filter(|byte| !b"\r\n".contains(byte)).collect();
    let noise = noise.repeat(4096);
    std::io::stdout().write_all(&noise)?;
    std::io::stderr().write_all(&noise)?;
    std::io::stderr().write_all(&b"one of very many lines\n".repeat(20_000))?;
    Ok(std::io::stdout().write_all(b"\n")?)
}
