//! Components from OCI registries: an honest one, and one that lies.

use std::fs;
use std::time::{Duration, Instant};

use pframe_tests::guest;
use pframe_tests::program::{Ended, Place};
use pframe_tests::registry::{Answer, DockerRegistry, digest, lying, manifest};
use serde_json::Value;

const WASM: &str = "application/wasm";
const OLDER_WASM: &str = "application/vnd.wasm.content.layer.v1+wasm";

fn tiny() -> Vec<u8> {
    fs::read(guest("tiny")).unwrap()
}

/// The digits alone.
fn sha256(bytes: &[u8]) -> String {
    digest(bytes).replace("sha256:", "")
}

fn asking(place: &Place, reference: &str, more: &str) {
    place.write(
        "jobs.yaml",
        format!("version: 1\ntasks: {{ x: {{ component: \"oci://{reference}\"{more} }} }}\njobs: [ {{ id: a, task_type: x, input_data: {{ text: hello }} }} ]\n"),
    );
}

fn json(ended: &Ended) -> Value {
    serde_json::from_slice(&ended.stdout).unwrap()
}

#[test]
fn what_was_pushed_is_pulled_once_and_runs_without_the_registry() {
    let registry = DockerRegistry::start();
    let address = registry.address.clone();
    let pin = registry.push("acme/tiny", "1.0", WASM, &tiny());
    registry.push("acme/older-tool", "latest", OLDER_WASM, &tiny());
    let place = Place::new();
    let pulled = place.run(&["tasks", "pull", &format!("{address}/acme/tiny:1.0")]).expect_code(0);
    assert!(pulled.stderr.contains("pulled `tiny@1.0.0`"), "{}", pulled.stderr);
    assert!(
        pulled.stderr.contains(&format!("oci://{address}/acme/tiny@{pin}")),
        "{}",
        pulled.stderr
    );
    // A job brings along what was not pulled yet: by tag, and by the digest of the manifest.
    asking(&place, &format!("{address}/acme/older-tool:latest"), "");
    let ran = place.run(&["run", "jobs.yaml", "--quiet"]).expect_code(0);
    assert_eq!(ran.stdout, b"5");
    assert!(ran.stderr.contains("pulling `localhost:"), "{}", ran.stderr);
    let other = Place::new();
    asking(&other, &format!("{address}/acme/tiny@{pin}"), "");
    other.run(&["check", "jobs.yaml"]).expect_code(0);
    drop(registry);
    for (place, reference) in [
        (&place, format!("{address}/acme/older-tool:latest")),
        (&place, format!("{address}/acme/tiny:1.0")),
        (&place, format!("{address}/acme/tiny@{pin}")),
        (&other, format!("{address}/acme/tiny@{pin}")),
    ] {
        asking(place, &reference, "");
        let plan = json(&place.run(&["plan", "jobs.yaml", "--json"]).expect_code(0));
        assert_eq!(plan["component"], sha256(&tiny()), "{reference}");
        let seen = place.run(&["tasks", "inspect", &format!("oci://{reference}"), "--json"]);
        assert_eq!(json(&seen.expect_code(0))["pinned"], true);
    }
    place.write(
        "jobs.yaml",
        "version: 1\njobs: [ { id: a, task_type: tiny@^1, input_data: { text: hello } } ]\n",
    );
    assert_eq!(place.run(&["run", "jobs.yaml", "--quiet"]).expect_code(0).stdout, b"5");
    let listed = json(&place.run(&["tasks", "list", "--json"]).expect_code(0));
    let from: Vec<_> = listed.as_array().unwrap().iter().map(|row| row["from"].as_str()).collect();
    assert_eq!(from, [Some("store"), Some("registry"), Some("registry")]);
    let job = format!(
        "version: 1\njobs: [ {{ id: a, task_type: \"sha256:{}\", input_data: {{ text: x }} }} ]\n",
        sha256(&tiny())
    );
    other.write("jobs.yaml", job);
    assert_eq!(other.run(&["run", "jobs.yaml", "--quiet"]).expect_code(0).stdout, b"1");
    place.run(&["tasks", "remove", &format!("oci://{address}/acme/tiny:1.0")]).expect_code(0);
    place.run(&["tasks", "verify"]).expect_code(0);
}

