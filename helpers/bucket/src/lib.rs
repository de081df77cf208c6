//! An S3 server on a directory, on this machine's loopback, with faults that a test asks for: s3s-fs
//! answers, and this crate damages requests and answers.

mod fault;
mod proxy;
mod server;
mod state;
mod uploads;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::AbortHandle;

pub use fault::{Answer, Fault};
pub use proxy::Proxy;
use state::Shared;
pub use state::{BUCKET, Seen, State};

/// The account that may do everything.
pub const ACCESS_KEY: &str = "AKIDBUCKET";

/// Its secret.
pub const SECRET_KEY: &str = "wJalr-very-secret-bucket-key";

/// A server, which runs until this value is dropped.
#[derive(Debug)]
pub struct Bucket {
    dir: TempDir,
    url: String,
    ca_pem: String,
    shared: Arc<Shared>,
    serving: AbortHandle,
}

impl Bucket {
    /// Serves an empty bucket by HTTP/1.1, as S3 does, with TLS by a certificate authority of its own.
    ///
    /// # Errors
    /// No directory or no port can be had.
    pub async fn start() -> Result<Self> {
        Self::start_with(b"http/1.1").await
    }

    /// Serves it by HTTP/2, as some proxies before an S3 server do.
    ///
    /// # Errors
    /// As of [`Self::start`].
    pub async fn start_http2() -> Result<Self> {
        Self::start_with(b"h2").await
    }

    async fn start_with(protocol: &[u8]) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        std::fs::create_dir(dir.path().join(BUCKET))?;
        let files = FileSystem::new(dir.path()).map_err(|error| anyhow::anyhow!("{error:?}"))?;
        let mut service = S3ServiceBuilder::new(files);
        service.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        let shared = Arc::new(Shared {
            service: service.build(),
            state: watch::channel(State::default()).0,
            root: dir.path().to_owned(),
        });
        let identity = standin::tls::identity()?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("https://{}", listener.local_addr()?);
        let mut config = (*identity.config).clone();
        config.alpn_protocols = vec![protocol.to_vec()];
        let serve = server::serve(listener, Arc::new(config), Arc::clone(&shared));
        Ok(Self {
            dir,
            url,
            ca_pem: identity.ca_pem,
            shared,
            serving: tokio::spawn(serve).abort_handle(),
        })
    }

    /// The server's URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The certificate authority that a client has to trust.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The variables that reach it with its account. Its authority's certificate is written into the directory.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn environment(&self, directory: &Path) -> std::io::Result<[(&'static str, String); 4]> {
        let ca = directory.join("bucket-ca.pem");
        std::fs::write(&ca, &self.ca_pem)?;
        Ok([
            ("AWS_ENDPOINT_URL", self.url.clone()),
            ("AWS_CA_BUNDLE", ca.display().to_string()),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.to_owned()),
        ])
    }

    /// Adds a fault, which strikes requests from now on.
    pub fn fault(&self, fault: Fault) {
        self.shared
            .state
            .send_modify(|state| state.faults.push(fault));
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        self.shared.state.send_modify(|state| state.faults.clear());
    }

    /// Every request so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.state.borrow().seen.clone()
    }

    /// Waits until the state is as the test wants it.
    pub async fn wait_until(&self, is_so: impl FnMut(&State) -> bool) {
        let mut state = self.shared.state.subscribe();
        let waited = state.wait_for(is_so).await;
        drop(waited.expect("the server has the sender"));
    }

    /// The file of an object.
    pub fn path(&self, key: &str) -> PathBuf {
        self.dir.path().join(BUCKET).join(key)
    }

    /// The keys of all objects, in order.
    pub fn keys(&self) -> Vec<String> {
        let (root, mut keys) = (self.dir.path().join(BUCKET), Vec::new());
        collect(&root, &root, &mut keys);
        keys.sort();
        keys
    }

    /// How many multipart uploads are open.
    pub fn uploads(&self) -> usize {
        let entries = std::fs::read_dir(self.dir.path()).expect("the server's directory");
        let names = entries.flatten().map(|entry| entry.file_name());
        let open = |name: &std::ffi::OsString| {
            let name = name.to_string_lossy();
            name.starts_with(".upload-") && name.ends_with(".json")
        };
        names.filter(open).count()
    }
}

fn collect(root: &Path, directory: &Path, keys: &mut Vec<String>) {
    for path in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = path.path();
        if path.is_dir() {
            collect(root, &path, keys);
        } else if let Ok(key) = path.strip_prefix(root) {
            keys.push(key.display().to_string());
        }
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
