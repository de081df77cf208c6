//! What people do by hand against one run: upstream's program at its default page, `tar`, an upload by
//! the AWS CLI, and the runner that ships to the same bucket.

mod bucket;
mod measured;
mod tools;
mod ways;

use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use standin::{Options, Profiles, Standin};

use bucket::Bucket;
use measured::Cost;
use tools::Tools;

/// Profile the same stand-in both ways, in turns, into the same MinIO, and print what each cost and the
/// ratios. Needs Go, Python and GNU time; the first time it builds MinIO and upstream's program.
#[derive(Parser)]
struct Cli {
    /// Pods, of 25 MB each
    #[arg(long, default_value_t = 200)]
    pods: usize,
    /// Runs of each, of which the median counts
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Times that a pod takes to answer, in ms
    #[arg(long, value_delimiter = ',', default_value = "0,1300")]
    pod_latency: Vec<u64>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let cli = Cli::parse();
    let tools = Tools::make().await?;
    let bucket = Bucket::start(&tools).await?;
    println!("pod latency  way                       wall s     CPU s  peak MiB");
    for &latency in &cli.pod_latency {
        let options = Options {
            pods: cli.pods,
            pod_latency: Duration::from_millis(latency),
            profiles: Profiles::Large,
            remembered: 0,
            ..Options::default()
        };
        let standin = Standin::start(options).await?;
        compare(&tools, &bucket, &standin, latency, cli.runs).await?;
    }
    Ok(())
}

/// Measures both ways in turns, and prints their medians and ratios.
async fn compare(
    tools: &Tools,
    bucket: &Bucket,
    standin: &Standin,
    latency: u64,
    runs: usize,
) -> Result<()> {
    let (mut by_hand, mut by_run) = (Vec::new(), Vec::new());
    for number in 0..runs {
        let scratch = tempfile::tempdir()?;
        let kubeconfig = scratch.path().join("kubeconfig");
        standin.write_kubeconfig(&kubeconfig)?;
        let place = ways::Place {
            scratch: scratch.path(),
            kubeconfig: &kubeconfig,
            bucket,
        };
        let id = format!("{latency}-{number}");
        by_hand.push(ways::by_hand(tools, &place, &id).await?);
        by_run.push(ways::by_run(tools, &place, &id).await?);
    }
    let steps = median_of_steps(&by_hand)?;
    let row = |way: &str, cost: &Cost| {
        println!(
            "{latency:>8} ms  {way:<24}{:>8.1}{:>10.1}{:>10.1}",
            cost.wall, cost.cpu, cost.peak
        );
    };
    for (name, cost) in &steps {
        row(&format!("  {name}"), cost);
    }
    let hand = median(by_hand.iter().map(|steps| sum(steps)).collect())?;
    let run = median(by_run)?;
    row("by hand", &hand);
    row("one run", &run);
    println!(
        "{latency:>8} ms  ratios: wall {:.1}, CPU {:.1}, peak memory {:.0}",
        hand.wall / run.wall,
        hand.cpu / run.cpu,
        hand.peak / run.peak
    );
    Ok(())
}

fn sum(steps: &[(&'static str, Cost)]) -> Cost {
    steps.iter().fold(Cost::default(), |sum, (_, step)| Cost {
        wall: sum.wall + step.wall,
        cpu: sum.cpu + step.cpu,
        peak: sum.peak.max(step.peak),
    })
}

/// The one in the middle by wall time.
fn median(mut costs: Vec<Cost>) -> Result<Cost> {
    costs.sort_by(|one, other| one.wall.total_cmp(&other.wall));
    costs.get(costs.len() / 2).copied().context("no run")
}

fn median_of_steps(runs: &[Vec<(&'static str, Cost)>]) -> Result<Vec<(&'static str, Cost)>> {
    let first = runs.first().context("no run")?;
    let names = first.iter().map(|(name, _)| *name).enumerate();
    names
        .map(|(at, name)| {
            let costs = runs.iter().map(|run| run[at].1).collect();
            Ok((name, median(costs)?))
        })
        .collect()
}