#[test]
fn a_pinned_digest_of_manifest_or_component_is_always_verified() {
    let registry = DockerRegistry::start();
    registry.push("acme/tiny", "1.0.0", WASM, &tiny());
    let place = Place::new();
    let reference = format!("{}/acme/tiny:1.0.0", registry.address);
    let wrong = sha256(b"");
    asking(&place, &reference, &format!(", sha256: {wrong}"));
    let refused = place.run(&["check", "jobs.yaml"]).expect_code(3);
    assert!(refused.stderr.contains("PF208"), "{}", refused.stderr);
    assert_untouched(&place);
    asking(&place, &reference, &format!(", sha256: {}", sha256(&tiny())));
    place.run(&["check", "jobs.yaml"]).expect_code(0);
    // What was pulled before is held against the pin once more.
    asking(&place, &reference, &format!(", sha256: {wrong}"));
    let refused = place.run(&["check", "jobs.yaml"]).expect_code(3);
    assert!(refused.stderr.contains("PF208"), "{}", refused.stderr);
    let missing = format!("{}/acme/tiny@sha256:{wrong}", registry.address);
    let refused = place.run(&["tasks", "pull", &missing]).expect_code(3);
    assert!(refused.stderr.contains("there is nothing"), "{}", refused.stderr);
}

#[track_caller]
fn assert_untouched(place: &Place) {
    assert!(!place.path(".local/share/pframe/tasks").exists(), "the store was touched");
}

/// Pulls from a registry that answers so to the manifest and to the blob.
#[track_caller]
fn refuses(what: &str, words: &[&str], code: i32, of_manifest: Answer, of_blob: Answer) {
    let address = lying(move |heard| {
        if heard.path.contains("/manifests/") { of_manifest.clone() } else { of_blob.clone() }
    });
    let place = Place::new();
    let began = Instant::now();
    let ended = place.run(&["tasks", "pull", &format!("{address}/a/b:1")]).expect_code(code);
    for words in words {
        assert!(ended.stderr.contains(words), "{what}: `{words}` is not in {}", ended.stderr);
    }
    assert!(began.elapsed() < Duration::from_secs(20), "{what} took {:?}", began.elapsed());
    assert_untouched(&place);
}

fn honest(bytes: &[u8]) -> Answer {
    Answer::of(manifest(WASM, &digest(bytes), bytes.len()))
}

#[test]
fn a_registry_that_lies_is_refused_by_bound_or_digest_and_the_store_is_untouched() {
    let component = tiny();
    let mut other = component.clone();
    *other.last_mut().unwrap() ^= 1;
    let blob = || Answer::of(tiny());
    refuses("another component", &["PF208"], 3, honest(&component), Answer::of(other));
    refuses(
        "an endless component",
        &["PF204", "the size that its manifest states"],
        3,
        honest(&component),
        Answer::endless(),
    );
    refuses(
        "a component that breaks off",
        &["PF208"],
        3,
        honest(&component),
        Answer::of(&component[..99]),
    );
    refuses(
        "an endless manifest",
        &["PF204", "the size of a manifest"],
        3,
        Answer::endless(),
        blob(),
    );
    refuses("a huge manifest", &["PF204"], 3, Answer::of(vec![b' '; 5 << 20]), blob());
    let huge = Answer { head: "200 OK\r\nContent-Length: 99999999999".into(), ..Answer::endless() };
    refuses("a manifest that says so", &["PF204", "93.1"], 3, huge, blob());
    let large = Answer::of(manifest(WASM, &digest(&component), 1 << 40));
    refuses("a component of a TiB", &["PF204", "component_bytes_max"], 3, large, Answer::endless());
    refuses("no manifest", &["PF223", "cannot be read"], 3, Answer::of("<html>"), blob());
    let tar = "application/vnd.oci.image.layer.v1.tar+gzip";
    let image = Answer::of(manifest(tar, &digest(&component), component.len()));
    refuses("an image", &["PF223", tar], 3, image, blob());
    refuses("no component", &["PF202"], 3, honest(b"\x7fELF"), Answer::of(b"\x7fELF".as_slice()));
    let elsewhere = |to: &str| Answer::head(&format!("307 Temporary Redirect\r\nLocation: {to}"));
    refuses(
        "a redirect to another machine",
        &["PF223", "169.254.169.254"],
        3,
        honest(&component),
        elsewhere("http://169.254.169.254/x"),
    );
    refuses(
        "a redirect to a file",
        &["PF223"],
        3,
        honest(&component),
        elsewhere("file://localhost/etc/passwd"),
    );
    refuses(
        "redirects without end",
        &["PF420", "more than 5 times"],
        5,
        elsewhere("/v2/manifests/"),
        blob(),
    );
    let challenge = |realm: &str| {
        Answer::head(&format!(
            "401 Unauthorized\r\nWWW-Authenticate: Bearer realm=\"{realm}\",service=\"x\""
        ))
    };
    refuses(
        "a token from another machine",
        &["PF223", "169.254.169.254"],
        3,
        challenge("http://169.254.169.254/token"),
        blob(),
    );
    refuses(
        "a login",
        &["PF421", "there is none for `127.0.0.1:", "/.docker/config.json`"],
        5,
        Answer::head("401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\""),
        blob(),
    );
    refuses("an error", &["PF420", "status 500"], 5, Answer::head("500 Oops"), blob());
}

