use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;

/// `base64` of the text, as files have it.
fn auth(text: &str) -> String {
    STANDARD.encode(text)
}

fn file(place: &str, text: &str) -> LoginFile {
    LoginFile::parse(place, text.as_bytes()).unwrap()
}

/// What a reference finds, in words that a test may read.
fn found(logins: &Logins, reference: &str) -> String {
    match logins.of(&reference.parse().unwrap()) {
        Known::Login(Login::Password { user, password }, at) => {
            format!("{user}:{password} of {at}")
        }
        Known::Login(Login::Identity(token), at) => format!("token {token} of {at}"),
        Known::Helper(name, at) => format!("helper {name} of {at}"),
        Known::Nothing => "nothing".to_owned(),
    }
}

#[track_caller]
fn finds(text: &str, reference: &str, expect: &str) {
    let logins = Logins::new(vec![file("f", text)]);
    assert_eq!(found(&logins, reference), expect, "{reference} in {text}");
}

#[test]
fn a_login_is_found_under_every_way_to_write_its_registry() {
    let entry = format!(r#"{{ "auth": "{}" }}"#, auth("ada:se:cret"));
    for key in ["a.example", "https://a.example", "https://a.example/v2/", "http://a.example/v1"] {
        let text = format!(r#"{{ "auths": {{ "{key}": {entry} }} }}"#);
        finds(&text, "a.example/x/y:1", "ada:se:cret of f");
        for other in ["b.example/x:1", "a.example:5000/x:1", "x.a.example/x:1", "a.example.org/x:1"]
        {
            finds(&text, other, "nothing");
        }
    }
    for key in ["https://index.docker.io/v1/", "docker.io", "registry-1.docker.io"] {
        let text = format!(r#"{{ "auths": {{ "{key}": {entry} }} }}"#);
        finds(&text, "registry-1.docker.io/acme/x:1", "ada:se:cret of f");
        finds(&text, "docker.io.example/acme/x:1", "nothing");
    }
    finds(
        r#"{ "auths": { "localhost:5000": { "username": "ada", "password": "p" } }, "HttpHeaders": {} }"#,
        "localhost:5000/x:1",
        "ada:p of f",
    );
    let token = format!(
        r#"{{ "auths": {{ "a.example": {{ "auth": "{}", "identitytoken": "t" }} }} }}"#,
        auth("<token>:")
    );
    finds(&token, "a.example/x:1", "token t of f");
}

#[test]
fn the_entry_that_says_most_of_the_name_counts() {
    let entry = |user: &str| format!(r#"{{ "auth": "{}" }}"#, auth(&format!("{user}:p")));
    let text = format!(
        r#"{{ "auths": {{ "a.example": {}, "a.example/acme": {}, "a.example/acme/x": {} }} }}"#,
        entry("all"),
        entry("acme"),
        entry("x")
    );
    finds(&text, "a.example/acme/x:1", "x:p of f");
    finds(&text, "a.example/acme/x/y:1", "x:p of f");
    finds(&text, "a.example/acme/xy:1", "acme:p of f");
    finds(&text, "a.example/acmes/x:1", "all:p of f");
}

#[test]
fn a_helper_is_named_where_no_file_has_the_login_itself() {
    let desktop = r#"{ "auths": { "a.example": {} }, "credsStore": "desktop" }"#;
    finds(desktop, "a.example/x:1", "helper desktop of f");
    finds(desktop, "b.example/x:1", "helper desktop of f");
    let gcloud = r#"{ "credHelpers": { "a.example": "gcloud" } }"#;
    finds(gcloud, "a.example/x:1", "helper gcloud of f");
    finds(gcloud, "b.example/x:1", "nothing");
    finds("{}", "a.example/x:1", "nothing");
    let own = format!(r#"{{ "auths": {{ "a.example": {{ "auth": "{}" }} }} }}"#, auth("ada:p"));
    let logins = Logins::new(vec![file("first", desktop), file("second", &own)]);
    assert_eq!(found(&logins, "a.example/x:1"), "ada:p of second");
    assert_eq!(found(&logins, "b.example/x:1"), "helper desktop of first");
    let logins = Logins::new(vec![LoginFile::missing("a"), file("b", "{}"), file("c", "{}")]);
    assert_eq!(logins.places(), "`a`, `b` and `c`");
}

#[test]
fn what_is_wrong_with_a_file_is_told_without_its_values() {
    let refused = |text: &str| LoginFile::parse("f", text.as_bytes()).unwrap_err().to_string();
    let secret = auth("no-colon-in-this-secret");
    for (text, expect) in [
        (r#"{ "auths": { "a": "hush" "#, "line 1, column 25: this is not JSON"),
        ("", "line 1, column 0: this is not JSON"),
        (r#"["hush"]"#, "it is not a mapping"),
        (r#"{ "auths": "hush" }"#, "`auths` is not a mapping"),
        (r#"{ "auths": { "a": "hush" } }"#, "`a` is not a mapping"),
        (r#"{ "auths": { "a": { "auth": 5 } } }"#, "`auth` of `a` is not text"),
        (
            r#"{ "auths": { "a": { "auth": "hush!" } } }"#,
            "`auth` of `a` is not base64 of `USER:PASSWORD`",
        ),
        (
            r#"{ "auths": { "a": { "username": "a:b", "password": "hush" } } }"#,
            "`username` of `a` is not a name without `:`",
        ),
        (r#"{ "credHelpers": { "a": 5 } }"#, "`a` is not a helper's name"),
        (r#"{ "credsStore": [] }"#, "`credsStore` is not text"),
        (
            &format!(r#"{{ "auths": {{ "a": {{ "auth": "{secret}" }} }} }}"#),
            "`auth` of `a` is not base64 of `USER:PASSWORD`",
        ),
    ] {
        assert_eq!(refused(text), expect, "{text}");
    }
    assert!(LoginFile::parse("f", "[".repeat(100_000).as_bytes()).is_err());
}

#[test]
fn a_login_is_never_printed() {
    let text = format!(r#"{{ "auths": {{ "a.example": {{ "auth": "{}" }} }} }}"#, auth("ada:p4ss"));
    let logins = Logins::new(vec![file("f", &text)]);
    let printed = format!("{logins:?} {:?}", logins.of(&"a.example/x:1".parse().unwrap()));
    for secret in ["ada", "p4ss", "YWRhOnA0c3M="] {
        assert!(!printed.contains(secret), "{printed}");
    }
    let Known::Login(login, _) = logins.of(&"a.example/x:1".parse().unwrap()) else { panic!() };
    assert_eq!(login.basic().as_deref(), Some("Basic YWRhOnA0c3M="));
}
