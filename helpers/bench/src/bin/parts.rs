//! What the parts of a dump cost, each alone on the same bytes, and what a run costs that does them all.

use std::hint::black_box;
use std::io::{Write, sink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use base64_simd::AsOut;
use bench::{Build, Place, Used};
use clap::{Parser, ValueEnum};
use cluster_profiler_job::cluster::connect::connect;
use cluster_profiler_job::cluster::profiler::{self, DumpAnswer, DumpRequest};
use cluster_profiler_job::cluster::tokens::{PodList, Walker};
use cluster_profiler_job::component::{Component, selector};
use cluster_profiler_job::limits::Limits;
use cluster_profiler_job::pprof::{Kind, convert};
use cluster_profiler_job::proxy::Proxies;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::TryStreamExt;
use http_body_util::BodyExt;
use jiff::Timestamp;
use sha2::Digest;
use standin::{Options, Profiles, Standin};

/// The size of a part's input at a time, as in a run.
const CHUNK: usize = 32 * 1024;

/// Print what each part of a dump costs alone, in a process of its own, on the same bytes, and what a run costs.
#[derive(Parser)]
struct Cli {
    /// Pods, of 27 MB each
    #[arg(long, default_value_t = 60)]
    pods: usize,
    /// The runner, in place of the one that ships
    #[arg(long)]
    binary: Option<PathBuf>,
    /// A part, for a process of its own
    #[arg(long, hide = true)]
    part: Option<Part>,
    /// Its input: a kubeconfig, or a directory of a pod's files
    #[arg(long, hide = true)]
    input: Option<PathBuf>,
}

/// A part of a dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// A page is received, and thrown away.
    Receive,
    /// Base64 is decoded.
    Base64,
    /// Files are hashed.
    Sha256,
    /// Files are compressed, at the level of an archive.
    Gzip,
    /// Texts become profiles, which are packed.
    Parse,
}

#[tokio::main]
async fn main() -> Result<()> {
    let cli = Cli::parse();
    if let Some((part, input)) = cli.part.zip(cli.input.as_deref()) {
        return alone(part, input, cli.pods).await;
    }
    let scratch = tempfile::tempdir()?;
    let options = Options {
        pods: cli.pods,
        profiles: Profiles::Large,
        remembered: 0,
        ..Options::default()
    };
    let standin = Standin::start(options.clone()).await?;
    let kubeconfig = scratch.path().join("kubeconfig");
    standin.write_kubeconfig(&kubeconfig)?;
    let bytes = keep_one_pod(&kubeconfig, scratch.path()).await?;
    let megabytes = (bytes * cli.pods) as f64 / 1e6;
    println!("part        CPU s    MB/CPU s");
    let mut sum = 0.0;
    for part in Part::value_variants() {
        let input = match part {
            Part::Receive => &kubeconfig,
            Part::Base64 | Part::Sha256 | Part::Gzip | Part::Parse => scratch.path(),
        };
        let cpu = measured(*part, input, cli.pods)?;
        println!(
            "{:<10}{cpu:>7.2}{:>12.0}",
            format!("{part:?}"),
            megabytes / cpu
        );
        sum += cpu;
    }
    println!("{:<10}{sum:>7.2}{:>12.0}", "all", megabytes / sum);
    let binary = match cli.binary {
        Some(binary) => binary,
        None => bench::build(Build::Release).await?,
    };
    let place = Place::Directory(scratch.path().join("destination"));
    let before = Used::by_children()?;
    bench::run(&binary, &place, Duration::from_secs(1), &[], options).await?;
    let cpu = Used::by_children()?.since(before).cpu();
    println!("{:<10}{cpu:>7.2}{:>12.0}", "a run", megabytes / cpu);
    println!("a run takes {:.2} times its parts", cpu / sum);
    Ok(())
}

/// Seconds of processor that a part takes.
fn measured(part: Part, input: &Path, pods: usize) -> Result<f64> {
    let before = Used::by_children()?;
    let name = part.to_possible_value().context("a part's name")?;
    let status = Command::new(std::env::current_exe()?)
        .args(["--part", name.get_name(), "--pods", &pods.to_string()])
        .arg("--input")
        .arg(input)
        .status()?;
    ensure!(status.success(), "{part:?} ended with {status}");
    Ok(Used::by_children()?.since(before).cpu())
}