#[test]
fn a_pinned_manifest_that_is_another_is_refused() {
    let component = tiny();
    let answer = honest(&component);
    let address = lying(move |_| answer.clone());
    let place = Place::new();
    let pinned = format!("{address}/a/b@{}", digest(b"another"));
    let ended = place.run(&["tasks", "pull", &pinned]).expect_code(3);
    assert!(ended.stderr.contains("the registry sends a manifest with"), "{}", ended.stderr);
    assert_untouched(&place);
}

#[test]
fn a_token_for_anybody_is_fetched_and_does_not_follow_a_redirect_to_another_host() {
    let component = tiny();
    let text = manifest(WASM, &digest(&component), component.len());
    let storage = lying(move |heard| match &heard.authorization {
        None => Answer::of(tiny()),
        Some(_) => Answer::head("500 a token came along"),
    });
    let address = lying(move |heard| {
        if heard.path == "/token?service=x&scope=y%3Az" {
            return Answer::of(r#"{"access_token":"abc"}"#);
        }
        match (heard.authorization.as_deref(), heard.path.contains("/manifests/")) {
            (Some("Bearer abc"), true) => Answer::of(text.clone()),
            (Some("Bearer abc"), false) => {
                Answer::head(&format!("307 Temporary Redirect\r\nLocation: http://{storage}/blob"))
            }
            _ => Answer::head(&format!(
                "401 Unauthorized\r\nWWW-Authenticate: Bearer realm=\"http://{}/token\",service=\"x\",scope=\"y:z\"",
                heard.host
            )),
        }
    });
    let place = Place::new();
    let ended = place.run(&["tasks", "pull", &format!("{address}/a/b:2.0.0")]).expect_code(0);
    assert!(ended.stderr.contains("pulled `b@2.0.0`"), "{}", ended.stderr);
}

#[test]
fn a_component_that_was_pulled_and_changed_on_disk_is_noticed() {
    let component = tiny();
    let text = manifest(WASM, &digest(&component), component.len());
    let address = lying(move |heard| {
        if heard.path.contains("/manifests/") {
            Answer::of(text.clone())
        } else {
            Answer::of(tiny())
        }
    });
    let place = Place::new();
    asking(&place, &format!("{address}/a/b:1"), "");
    place.run(&["check", "jobs.yaml"]).expect_code(0);
    place.run(&["tasks", "verify"]).expect_code(0);
    let stored = format!(".local/share/pframe/tasks/{}.wasm", sha256(&component));
    place.write(&stored, [&component[..], b"\0"].concat());
    for command in [&["check", "jobs.yaml"][..], &["tasks", "verify"]] {
        let refused = place.run(command).expect_code(3);
        assert!(refused.stderr.contains("PF208"), "{}", refused.stderr);
    }
}
