//! A client that shares nothing with the program's: curl, which signs requests by itself.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The account that may do everything.
pub(crate) const ACCESS_KEY: &str = "AKIDBUCKETS";

/// Its secret.
pub(crate) const SECRET_KEY: &str = "secret-of-the-buckets";

/// Who speaks to a server.
pub(crate) struct Client {
    /// Where it is.
    pub(crate) url: String,
    /// The authority of its certificate.
    pub(crate) ca: PathBuf,
}

impl Client {
    fn curl(&self, arguments: &[&str], target: &str) -> Output {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--fail-with-body"])
            .args(["--max-time", "60", "--noproxy", "*"])
            .args(["--aws-sigv4", "aws:amz:us-east-1:s3"])
            .args(["--user", &format!("{ACCESS_KEY}:{SECRET_KEY}")])
            // Older ones leave it out, and versitygw wants it.
            .args(["--header", "x-amz-content-sha256: UNSIGNED-PAYLOAD"])
            .arg("--cacert")
            .arg(&self.ca)
            .args(arguments)
            .arg(format!("{}/{target}", self.url));
        curl.output().expect("curl starts")
    }

    fn checked(&self, arguments: &[&str], target: &str) -> String {
        let output = self.curl(arguments, target);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{target}: {error}{said}");
        said
    }

    /// Whether the server knows the account yet.
    pub(crate) fn is_served(&self) -> bool {
        self.curl(&[], "").status.success()
    }

    /// Makes a bucket.
    pub(crate) fn make(&self, bucket: &str) {
        self.checked(&["--request", "PUT"], bucket);
    }

    /// Fetches an object into a file.
    pub(crate) fn fetch(&self, bucket: &str, key: &str, to: &Path) {
        let to = to.display().to_string();
        self.checked(&["--output", &to], &format!("{bucket}/{key}"));
    }

    /// The objects of a bucket: their keys, and their entity tags without quotes.
    pub(crate) fn objects(&self, bucket: &str) -> Vec<(String, String)> {
        let listed = self.checked(&[], &format!("{bucket}?list-type=2"));
        assert!(!listed.contains("<IsTruncated>true"), "{listed}");
        let tags = texts(&listed, "ETag").into_iter();
        let tags = tags.map(|tag| tag.replace("&#34;", "\"").replace("&quot;", "\""));
        let tags = tags.map(|tag| tag.trim_matches('"').to_owned());
        texts(&listed, "Key").into_iter().zip(tags).collect()
    }

    /// How many multipart uploads of a key are open. MinIO lists them by the whole key only.
    pub(crate) fn uploads(&self, bucket: &str, key: &str) -> usize {
        // Sorted and with every `=`, as curl signs what it is given.
        let query = format!("prefix={}&uploads=", key.replace('/', "%2F"));
        let listed = self.checked(&[], &format!("{bucket}?{query}"));
        texts(&listed, "UploadId").len()
    }
}

/// What stands in the elements of this name.
fn texts(xml: &str, element: &str) -> Vec<String> {
    let (open, close) = (format!("<{element}>"), format!("</{element}>"));
    let begun = xml.split(&open).skip(1);
    let ended = begun.filter_map(|rest| Some(rest.split_once(&close)?.0.to_owned()));
    ended.collect()
}
