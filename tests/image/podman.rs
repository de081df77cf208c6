//! What a container's manifest is in podman's words.

use k8s_openapi::api::core::v1::Container;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use crate::cluster::Data;
use crate::environment::expanded;

/// Its limits and its security context.
pub(crate) fn of_container(container: &Container) -> Vec<String> {
    let context = container.security_context.clone().unwrap_or_default();
    let mut arguments = Vec::new();
    if context.allow_privilege_escalation == Some(false) {
        arguments.push("--security-opt=no-new-privileges".to_owned());
    }
    if context.read_only_root_filesystem == Some(true) {
        // podman's own would mount a /tmp that nobody asked for.
        arguments.extend(["--read-only", "--read-only-tmpfs=false"].map(str::to_owned));
    }
    let capabilities = context.capabilities.unwrap_or_default();
    assert_eq!(capabilities.add, None);
    for capability in capabilities.drop.iter().flatten() {
        arguments.push(format!("--cap-drop={capability}"));
    }
    let limits = container.resources.clone().and_then(|it| it.limits);
    let limits = limits.expect("limits");
    let memory = bytes(&limits["memory"]);
    arguments.push(format!("--memory={memory}"));
    arguments.push(format!("--memory-swap={memory}"));
    arguments.push(format!("--cpus={}", limits["cpu"].0));
    arguments
}

/// Its command and arguments: podman's `--entrypoint`, if the image's is not kept, and the rest.
pub(crate) fn command_line(
    container: &Container,
    environment: &Data,
) -> (Option<String>, Vec<String>) {
    let expand = |words: &Option<Vec<String>>| -> Vec<String> {
        let words = words.iter().flatten();
        words.map(|word| expanded(word, environment)).collect()
    };
    let command = expand(&container.command);
    let entrypoint = serde_json::to_string(&command).expect("words");
    let entrypoint = (!command.is_empty()).then_some(entrypoint);
    (entrypoint, expand(&container.args))
}

/// A quantity of memory.
pub(crate) fn bytes(quantity: &Quantity) -> u64 {
    let text = quantity.0.as_str();
    let mebibytes = text
        .strip_suffix("Mi")
        .and_then(|number| number.parse::<u64>().ok());
    mebibytes.unwrap_or_else(|| panic!("{text} is not in Mi")) << 20
}
