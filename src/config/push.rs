//! Where a run is pushed to, read out of our variables and the foreign ones.

use std::path::PathBuf;

use super::foreign_settings::ForeignSettings;
use super::push_config::{PushAccess, PushConfig};
use super::setting::Faults;
use super::variables::Settings;

/// Where a run is pushed to, if it is.
pub(super) fn read_push(
    faults: &mut Faults,
    settings: &Settings,
    foreign: &ForeignSettings,
) -> Option<PushConfig> {
    let targets = faults.read(settings.push());
    let headers_file = settings.push_headers_file();
    if targets.is_none() && headers_file.is_set() && !settings.push().is_set() {
        let what = format!("it is for {}, which is not set", settings.push().name);
        faults.add(&headers_file.name, &what);
    }
    let headers_file = faults.read(headers_file);
    Some(PushConfig {
        targets: targets?,
        access: access(foreign, headers_file),
    })
}

/// How the servers are reached.
pub(super) fn access(foreign: &ForeignSettings, headers_file: Option<PathBuf>) -> PushAccess {
    PushAccess {
        headers_file,
        ca_bundles: foreign.ca_bundles.clone(),
        proxies: foreign.proxies.clone(),
    }
}
