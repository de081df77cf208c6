//! The window: its times, what is dumped within it, and the virtual machine instances that it may wait for.

use std::time::Duration;

use super::parse::not;
use super::setting::{Faults, Setting};
use super::variables::Settings;
use super::window_config::{SnapshotConfig, VmiConfig, WindowConfig};

/// Reads what ends the window.
pub(super) fn read_window(faults: &mut Faults, settings: &Settings) -> Option<WindowConfig> {
    let stop_file = settings.stop_file();
    let settle_after_stop_file = stop_file.is_set();
    let until = settings.until_vmis_running();
    let until_name = until.name.clone();
    let until_is_set = until.is_set();
    let until_vmis_running = faults.read(until);
    let setting = if settle_after_stop_file || until_is_set {
        settings.settle().map_default(|_| Duration::ZERO)
    } else {
        let accepted = format!(
            "a duration above zero, unless a {} or {until_name} is set",
            stop_file.name
        );
        settings.settle().with_rule(|text, settle| {
            if settle.is_zero() {
                return Err(not(text, &accepted));
            }
            Ok(())
        })
    };
    let is_faulty = setting.is_faulty();
    let settle = faults.read(setting)?;
    let max_window = settings.max_window();
    let max = faults.read(max_window.map_default(|default| default.max(settle)))?;
    if !is_faulty && (settle > max || max.is_zero()) {
        let name = settings.settle().name;
        let fault = format!("{max:?} is less than {name}, {settle:?}, or no time at all");
        faults.add(&settings.max_window().name, &fault);
    }
    Some(WindowConfig {
        settle,
        settle_after_stop_file,
        until_vmis_running,
        max,
    })
}

/// Reads which instances are followed; `None` where none are.
pub(super) fn read_vmis(faults: &mut Faults, settings: &Settings) -> Option<VmiConfig> {
    let latency = settings.vmi_latency();
    let until = settings.until_vmis_running();
    let switches = format!("{}=true or {}", latency.name, until.name);
    // A fault of this one is told of by the window.
    let is_until = until.is_set();
    let is_followed = faults.read(latency).unwrap_or_default() || is_until;
    let config = VmiConfig {
        namespace: read_beside(faults, settings.vmi_namespace(), is_followed, &switches),
        selector: read_beside(faults, settings.vmi_selector(), is_followed, &switches),
    };
    is_followed.then_some(config)
}

/// Reads a setting that has no meaning where no instance is followed.
fn read_beside(
    faults: &mut Faults,
    setting: Setting<'_, String>,
    is_followed: bool,
    switches: &str,
) -> Option<String> {
    let without = |_: &str, _: &String| {
        if is_followed {
            return Ok(());
        }
        Err(format!("it needs {switches}"))
    };
    faults.read(setting.with_rule(without))
}

/// Reads what is dumped within the window, which may be nothing. The outer `None` is a fault.
pub(super) fn read_snapshots(
    faults: &mut Faults,
    settings: &Settings,
) -> Option<Option<SnapshotConfig>> {
    const SHORTEST: Duration = Duration::from_secs(1);
    let kinds = faults.read(settings.snapshot_kinds())?;
    let every = settings.snapshot_every().with_rule(|text, every| {
        if *every < SHORTEST {
            return Err(not(text, "a duration of 1s or more"));
        }
        Ok(())
    });
    let every = faults.read(every);
    Some(every.map(|every| SnapshotConfig { every, kinds }))
}
