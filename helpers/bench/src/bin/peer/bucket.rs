//! A MinIO with one bucket.

use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::tools::Tools;

/// The bucket's name.
pub(crate) const BUCKET: &str = "profiles";

/// The account and its secret.
const ACCOUNT: &str = "bench";
const SECRET: &str = "bench-secret";

/// A server, which runs until this value is dropped.
pub(crate) struct Bucket {
    url: String,
    _data: TempDir,
    _process: Child,
}

impl Bucket {
    /// Starts it and makes the bucket.
    ///
    /// # Errors
    /// It does not start, or the bucket cannot be made.
    pub(crate) async fn start(tools: &Tools) -> Result<Self> {
        let data = tempfile::tempdir()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let address = format!("127.0.0.1:{port}");
        let process = Command::new(&tools.minio)
            .args(["server", "--quiet", "--address", &address])
            .args(["--console-address", "127.0.0.1:0"])
            .arg(data.path())
            .env("MINIO_ROOT_USER", ACCOUNT)
            .env("MINIO_ROOT_PASSWORD", SECRET)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let bucket = Self {
            url: format!("http://{address}"),
            _data: data,
            _process: process,
        };
        bucket.make(&tools.aws).await?;
        Ok(bucket)
    }

    /// Makes the bucket; the AWS CLI tries again while nobody listens yet.
    async fn make(&self, aws: &Path) -> Result<()> {
        let mut make = Command::new(aws);
        make.args(["s3", "mb", &format!("s3://{BUCKET}")])
            .envs(self.environment())
            .env("AWS_MAX_ATTEMPTS", "10");
        let output = make.output().await.context("the AWS CLI")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "no bucket could be made: {said}");
        Ok(())
    }

    /// The variables by which both the AWS CLI and the runner reach it.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", self.url.clone()),
            ("AWS_ACCESS_KEY_ID", ACCOUNT.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET.to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
        ]
    }
}
