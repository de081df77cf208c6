//! A bucket that a case has to itself: runs go into it, and it is looked at by another client.

use cluster_profiler_job::manifest::Manifest;
use standin::{Options, Standin};

use crate::client::{ACCESS_KEY, SECRET_KEY};
use crate::forwarder::Forwarder;
use crate::harness::{Place, RUN_ID};
use crate::server::Server;
use crate::unpacked;

const PREFIX: &str = "nightly/a";

/// The size of all parts but the last.
const PART: u64 = 5 << 20;

/// An archive of `large` is larger.
pub(crate) const LARGE: u64 = 40 << 20;

/// Profiles of which the archive is many parts.
pub(crate) async fn large() -> Standin {
    let options = Options {
        cpu_padding: 11 << 19,
        ..Options::default()
    };
    Standin::start(options).await.expect("a stand-in")
}

/// A bucket on a server.
pub(crate) struct Bucket<'a> {
    server: &'a Server,
    name: &'a str,
}

impl<'a> Bucket<'a> {
    /// Makes one.
    pub(crate) fn new(server: &'a Server, name: &'a str) -> Self {
        server.client.make(name);
        Self { server, name }
    }

    /// A place whose runs go into it.
    pub(crate) fn place(&self, standin: &Standin) -> Place {
        Place::new(standin)
            .with(
                "PROFILER_DESTINATION",
                format!("s3://{}/{PREFIX}", self.name),
            )
            .with("AWS_ENDPOINT_URL", &self.server.client.url)
            .with("AWS_CA_BUNDLE", self.server.client.ca.display())
            .with("AWS_ACCESS_KEY_ID", ACCESS_KEY)
            .with("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    }

    /// The same, through a forwarder.
    pub(crate) fn place_through(&self, forwarder: &Forwarder, standin: &Standin) -> Place {
        self.place(standin).with("AWS_ENDPOINT_URL", &forwarder.url)
    }

    /// The keys of its objects.
    pub(crate) fn keys(&self) -> Vec<String> {
        let objects = self.server.client.objects(self.name).into_iter();
        objects.map(|(key, _)| key).collect()
    }

    /// How many uploads of the run's archive are open.
    pub(crate) fn uploads(&self) -> usize {
        let key = keys_of(RUN_ID)[1].clone();
        self.server.client.uploads(self.name, &key)
    }

    /// The one run that it holds, and nothing else: whole, as its manifest says, uploaded in parts
    /// where it does not fit into one.
    pub(crate) fn run(&self) -> Manifest {
        let [json, archive] = keys_of(RUN_ID);
        let objects = self.server.client.objects(self.name);
        let keys: Vec<_> = objects.iter().map(|(key, _)| key).collect();
        assert_eq!(keys, [&json, &archive]);
        assert_eq!(self.uploads(), 0, "an upload is open");
        let dir = tempfile::tempdir().expect("a directory");
        let (manifest, tar) = (dir.path().join("manifest"), dir.path().join("tar.gz"));
        self.server.client.fetch(self.name, &json, &manifest);
        self.server.client.fetch(self.name, &archive, &tar);
        let manifest = unpacked::checked(&manifest, &tar);
        let uri = format!("s3://{}/{archive}", self.name);
        assert_eq!(manifest.archive.uri, uri);
        let parts = manifest.archive.bytes.div_ceil(PART);
        let tag = &objects[1].1;
        if parts > 1 {
            assert!(tag.ends_with(&format!("-{parts}")), "{parts} parts: {tag}");
        }
        manifest
    }
}

/// The keys of a run's manifest and of its archive.
pub(crate) fn keys_of(run: &str) -> [String; 2] {
    ["json", "tar.gz"].map(|ending| format!("{PREFIX}/profile-{run}.{ending}"))
}
