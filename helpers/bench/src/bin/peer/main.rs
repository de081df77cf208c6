//! What people do by hand against one run: upstream's program at its default page, `tar` with gzip or pigz, an upload
//! by the AWS CLI, and the runner, by either engine, that ships to the same bucket.

mod bucket;
mod measured;
mod tools;
mod ways;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use standin::{Options, Profiles, Standin};

use bucket::Bucket;
use measured::Cost;
use tools::Tools;

/// Profile the same stand-in all ways, in turns, into the same MinIO, and print what each cost and the
/// ratios. Needs Go, Python, GNU time and pigz; the first time it builds MinIO and upstream's program.
#[derive(Parser)]
struct Cli {
    /// Pods, of 25 MB each
    #[arg(long, default_value_t = 200)]
    pods: usize,
    /// Runs of each, of which the median counts
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// The runner, in place of the one that ships
    #[arg(long)]
    binary: Option<PathBuf>,
    /// The runner's engines to compare
    #[arg(long, value_delimiter = ',', default_value = "native,cluster-profiler")]
    engine: Vec<String>,
    /// Times that a pod takes to answer, in ms
    #[arg(long, value_delimiter = ',', default_value = "0,1300")]
    pod_latency: Vec<u64>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let cli = Cli::parse();
    let tools = Tools::make(cli.binary.clone()).await?;
    let bucket = Bucket::start(&tools).await?;
    println!("pod latency  way                               wall s     CPU s  peak MiB");
    for &latency in &cli.pod_latency {
        let options = Options {
            pods: cli.pods,
            pod_latency: Duration::from_millis(latency),
            profiles: Profiles::Large,
            remembered: 0,
            ..Options::default()
        };
        let standin = Standin::start(options).await?;
        compare(&cli, &tools, &bucket, &standin, latency).await?;
    }
    Ok(())
}

/// Measures all ways in turns, and prints their medians, and the ratios of those by hand to those by a run.
async fn compare(
    cli: &Cli,
    tools: &Tools,
    bucket: &Bucket,
    standin: &Standin,
    latency: u64,
) -> Result<()> {
    let (mut steps, mut by_hand, mut by_run) = (Costs::new(), Costs::new(), Costs::new());
    for number in 0..cli.runs {
        let scratch = tempfile::tempdir()?;
        let kubeconfig = scratch.path().join("kubeconfig");
        standin.write_kubeconfig(&kubeconfig)?;
        let place = ways::Place {
            scratch: scratch.path(),
            kubeconfig: &kubeconfig,
            bucket,
        };
        let id = format!("{latency}-{number}");
        let hand = ways::by_hand(tools, &place, &id).await?;
        let sums: Vec<_> = hand.sums().collect();
        add(&mut steps, [("  cluster-profiler", hand.dump)]);
        add(&mut steps, hand.packed);
        add(&mut steps, [("  aws s3 cp", hand.sent)]);
        add(&mut by_hand, sums);
        for engine in &cli.engine {
            let cost = ways::by_run(tools, &place, engine, &id).await?;
            add(&mut by_run, [(engine.as_str(), cost)]);
        }
    }
    let row = |way: &str, cost: &Cost| {
        println!(
            "{latency:>8} ms  {way:<32}{:>8.1}{:>10.1}{:>10.1}",
            cost.wall, cost.cpu, cost.peak
        );
    };
    for (step, costs) in steps {
        row(step, &median(costs)?);
    }
    let mut hands = Vec::new();
    for (packer, costs) in by_hand {
        let cost = median(costs)?;
        row(&format!("by hand, {packer}"), &cost);
        hands.push((packer, cost));
    }
    for (engine, costs) in by_run {
        let run = median(costs)?;
        row(&format!("one run, {engine}"), &run);
        for (packer, hand) in &hands {
            println!(
                "{latency:>8} ms  by hand, {packer}, to one run, {engine}: wall {:.1}, CPU {:.1}, peak memory {:.0}",
                hand.wall / run.wall,
                hand.cpu / run.cpu,
                hand.peak / run.peak
            );
        }
    }
    Ok(())
}

/// What each of some things cost each time, in the order in which they came first.
type Costs<'a> = Vec<(&'a str, Vec<Cost>)>;

fn add<'a>(costs: &mut Costs<'a>, new: impl IntoIterator<Item = (&'a str, Cost)>) {
    for (name, cost) in new {
        match costs.iter_mut().find(|(known, _)| *known == name) {
            Some((_, costs)) => costs.push(cost),
            None => costs.push((name, vec![cost])),
        }
    }
}

/// The one in the middle by wall time.
fn median(mut costs: Vec<Cost>) -> Result<Cost> {
    costs.sort_by(|one, other| one.wall.total_cmp(&other.wall));
    costs.get(costs.len() / 2).copied().context("no run")
}
