//! Private registries: who is told a login, and who never is.

use std::fs;
use std::sync::{Arc, Mutex};

use pframe_tests::guest;
use pframe_tests::program::{Ended, Place};
use pframe_tests::registry::{
    Answer, DockerRegistry, Heard, PASSWORD, USER, basic, digest, lying, manifest,
};

const WASM: &str = "application/wasm";
const DOCKER: &str = ".docker/config.json";

fn tiny() -> Vec<u8> {
    fs::read(guest("tiny")).unwrap()
}

/// A file with one login.
fn login(registry: &str, user: &str, password: &str) -> String {
    let auth = basic(user, password).replace("Basic ", "");
    format!(r#"{{ "auths": {{ "{registry}": {{ "auth": "{auth}" }} }} }}"#)
}

#[track_caller]
fn pull(place: &Place, registry: &str, code: i32) -> String {
    let ended = place.run(&["tasks", "pull", &format!("{registry}/acme/tiny:1.0.0")]);
    shown(ended.expect_code(code))
}

/// What was said, in which no password ever stands.
#[track_caller]
fn shown(ended: Ended) -> String {
    let said = format!("{}{}", ended.stderr, String::from_utf8_lossy(&ended.stdout));
    for secret in [PASSWORD, &basic(USER, PASSWORD).replace("Basic ", "")] {
        assert!(!said.contains(secret), "{said}");
    }
    said
}

#[track_caller]
fn has(said: &str, words: &[&str]) {
    for words in words {
        assert!(said.contains(words), "`{words}` is not in {said}");
    }
}

/// What a registry has under every tag, for requests that it lets in.
fn tiny_in(heard: &Heard) -> Answer {
    let component = tiny();
    match heard.path.contains("/manifests/") {
        true => Answer::of(manifest(WASM, &digest(&component), component.len())),
        false => Answer::of(component),
    }
}

fn wants(challenge: &str) -> Answer {
    Answer::head(&format!("401 Unauthorized\r\nWWW-Authenticate: {challenge}"))
}

/// A registry that notes whatever comes with an `Authorization`, or in a body.
fn listening(answer: impl Fn(&Heard) -> Answer + Send + Sync + 'static) -> (String, Told) {
    let told = Told::default();
    let note = told.clone();
    let address = lying(move |heard| {
        let told = heard.authorization.iter().chain([&heard.body]).filter(|it| !it.is_empty());
        note.0.lock().unwrap().extend(told.cloned());
        answer(heard)
    });
    (address, told)
}

/// What a registry was told.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<String>>>);

impl Told {
    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

#[test]
fn a_private_registry_opens_to_the_login_that_docker_wrote_down() {
    let registry = DockerRegistry::start_private();
    registry.push("acme/tiny", "1.0.0", WASM, &tiny());
    let place = Place::new();
    has(&pull(&place, &registry.address, 5), &["PF421", "there is none", DOCKER]);
    place.write(DOCKER, login(&registry.address, USER, "wrong"));
    has(&pull(&place, &registry.address, 5), &["PF421", "does not let the login", DOCKER]);
    place.write(DOCKER, login(&registry.address, USER, PASSWORD));
    let job = format!(
        "version: 1\ntasks: {{ x: {{ component: \"oci://{}/acme/tiny:1.0.0\" }} }}\njobs: [ {{ id: a, task_type: x, input_data: {{ text: hello }} }} ]\n",
        registry.address
    );
    place.write("jobs.yaml", job);
    // Not even a trace has the password, nor has anything that is kept.
    let ran = place.run(&["run", "jobs.yaml", "--quiet", "--log-level", "trace"]);
    assert_eq!(ran.stdout, b"5");
    shown(ran.expect_code(0));
    pull(&place, &registry.address, 0);
    for folder in [place.state(), place.path(".local")] {
        let found = std::process::Command::new("grep")
            .args(["-rlaE", &format!("{PASSWORD}|{}", &basic(USER, PASSWORD)[6..])])
            .arg(&folder)
            .output()
            .unwrap();
        assert!(folder.exists() && found.stdout.is_empty(), "{found:?}");
    }
}

#[test]
fn a_login_buys_a_token_to_read_this_repository_and_nothing_more() {
    let (storage, told_storage) = listening(tiny_in);
    let (address, told) = listening(move |heard| {
        let is_ada = heard.authorization == Some(basic(USER, PASSWORD));
        if let Some(query) = heard.path.strip_prefix("/token?") {
            return match (is_ada, query) {
                (true, "service=r&scope=repository%3Aacme%2Ftiny%3Apull") => {
                    Answer::of(r#"{"token":"t0"}"#)
                }
                _ => Answer::head("401 Unauthorized"),
            };
        }
        match (heard.authorization.as_deref(), heard.path.contains("/manifests/")) {
            (Some("Bearer t0"), true) => tiny_in(heard),
            (Some("Bearer t0"), false) => {
                Answer::head(&format!("307 Temporary Redirect\r\nLocation: http://{storage}/blob"))
            }
            // It asks for more than it needs.
            _ => wants(&format!(
                "Bearer realm=\"http://{}/token\",service=\"r\",scope=\"repository:acme/tiny:pull,push,delete\"",
                heard.host
            )),
        }
    });
    let place = Place::new();
    pull(&place, &address, 5);
    assert_eq!(told.all(), [""; 0], "without a login nothing is sent");
    place.write(DOCKER, login(&address, USER, "wrong"));
    has(&pull(&place, &address, 5), &["PF421", "does not let the login"]);
    place.write(DOCKER, login(&address, USER, PASSWORD));
    pull(&place, &address, 0);
    let sent = told.all().into_iter().skip(1).collect::<Vec<_>>();
    assert_eq!(sent, [&*basic(USER, PASSWORD), "Bearer t0", "Bearer t0"]);
    assert_eq!(told_storage.all(), [""; 0], "the token stays with its registry");
}

#[test]
fn an_identity_token_is_exchanged_and_never_sent_as_a_password() {
    let (address, told) = listening(|heard| match heard.authorization.as_deref() {
        Some("Bearer t1") => tiny_in(heard),
        _ if heard.method == "POST" && heard.path == "/token" => {
            Answer::of(r#"{"access_token":"t1"}"#)
        }
        _ => wants(&format!("Bearer realm=\"http://{}/token\",service=\"r\"", heard.host)),
    });
    let place = Place::new();
    let entry = r#"{ "auth": "PHRva2VuPjo=", "identitytoken": "id/1" }"#;
    place.write(DOCKER, format!(r#"{{ "auths": {{ "{address}": {entry} }} }}"#));
    pull(&place, &address, 0);
    let form = "service=r&scope=repository%3Aacme%2Ftiny%3Apull&grant_type=refresh_token&client_id=pframe-host&refresh_token=id%2F1";
    assert_eq!(told.all(), [form, "Bearer t1", "Bearer t1"]);
    let (address, told) = listening(|_| wants("Basic realm=\"x\""));
    place.write(DOCKER, format!(r#"{{ "auths": {{ "{address}": {entry} }} }}"#));
    has(&pull(&place, &address, 5), &["PF421", "identity token"]);
    assert_eq!(told.all(), [""; 0]);
}

#[test]
fn a_login_is_told_to_its_own_registry_alone() {
    // Another registry, though it asks.
    let (other, told_other) = listening(|_| wants("Basic realm=\"x\""));
    let (elsewhere, told_elsewhere) = listening(|_| Answer::of(r#"{"token":"t"}"#));
    let place = Place::new();
    place.write(DOCKER, login("127.0.0.1:1", USER, PASSWORD));
    has(&pull(&place, &other, 5), &["PF421", "there is none"]);
    assert_eq!(told_other.all(), [""; 0]);
    // A token service that would hear it in clear text.
    let realm = format!("Bearer realm=\"http://{elsewhere}/token\",service=\"r\"");
    let (naming, told) = listening(move |_| wants(&realm));
    place.write(DOCKER, login(&naming, USER, PASSWORD));
    has(&pull(&place, &naming, 3), &["PF223", "without encryption", &elsewhere]);
    assert_eq!((told.all(), told_elsewhere.all()), (vec![], vec![]));
    // A redirect, from the registry and from its own token service.
    let away = format!("307 Temporary Redirect\r\nLocation: http://{elsewhere}/x");
    let (redirecting, told) = listening(move |heard| match &heard.authorization {
        None => wants("Basic realm=\"x\""),
        Some(_) => Answer::head(&away),
    });
    place.write(DOCKER, login(&redirecting, USER, PASSWORD));
    pull(&place, &redirecting, 3);
    assert_eq!((told.all(), told_elsewhere.all()), (vec![basic(USER, PASSWORD)], vec![]));
    let away = format!("307 Temporary Redirect\r\nLocation: http://{elsewhere}/token");
    let (service, _) = listening(move |heard| match heard.path.starts_with("/token") {
        true => Answer::head(&away),
        false => wants(&format!("Bearer realm=\"http://{}/token\"", heard.host)),
    });
    place.write(DOCKER, login(&service, USER, PASSWORD));
    pull(&place, &service, 5);
    assert_eq!(told_elsewhere.all(), [""; 0]);
}

#[test]
fn a_host_that_a_registry_redirects_to_cannot_ask_for_the_login() {
    let (evil, told_evil) = listening(|_| Answer::head("500 a token service"));
    for challenge in
        [format!("Bearer realm=\"https://{evil}/token\""), "Basic realm=\"x\"".to_owned()]
    {
        let (storage, told_storage) = listening(move |_| wants(&challenge));
        let away = format!("307 Temporary Redirect\r\nLocation: http://{storage}/x");
        let (address, told) = listening(move |_| Answer::head(&away));
        let place = Place::new();
        place.write(DOCKER, login(&address, USER, PASSWORD));
        has(&pull(&place, &address, 5), &["PF420", "status 401"]);
        assert_eq!((told.all(), told_storage.all()), (vec![], vec![]));
    }
    assert_eq!(told_evil.all(), [""; 0]);
}

#[test]
fn no_proxy_of_the_environment_hears_a_login() {
    let (proxy, told) = listening(|_| Answer::head("500 a proxy"));
    let (address, _) = listening(|heard| match &heard.authorization {
        None => wants("Basic realm=\"x\""),
        Some(_) => tiny_in(heard),
    });
    let place = Place::new();
    place.write(DOCKER, login(&address, USER, PASSWORD));
    let proxy = format!("http://{proxy}");
    let mut command = place.command(&["tasks", "pull", &format!("{address}/acme/tiny:1.0.0")]);
    for name in ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        command.env(name, &proxy);
    }
    let ended = command.output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    assert_eq!(told.all(), [""; 0]);
}

#[test]
fn each_of_the_usual_files_is_found() {
    let (address, _) = listening(|heard| match &heard.authorization {
        Some(login) if *login == basic(USER, PASSWORD) => tiny_in(heard),
        _ => wants("Basic realm=\"x\""),
    });
    let reference = format!("{address}/acme/tiny:1.0.0");
    for (variable, value, file) in [
        ("REGISTRY_AUTH_FILE", "mine.json", "mine.json"),
        ("XDG_RUNTIME_DIR", "run", "run/containers/auth.json"),
        ("DOCKER_CONFIG", "docker", "docker/config.json"),
        ("UNUSED", "", ".config/containers/auth.json"),
    ] {
        let place = Place::new();
        place.write(file, login(&address, USER, PASSWORD));
        let value = place.path(value).display().to_string();
        let arguments = ["tasks", "pull", &*reference];
        shown(place.run_in(&arguments, (variable, &value)).expect_code(0));
    }
}

#[test]
fn a_file_that_helps_nobody_says_why() {
    let (address, _) = listening(|_| wants("Basic realm=\"x\""));
    let place = Place::new();
    place.write(DOCKER, r#"{ "auths": {}, "credsStore": "desktop" }"#);
    let helper = ["PF421", "docker-credential-desktop", "no helper is run", DOCKER];
    has(&pull(&place, &address, 5), &helper);
    place.write(DOCKER, format!("{{ \"auths\":\n{{ \"{PASSWORD}\" "));
    has(&pull(&place, &address, 5), &["PF422", DOCKER, "line 2", "this is not JSON"]);
    place.write(DOCKER, vec![b' '; (1 << 20) + 1]);
    has(&pull(&place, &address, 5), &["PF422", DOCKER, "larger than 1 MiB"]);
    let reference = format!("{address}/acme/tiny:1.0.0");
    let named = ("REGISTRY_AUTH_FILE", "nowhere.json");
    let ended = place.run_in(&["tasks", "pull", &reference], named).expect_code(5);
    has(&ended.stderr, &["PF422", "`nowhere.json`", "`REGISTRY_AUTH_FILE` names it"]);
    // Who does not pull is not asked.
    place.run(&["tasks", "list"]).expect_code(0);
}
