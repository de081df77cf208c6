//! Names that Kubernetes injects for Services, and that can begin with our prefix.

/// Whether a variable, named without our prefix, is what the kubelet sets for a Service called
/// `profiler` or `profiler-…` (enableServiceLinks is true by default).
pub(super) fn is_service_link(name: &str, value: &str) -> bool {
    let ends = |suffix: &str| name == suffix || name.ends_with(&format!("_{suffix}"));
    if ends("SERVICE_HOST") || ends("SERVICE_PORT") || after(name, "SERVICE_PORT_").is_some() {
        return true;
    }
    let url = ["tcp://", "udp://", "sctp://"]
        .iter()
        .any(|scheme| value.starts_with(scheme));
    (ends("PORT") && url) || after(name, "PORT_").is_some_and(is_port_detail)
}

/// What follows `marker` at the name's beginning or after an underscore.
fn after<'a>(name: &'a str, marker: &str) -> Option<&'a str> {
    name.strip_prefix(marker)
        .or_else(|| name.split_once(&format!("_{marker}")).map(|(_, rest)| rest))
}

/// `80_TCP`, `80_TCP_PROTO`, `80_TCP_PORT`, `80_TCP_ADDR`, and the same for UDP and SCTP.
fn is_port_detail(rest: &str) -> bool {
    let mut parts = rest.splitn(3, '_');
    let number = parts.next().is_some_and(|part| part.parse::<u16>().is_ok());
    let protocol = parts
        .next()
        .is_some_and(|part| ["TCP", "UDP", "SCTP"].contains(&part));
    let detail = parts
        .next()
        .is_none_or(|part| ["PROTO", "PORT", "ADDR"].contains(&part));
    number && protocol && detail
}
