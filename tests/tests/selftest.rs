//! What users run to see for themselves.

use pframe_tests::program::Place;
use serde_json::Value;

#[test]
fn hostile_components_end_as_they_must_on_this_machine() {
    let output = Place::new().command(&["selftest", "--hostile", "--json"]).output().unwrap();
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let passes = said["passes"].as_array().unwrap();
    let cases = || passes.iter().flat_map(|pass| pass["cases"].as_array().unwrap());
    let wrong: Vec<_> = cases().filter(|case| case["ok"] != true).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(cases().count() > 90);
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn selftest_says_what_it_can_test() {
    let place = Place::new();
    for arguments in [&["selftest"][..], &["selftest", "--layers", "--hostile"]] {
        let ended = place.run(arguments).expect_code(2);
        assert!(ended.stderr.contains("--hostile"), "{}", ended.stderr);
    }
}