/// Does one part as often as there are pods.
async fn alone(part: Part, input: &Path, pods: usize) -> Result<()> {
    if part == Part::Receive {
        return receive(input, pods, |piece| {
            black_box(piece);
        })
        .await;
    }
    let files = files(input)?;
    let texts: Vec<_> = files
        .iter()
        .map(|(_, file)| BASE64_STANDARD.encode(file))
        .collect();
    for _ in 0..pods {
        match part {
            Part::Receive => {}
            Part::Base64 => texts.iter().try_for_each(|text| decode(text))?,
            Part::Sha256 => files.iter().for_each(|(_, file)| hash(file)),
            Part::Gzip => files.iter().try_for_each(|(_, file)| compress(file))?,
            Part::Parse => files
                .iter()
                .try_for_each(|(kind, file)| parse(*kind, file))?,
        }
    }
    Ok(())
}

/// Receives the pages of so many pods, one after another, and hands on their pieces.
async fn receive(kubeconfig: &Path, pods: usize, mut each: impl FnMut(&[u8])) -> Result<()> {
    let proxies = Proxies::new(None, None, "");
    let connection = connect(&[kubeconfig.to_owned()], &proxies, Limits::default()).await?;
    let label_selector = selector(&Component::ALL.into());
    let mut walker = Walker::new(PodList {
        connection: connection.clone(),
        namespace: "kubevirt".to_owned(),
        selector: label_selector.clone(),
    });
    for _ in 0..pods {
        let step = walker.next().await?.context("another pod")?;
        let request = DumpRequest {
            label_selector: label_selector.clone(),
            continue_token: step.token,
            page_size: 1,
        };
        if let DumpAnswer::Page(body) = profiler::dump(&connection, &request).await? {
            let mut pieces = body.into_data_stream();
            while let Some(piece) = pieces.try_next().await? {
                each(&piece);
            }
        }
    }
    Ok(())
}

/// Keeps the files of one pod, and returns their size.
async fn keep_one_pod(kubeconfig: &Path, directory: &Path) -> Result<usize> {
    let mut page = Vec::new();
    receive(kubeconfig, 1, |piece| page.extend_from_slice(piece)).await?;
    let page: serde_json::Value = serde_json::from_slice(&page)?;
    let results = page["componentResults"].as_object().context("results")?;
    let result = results.values().next().context("a pod")?;
    let mut bytes = 0;
    for (name, content) in result["pprofData"].as_object().context("profiles")? {
        let content = BASE64_STANDARD.decode(content.as_str().context("base64")?)?;
        std::fs::write(directory.join(name), &content)?;
        bytes += content.len();
    }
    Ok(bytes)
}

fn files(directory: &Path) -> Result<Vec<(Kind, Vec<u8>)>> {
    let path = |kind: &Kind| directory.join(kind.file_name());
    let there = Kind::ALL.into_iter().filter(|kind| path(kind).exists());
    there
        .map(|kind| Ok((kind, std::fs::read(path(&kind))?)))
        .collect()
}

fn decode(text: &str) -> Result<()> {
    let mut buffer = vec![0; CHUNK];
    for chunk in text.as_bytes().chunks(CHUNK) {
        black_box(base64_simd::STANDARD.decode(chunk, buffer.as_mut_slice().as_out())?);
    }
    Ok(())
}

fn hash(file: &[u8]) {
    let mut hash = sha2::Sha256::new();
    file.chunks(CHUNK).for_each(|chunk| hash.update(chunk));
    black_box(hash.finalize());
}

fn compress(file: &[u8]) -> Result<()> {
    let mut gzip = GzEncoder::new(sink(), Compression::new(3));
    file.chunks(CHUNK)
        .try_for_each(|chunk| gzip.write_all(chunk))?;
    Ok(gzip.finish().map(drop)?)
}

fn parse(kind: Kind, file: &[u8]) -> Result<()> {
    if let Some(parsed) = convert(kind, file)? {
        let profile = parsed.profile.context("a profile")?;
        profile.write(Timestamp::UNIX_EPOCH, sink())?;
    }
    Ok(())
}
