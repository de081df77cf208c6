//! Strings in virt-api's pages, which come in pieces of any size and are taken out of them as they lie.

use std::io::{self, Read};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cluster_profiler_job::archive::Spool;
use cluster_profiler_job::engine::read_page;
use cluster_profiler_job::pprof::Kind;
use flate2::read::MultiGzDecoder;

/// A body that gives so many bytes at once.
struct InPieces<'a> {
    body: &'a [u8],
    most: usize,
}

impl Read for InPieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = self.most.min(buffer.len());
        self.body.read(&mut buffer[..most])
    }
}

/// The sizes of pieces: around a group of base64, a page's beginning, and the buffers on the way.
const PIECES: [usize; 13] = [1, 2, 3, 4, 5, 7, 64, 65, 1023, 1024, 1025, 8191, 1 << 20];

/// A page with these members of `pprofData`.
fn page(members: &str) -> String {
    format!(
        r#"{{"kind":"x","componentResults":{{"pod":{{"pprofData":{{{members}}}}}}},"continue":"a\"b"}}"#
    )
}

/// What is kept of a page that comes in such pieces: the content of each profile.
fn kept(page: &str, most: usize) -> Result<Vec<(Kind, Vec<u8>)>, String> {
    let spool = Spool::new("run".to_owned(), std::env::temp_dir(), true);
    let body = page.as_bytes();
    let (bundle, _) = read_page(InPieces { body, most }, "pod", &spool)?;
    let entries = bundle.expect("the pod").entries.into_iter();
    let entries = entries.map(|(kind, entry)| {
        let mut content = Vec::new();
        let (_, gzip) = entry.into_parts();
        let read = MultiGzDecoder::new(gzip).read_to_end(&mut content);
        read.expect("a gzip member");
        (kind, content)
    });
    Ok(entries.collect())
}

#[test]
fn strings_are_decoded_whatever_pieces_they_come_in() {
    for length in [0, 1, 2, 3, 4, 5, 766, 767, 768, 769, 100_000] {
        let content = |salt: usize| -> Vec<u8> {
            let byte = |n: usize| (n * 7 + n / 256 + salt) as u8 | 0x80;
            (0..length).map(byte).collect()
        };
        let (one, other) = (content(0), content(91));
        let encoded = |content: &[u8]| STANDARD.encode(content);
        let escaped = encoded(&other).replace('/', "\\/").replace('+', "\\u002b");
        let page = page(&format!(
            r#""block.pprof":"{}", "core" : "a\"b:\"c" ,"mutex.pprof" : "{escaped}","goroutine.pprof":"{}""#,
            encoded(&one),
            encoded(&one)
        ));
        let expected = [
            (Kind::Block, one.clone()),
            (Kind::Goroutine, one),
            (Kind::Mutex, other),
        ];
        for pieces in PIECES {
            let mut kept = kept(&page, pieces).expect("a page");
            kept.sort_by_key(|(kind, _)| kind.file_name());
            assert!(kept == expected, "{length} bytes in pieces of {pieces}");
        }
    }
}

#[test]
fn what_is_no_string_of_base64_is_told() {
    let long = "QUJD".repeat(2000);
    let unclosed = r#"{"componentResults":{"pod":{"pprofData":{"heap.pprof":"QUJD"#;
    for (page, why) in [
        (
            page(r#""heap.pprof":"QUJ*""#),
            "Invalid symbol 42, offset 3",
        ),
        (
            page(&format!(r#""heap.pprof":"{long}*UJD""#)),
            "Invalid symbol 42, offset 8000",
        ),
        (page(r#""heap.pprof":"QQ==QUJD""#), "offset 2"),
        (
            page(&format!(r#""heap.pprof":"{long}QQ==QUJD""#)),
            "offset 8002",
        ),
        (page(r#""heap.pprof":"QUI""#), "Invalid padding"),
        (page(r#""heap.pprof":"QUJDR""#), "heap.pprof: "),
        (page(r#""heap.pprof":"QR==""#), "Invalid last symbol"),
        (page(r#""heap.pprof":"QUJD\n""#), "heap.pprof: "),
        (page("\"heap.pprof\":\"QUJD\nQUJD\""), "heap.pprof: "),
        (page("\"heap.pprof\":\"QUJDé\""), "heap.pprof: "),
        (page(r#""heap.pprof":"QU\x""#), "heap.pprof: "),
        (page(r#""heap.pprof":7"#), "cut or malformed"),
        (page(r#""heap.pprof":null"#), "cut or malformed"),
        (page(r#""heap.pprof":["QUJD"]"#), "cut or malformed"),
        (page(r#""heap.pprof":{"a":"QUJD"}"#), "cut or malformed"),
        (page(r#""heap.pprof" "QUJD""#), "cut or malformed"),
        (
            page(r#""heap.pprof":"QUJD""mutex.pprof":"QUJD""#),
            "cut or malformed",
        ),
        (page(r#""heap.pprof":"QUJD" "QUJD""#), "cut or malformed"),
        (
            page(r#""heap.pprof":"QUJD","heap.pprof":"QUJD""#),
            "heap.pprof is there twice",
        ),
        (page(r#""heap.pprof":"QUJD""#) + "x", "cut or malformed"),
        (unclosed.to_owned(), "heap.pprof: "),
        (format!("{unclosed}QU"), "heap.pprof: "),
        (format!("{unclosed}\\"), "heap.pprof: "),
        (format!("{unclosed}\""), "cut or malformed"),
        (format!("{unclosed}\"}}}}}}"), "cut or malformed"),
    ] {
        for pieces in PIECES {
            let error = kept(&page, pieces).expect_err(&page);
            assert!(error.contains(why), "{page} in pieces of {pieces}: {error}");
        }
    }
}
