//! What virt-api says of a pod that failed.

use crate::{pod::Pod, profiler::Call};

fn url(pod: &Pod, call: Call) -> String {
    let call = match call {
        Call::Start => "start",
        Call::Stop => "stop",
        Call::Dump => "dump",
    };
    format!("https://{}:8443/{call}-profiler", pod.ip)
}

/// The pod answered with another status than 200.
pub(super) fn bad_status(pod: &Pod, call: Call, status: u16) -> String {
    let encountered = if call == Call::Dump {
        "encountered"
    } else {
        "Encountered"
    };
    let (url, name) = (url(pod, call), &pod.name);
    format!("{encountered} [{status}] status code while contacting url [{url}] for pod [{name}]")
}

/// The pod did not answer in time; only its address is told.
pub(super) fn too_slow(pod: &Pod, call: Call) -> String {
    let url = url(pod, call);
    format!(
        "Get \"{url}\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
    )
}

/// Nobody has the address any more.
pub(super) fn no_route(pod: &Pod, call: Call) -> String {
    let (url, ip) = (url(pod, call), &pod.ip);
    format!("Get \"{url}\": dial tcp {ip}:8443: connect: no route to host")
}
