//! The names, uids and addresses of made-up pods: always the same, never twice the same.

/// The four components in the order their pods' names sort.
pub(crate) const COMPONENTS: [&str; 4] = [
    "virt-api",
    "virt-controller",
    "virt-handler",
    "virt-operator",
];

/// What else lives in an OpenShift install namespace and sorts before virt-*.
const UNRELATED: [&str; 6] = [
    "bridge-marker",
    "cdi-apiserver",
    "hco-operator",
    "hostpath-provisioner-csi",
    "kube-cni-linux-bridge-plugin",
    "ssp-operator",
];

/// The characters Kubernetes makes random names of.
const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// The component a pod's name belongs to, as virt-api decides it.
pub fn component_of(pod: &str) -> Option<&'static str> {
    COMPONENTS.into_iter().find(|component| {
        pod.strip_prefix(component)
            .is_some_and(|rest| rest.starts_with('-'))
    })
}

/// The component of the `index`-th of `total` component pods.
pub(crate) fn component(index: usize, total: usize) -> &'static str {
    if total < 8 || index < 8 {
        COMPONENTS[index % COMPONENTS.len()]
    } else {
        "virt-handler"
    }
}

/// The name of a pod of a component, told apart by `number`.
pub(crate) fn pod_name(component: &str, number: usize) -> String {
    match component {
        "virt-handler" => format!("{component}-{}", suffix(number)),
        "virt-launcher" => format!("{component}-vm-{number}-{}", suffix(number)),
        _ => format!("{component}-{}-{}", replica_set(component), suffix(number)),
    }
}

/// The name of an unrelated pod.
pub(crate) fn unrelated_name(number: usize) -> String {
    format!("{}-{}", UNRELATED[number % UNRELATED.len()], suffix(number))
}

/// A uid like the API server's.
pub(crate) fn uid(number: usize) -> String {
    let (a, b) = (mix(number as u64), mix(!(number as u64)));
    format!(
        "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
        a >> 32,
        (a >> 16) & 0xffff,
        a & 0xfff,
        b >> 52,
        b & 0xffff_ffff_ffff
    )
}

/// An address of the pod network.
pub(crate) fn pod_ip(number: usize) -> String {
    format!(
        "10.{}.{}.{}",
        128 + (number >> 16 & 0x3f),
        number >> 8 & 0xff,
        number & 0xff
    )
}

/// The end of a replica set's name.
fn replica_set(component: &str) -> String {
    let seed = component
        .bytes()
        .fold(0, |seed, byte| mix(seed ^ u64::from(byte)));
    spell(seed, 10)
}

/// Five random-looking characters; a bijection of the number, so that no two pods share them.
fn suffix(number: usize) -> String {
    const SPACE: u64 = 27_u64.pow(5);
    const COPRIME: u64 = 9_176_939;
    spell((number as u64 * COPRIME + 1_234_567) % SPACE, 5)
}

fn spell(mut value: u64, length: usize) -> String {
    let base = ALPHABET.len() as u64;
    (0..length)
        .map(|_| {
            let letter = ALPHABET[(value % base) as usize];
            value /= base;
            char::from(letter)
        })
        .collect()
}

/// SplitMix64: spreads small numbers over all bits.
fn mix(value: u64) -> u64 {
    let z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
