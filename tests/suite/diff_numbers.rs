//! `diff`: what is said of single numbers.

use serde_json::json;

use crate::diff::{diff, document, keep, manifest, nights, number, steady_and};

#[tokio::test]
async fn a_number_that_is_zero_in_some_run_is_told() {
    let place = nights(&steady_and(&[0]));
    let said = document(&place, &[]).await;
    let left_out = said["left_out"].as_array().expect("numbers");
    let heap = left_out.iter().find(|of| of["name"] == "live_heap_bytes");
    let heap = heap.unwrap_or_else(|| panic!("{said}"));
    assert_eq!(
        (&heap["component"], &heap["new"]),
        (&json!("virt-api"), &json!(0.0))
    );
    let told = diff(&place, &[]).await.log;
    assert!(
        told.contains("virt-api live heap: 100.0 MiB before, 0 B now"),
        "{told}"
    );
}

#[tokio::test]
async fn the_run_that_confirms_a_change_is_not_in_its_scatter() {
    let place = nights(&steady_and(&[115]));
    let first = document(&place, &[]).await;
    let first = number(&first, "live_heap_bytes").clone();
    keep(&place, 13, &manifest(13, 116).to_string());
    let next = document(&place, &[]).await;
    let next = number(&next, "live_heap_bytes");
    assert_eq!(next["confirmed"], true, "{next}");
    assert_eq!(next["runs"], first["runs"]);
    let low = next["interval"][0].as_f64().expect("an interval");
    assert!(low > 1.05, "{next}");
}
