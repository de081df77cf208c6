//! What a server needs before it starts: its program, a certificate, a port.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The program, built if it is not there yet.
pub(crate) fn built(name: &str) -> PathBuf {
    let mut build = Command::new(format!(
        "{}/helpers/s3-servers/build",
        env!("CARGO_MANIFEST_DIR")
    ));
    let built = build.arg(name).stderr(Stdio::inherit()).output();
    let built = built.expect("the helper starts");
    assert!(built.status.success(), "{name} is not built");
    String::from_utf8_lossy(&built.stdout).trim().into()
}

/// A certificate and its key where MinIO looks for them; the authority that signed it.
pub(crate) fn certified(dir: &Path) -> PathBuf {
    let identity = standin::tls::identity().expect("a certificate");
    std::fs::create_dir(dir.join("certificates")).expect("a directory");
    for (name, pem) in [
        ("certificates/public.crt", &identity.certificate_pem),
        ("certificates/private.key", &identity.key_pem),
        ("ca.pem", &identity.ca_pem),
    ] {
        std::fs::write(dir.join(name), pem).expect("a file");
    }
    dir.join("ca.pem")
}

/// A port that is still free when the server starts again: below those that the kernel gives away.
pub(crate) fn free_port() -> u16 {
    let free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let mut some = std::iter::repeat_with(|| fastrand::u16(20_000..32_000));
    some.find(free).expect("there are others")
}
