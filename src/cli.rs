//! The command line.

use clap::Parser;
use cluster_profiler_job::config::{PREFIX, VARIABLES};
use cluster_profiler_job::outcome::ExitCode;

/// Profile the KubeVirt control plane once, as the environment says.
///
/// Starts KubeVirt's own profiler in every control plane pod, stops it after a while, and leaves
/// an archive of all profiles with a manifest beside it.
#[derive(Debug, Parser)]
#[command(version, after_help = tables())]
pub(crate) struct Cli {}

/// The environment and the exit codes, the way the README has them.
fn tables() -> String {
    let mut text = "Environment (empty means unset):\n".to_owned();
    for variable in VARIABLES {
        let name = format!("{PREFIX}{}", variable.name);
        text += &format!(
            "  {name}\n      {} [default: {}]\n",
            variable.meaning, variable.default
        );
    }
    text += "\nExit codes:\n";
    for code in ExitCode::ALL {
        text += &format!("  {:<3}  {}\n", code.number(), code.meaning());
    }
    text
}
