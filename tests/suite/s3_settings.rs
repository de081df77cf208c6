//! How a bucket is reached, and what is asked of it, by the variables that everybody has.

use std::ffi::OsString;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bucket::{BUCKET, Proxy};
use cluster_profiler_job::config::{ConfigError, DestinationConfig, S3Config, from_environment};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use crate::harness::{Place, RUN_ID, standin};
use crate::s3::{assert_says, bucket, into, key};

/// The bucket that these variables name.
fn read(variables: &[(&str, &str)]) -> Result<S3Config, ConfigError> {
    let owned = variables
        .iter()
        .map(|(name, value)| (OsString::from(name), OsString::from(value)));
    match from_environment(owned).1?.destination {
        DestinationConfig::Bucket(bucket) => Ok(*bucket),
        DestinationConfig::Directory(path) => panic!("{path:?}"),
    }
}

#[test]
fn a_claim_says_where_its_bucket_is() {
    for (host, port, url) in [
        (
            "s3.openshift-storage.svc",
            "443",
            "https://s3.openshift-storage.svc",
        ),
        ("rgw", "80", "http://rgw"),
        ("minio", "9000", "https://minio:9000"),
        ("rgw", "7480", "https://rgw:7480"),
        ("rgw", "8080", "http://rgw:8080"),
        ("rgw", "0", "https://rgw"),
        ("rgw", "", "https://rgw"),
        ("rgw", " 8443 ", "https://rgw:8443"),
        ("fd00::17", "8000", "https://[fd00::17]:8000"),
        ("fd00::17", "80", "http://[fd00::17]"),
        ("[fd00::17]", "443", "https://[fd00::17]"),
        ("http://rgw:7480", "443", "http://rgw:7480"),
    ] {
        let claim = [
            ("BUCKET_NAME", "profiles"),
            ("BUCKET_HOST", host),
            ("BUCKET_PORT", port),
            ("BUCKET_REGION", ""),
        ];
        let bucket = read(&claim).expect("a bucket");
        assert_eq!(bucket.bucket, "profiles");
        assert_eq!(bucket.settings.endpoint.as_deref(), Some(url));
        assert_eq!(bucket.settings.region, None);
    }
    // A Service named `bucket` has such a variable, too.
    let link = [
        ("PROFILER_DESTINATION", "s3://profiles"),
        ("BUCKET_NAME", "profiles"),
        ("BUCKET_PORT", "tcp://10.0.0.1:80"),
        ("AWS_ENDPOINT_URL", ""),
        ("AWS_REGION", ""),
        ("AWS_DEFAULT_REGION", "eu-west-1"),
    ];
    let settings = read(&link).expect("a bucket").settings;
    assert_eq!(settings.endpoint, None);
    assert_eq!(settings.region.as_deref(), Some("eu-west-1"));
}

#[test]
fn what_is_no_url_is_told_before_anything_is_asked() {
    let bucket = ("PROFILER_DESTINATION", "s3://profiles");
    for url in [
        "https://host:99999",
        "https://",
        "host:80",
        "https://a@host",
        "https://h:x",
    ] {
        let told = read(&[bucket, ("AWS_ENDPOINT_URL", url)]).expect_err("a fault");
        assert!(told.faults[0].starts_with("AWS_ENDPOINT_URL: "), "{told}");
    }
    let claim = [
        ("BUCKET_NAME", "profiles"),
        ("BUCKET_HOST", "host"),
        ("BUCKET_PORT", "x"),
    ];
    let told = read(&claim).expect_err("a fault");
    assert!(told.faults[0].starts_with("BUCKET_HOST: "), "{told}");
    let told = read(&[("BUCKET_NAME", "a/b c")]).expect_err("a fault");
    assert!(told.faults[0].starts_with("BUCKET_NAME: "), "{told}");
}

#[tokio::test]
async fn a_claim_is_all_that_has_to_be_set() {
    let (standin, bucket) = (standin().await, bucket().await);
    let (host, port) = bucket
        .url()
        .trim_start_matches("https://")
        .split_once(':')
        .expect("a port");
    let place = into(&bucket, &standin)
        .with("PROFILER_DESTINATION", "")
        .with("AWS_ENDPOINT_URL", "")
        .with("BUCKET_NAME", BUCKET)
        .with("BUCKET_HOST", host)
        .with("BUCKET_PORT", port)
        .with("BUCKET_REGION", "");
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let keys = [
        format!("profile-{RUN_ID}.json"),
        format!("profile-{RUN_ID}.tar.gz"),
    ];
    assert_eq!(bucket.keys(), keys);
}

/// Closes every connection once something came, after this answer.
async fn answers(address: &str, answer: &'static str) -> (u16, AbortHandle) {
    let listener = TcpListener::bind(address).await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let serve = async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut some = [0; 4096];
            drop(stream.read(&mut some).await);
            drop(stream.write_all(answer.as_bytes()).await);
        }
    };
    (port, tokio::spawn(serve).abort_handle())
}

