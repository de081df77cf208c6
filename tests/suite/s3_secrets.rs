//! What nobody may see of a bucket's settings.

use std::path::{Path, PathBuf};

use bucket::{Answer, Fault, SECRET_KEY};

use crate::harness::{Place, listing, standin};
use crate::s3::{bucket, into};

/// Whether a run is refused, shipped or at the fallback: nothing that it leaves has a secret in it.
#[tokio::test]
async fn secrets_are_told_to_nobody() {
    let standin = standin().await;
    let token = |place: Place| {
        std::fs::write(place.path("web"), "identity-nobody-may-see").expect("a file");
        let file = place.path("web").display().to_string();
        place
            .with("AWS_ACCESS_KEY_ID", "")
            .with("AWS_SECRET_ACCESS_KEY", "")
            .with("AWS_ROLE_ARN", "arn:aws:iam::1:role/profiler")
            .with("AWS_WEB_IDENTITY_TOKEN_FILE", file)
            .with("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1")
            .with("AWS_EC2_METADATA_DISABLED", "true")
    };
    let wrong = |place: Place| place.with("AWS_SECRET_ACCESS_KEY", "wrong-nobody-may-see");
    let session = |place: Place| place.with("AWS_SESSION_TOKEN", "session-nobody-may-see");
    let closely = |place: Place| {
        let all = "aws_smithy_runtime::client::orchestrator=trace,aws_sigv4::http_request=trace";
        wrong(place).with("RUST_LOG", all)
    };
    let cases: [(_, &dyn Fn(Place) -> Place, _); 5] = [
        (None, &wrong, 4),
        (None, &closely, 4),
        (None, &session, 0),
        (Some(Answer::Refused(403, "AccessDenied")), &session, 0),
        (None, &token, 75),
    ];
    for (fault, with, code) in cases {
        let bucket = bucket().await;
        if let Some(answer) = fault {
            bucket.fault(Fault::always("PUT", "tar.gz", answer));
        }
        let place = into(&bucket, &standin);
        let fallback = format!("file://{}", place.out().display());
        let results = place.path("results").display().to_string();
        let place = place
            .with("PROFILER_FALLBACK", fallback)
            .with("PROFILER_RESULTS_DIR", results)
            .with("PROFILER_S3_TAGS", "a=tag-nobody-may-see")
            .with(
                "HTTPS_PROXY",
                "http://user:proxy-nobody-may-see@127.0.0.1:1",
            )
            .with("NO_PROXY", "127.0.0.1")
            .with("RUST_LOG", "trace");
        let place = with(place);
        let ended = place.run().await;
        assert_eq!(ended.code, code, "{}", ended.log);
        let given = place.path("web");
        if given.exists() {
            std::fs::remove_file(given).expect("it is ours");
        }
        let mut told = vec![ended.log];
        let left = [place.path(""), bucket.path("")];
        told.extend(left.iter().flat_map(|directory| texts(directory)));
        assert!(told.len() > 3, "{} files", told.len());
        for secret in ["nobody-may-see", SECRET_KEY] {
            let lines = told.iter().flat_map(|text| text.lines());
            assert_eq!(lines.clone().find(|line| line.contains(secret)), None);
        }
    }
}

/// Every file below a directory, as text.
pub(crate) fn texts(directory: &Path) -> Vec<String> {
    let below = |path: PathBuf| match path.is_dir() {
        true => texts(&path),
        false => vec![String::from_utf8_lossy(&std::fs::read(path).expect("a file")).into_owned()],
    };
    listing(directory).into_iter().flat_map(below).collect()
}