/// A claim says no scheme. Where the guess is wrong, the fault says what to set.
#[tokio::test]
async fn a_port_that_speaks_something_else_is_told_with_what_to_set() {
    const PLAIN: &str =
        "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    // As Go's servers answer; others hang up.
    const WANTS_TLS: &str =
        "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
    let standin = standin().await;
    for (host, port, answer, code, other) in [
        ("127.0.0.1", 0, PLAIN, 4, "http"),
        ("127.83.51.17", 8080, WANTS_TLS, 4, "https"),
        ("127.83.51.18", 8080, "", 75, "https"),
    ] {
        let (port, serving) = answers(&format!("{host}:{port}"), answer).await;
        let place = Place::new(&standin)
            .with("PROFILER_DESTINATION", "")
            .with("AWS_ACCESS_KEY_ID", "a")
            .with("AWS_SECRET_ACCESS_KEY", "b")
            .with("AWS_MAX_ATTEMPTS", 1)
            .with("BUCKET_NAME", BUCKET)
            .with("BUCKET_HOST", host)
            .with("BUCKET_PORT", port);
        let ended = place.run().await;
        let set = format!("AWS_ENDPOINT_URL={other}://{host}:{port}");
        assert_says(&ended, code, &["BUCKET_PORT", &set]);
        serving.abort();
    }
    assert_eq!(standin.starts(), 0);
}

#[tokio::test]
async fn an_authority_may_be_named_as_openssl_has_it() {
    let (standin, bucket) = (standin().await, bucket().await);
    let place = into(&bucket, &standin).with("AWS_CA_BUNDLE", "");
    let ca = place.path("bucket-ca.pem").display().to_string();
    let ended = place.with("SSL_CERT_FILE", ca).run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
}

/// A cluster has a hundred authorities, and one that is odd is nobody's fault.
#[tokio::test]
async fn an_authority_that_cannot_be_used_is_left_out() {
    let (standin, bucket) = (standin().await, bucket().await);
    let place = into(&bucket, &standin);
    let odd = BASE64_STANDARD.encode("no certificate");
    let odd = format!("-----BEGIN CERTIFICATE-----\n{odd}\n-----END CERTIFICATE-----\n");
    let bundle = format!("{odd}{}", bucket.ca_pem());
    std::fs::write(place.path("bucket-ca.pem"), bundle).expect("a file");
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert!(ended.log.contains("1 of 2 certificates"), "{}", ended.log);
}

#[tokio::test]
async fn objects_are_written_as_the_settings_want() {
    let (standin, bucket) = (standin().await, bucket().await);
    let place = into(&bucket, &standin)
        .with("PROFILER_S3_ENCRYPTION", "aws:kms")
        .with("PROFILER_S3_KMS_KEY_ID", "a-key")
        .with("PROFILER_S3_STORAGE_CLASS", "STANDARD")
        .with("PROFILER_S3_TAGS", "team=virt,why=a b");
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    for suffix in ["tar.gz", "json"] {
        let seen = bucket.seen();
        let put = seen
            .iter()
            .find(|seen| seen.method == "PUT" && seen.target.contains(&key(suffix)));
        let headers = &put.expect("it was written").headers;
        for (name, value) in [
            ("x-amz-server-side-encryption", "aws:kms"),
            ("x-amz-server-side-encryption-aws-kms-key-id", "a-key"),
            ("x-amz-storage-class", "STANDARD"),
            ("x-amz-tagging", "team=virt&why=a%20b"),
        ] {
            assert_eq!(headers[name], value, "{suffix}");
        }
        // A server that is not AWS might refuse it.
        assert!(!headers.contains_key("x-amz-checksum-crc32"));
    }
}

#[tokio::test]
async fn a_checksum_that_is_asked_for_is_sent() {
    let (standin, bucket) = (standin().await, bucket().await);
    let place = into(&bucket, &standin);
    let place = place.with("AWS_REQUEST_CHECKSUM_CALCULATION", "when_supported");
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let seen = bucket.seen();
    let mut puts = seen.iter().filter(|seen| seen.method == "PUT");
    assert!(puts.all(|put| put.headers.contains_key("x-amz-checksum-crc32")));
}

/// Through a proxy, which is asked for the host that a bucket's name is a part of.
#[tokio::test]
async fn a_proxy_is_used_and_the_buckets_name_stands_where_it_should() {
    let (standin, bucket) = (standin().await, bucket().await);
    let server = bucket.url().trim_start_matches("https://");
    let proxy = Proxy::start(server.to_owned()).await.expect("a proxy");
    let place = into(&bucket, &standin)
        .with("AWS_ENDPOINT_URL", "https://s3.standin.test:4711")
        .with("HTTPS_PROXY", proxy.url());
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert!(
        proxy
            .asked()
            .iter()
            .all(|host| host == "s3.standin.test:4711")
    );
    assert_eq!(bucket.keys().len(), 2);
    let another = place
        .with("PROFILER_S3_PATH_STYLE", "false")
        .with("PROFILER_RUN_ID", "another");
    let ended = another.run().await;
    assert_eq!(ended.code, 4, "{}", ended.log);
    let host = format!("{BUCKET}.s3.standin.test:4711");
    assert!(proxy.asked().contains(&host), "{:?}", proxy.asked());
}
