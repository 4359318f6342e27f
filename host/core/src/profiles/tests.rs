use expect_test::{Expect, expect};

use super::chosen::owned;
use super::*;

const KEYS: &str = "aws_access_key_id = AKID\naws_secret_access_key = hush/+=\n";

fn file(kind: ProfileKind, text: &str) -> ProfileFile {
    let place = match kind {
        ProfileKind::Credentials => "credentials",
        ProfileKind::Config => "config",
    };
    ProfileFile::parse(kind, place, text.as_bytes()).unwrap()
}

fn come_to(variables: &[(&str, &str)], credentials: &str, config: &str) -> String {
    let variables = variables.iter().copied().map(owned).collect();
    let credentials = file(ProfileKind::Credentials, credentials);
    let config = file(ProfileKind::Config, config);
    match with_profile(variables, &credentials, &config) {
        Ok(all) => all
            .iter()
            .fold(String::new(), |text, (name, value)| text + &format!("{name}={value}\n")),
        Err(error) => format!("{error}\n"),
    }
}

#[track_caller]
fn check(variables: &[(&str, &str)], credentials: &str, config: &str, expect: &Expect) {
    expect.assert_eq(&come_to(variables, credentials, config));
}

#[test]
fn a_profile_is_read_as_the_aws_tools_read_it() {
    let credentials = format!(
        "# a remark\n[default]\n{KEYS}\n[work]\nAWS_Access_Key_Id=WORK\naws_secret_access_key= work-hush ; a remark\naws_session_token =t=1\n"
    );
    let config = "\u{feff}[default] ; a remark\r\nregion = eu-west-1\r\n[profile  \"work\"]\n  region = eu-north-1\n  endpoint_url = http://127.0.0.1:9000\n  s3 =\n    endpoint_url = http://not-this\n    addressing_style = path\n[plain]\nregion = nowhere\n";
    check(
        &[],
        &credentials,
        config,
        &expect![[r#"
            AWS_ACCESS_KEY_ID=AKID
            AWS_REGION=eu-west-1
            AWS_SECRET_ACCESS_KEY=hush/+=
        "#]],
    );
    check(
        &[("AWS_PROFILE", "work")],
        &credentials,
        config,
        &expect![[r#"
            AWS_ACCESS_KEY_ID=WORK
            AWS_ENDPOINT_URL=http://127.0.0.1:9000
            AWS_PROFILE=work
            AWS_REGION=eu-north-1
            AWS_SECRET_ACCESS_KEY=work-hush
            AWS_SESSION_TOKEN=t=1
        "#]],
    );
    check(
        &[("AWS_PROFILE", "plain")],
        &credentials,
        config,
        &expect![[r#"
            there is no profile `plain` in `credentials` or `config`; `AWS_PROFILE` names it
        "#]],
    );
    // Keys may stand in the other file, and `[profile default]` is meant before `[default]`.
    check(
        &[],
        "",
        &format!("[default]\nregion = a\n[profile default]\nregion = b\n{KEYS}"),
        &expect![[r#"
            AWS_ACCESS_KEY_ID=AKID
            AWS_REGION=b
            AWS_SECRET_ACCESS_KEY=hush/+=
        "#]],
    );
    check(&[], "", "", &expect![""]);
}

#[test]
fn variables_win_and_keys_are_never_mixed() {
    let credentials = format!("[default]\n{KEYS}aws_session_token = t\n");
    let config = "[default]\nregion = a\nendpoint_url = http://a\n";
    check(
        &[("AWS_ACCESS_KEY_ID", "ENV"), ("AWS_DEFAULT_REGION", "b"), ("AWS_ENDPOINT_URL_S3", "c")],
        &credentials,
        config,
        &expect![[r#"
            AWS_ACCESS_KEY_ID=ENV
            AWS_DEFAULT_REGION=b
            AWS_ENDPOINT_URL_S3=c
        "#]],
    );
    check(
        &[("AWS_SKIP_SIGNATURE", "true"), ("AWS_REGION", "b"), ("AWS_ENDPOINT_URL", "c")],
        &credentials,
        config,
        &expect![[r#"
            AWS_ENDPOINT_URL=c
            AWS_REGION=b
            AWS_SKIP_SIGNATURE=true
        "#]],
    );
    let without_token = format!("[default]\n{KEYS}");
    check(
        &[("AWS_SESSION_TOKEN", "of other keys"), ("AWS_ACCESS_KEY_ID", "")],
        &without_token,
        "",
        &expect![[r#"
            AWS_ACCESS_KEY_ID=AKID
            AWS_SECRET_ACCESS_KEY=hush/+=
        "#]],
    );
    check(
        &[],
        "[default]\naws_access_key_id = AKID\n",
        &format!("[default]\n{KEYS}"),
        &expect![[r#"
            `credentials`: the profile `default` has one of `aws_access_key_id` and `aws_secret_access_key`, and not the other
        "#]],
    );
}

#[test]
fn what_is_not_done_here_is_named() {
    check(
        &[("AWS_PROFILE", "p")],
        "",
        "[profile p]\ncredential_process = /bin/keys hush\n",
        &expect![[r#"
            `config`: the profile `p` gets its keys by `credential_process`, which is not done here; set `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, or choose a profile that has the keys themselves
        "#]],
    );
    let role = format!("[default]\n{KEYS}role_arn = arn:hush\nsource_profile = default\n");
    let told = come_to(&[], "", &role);
    assert!(told.contains("`role_arn`") && !told.contains("arn:hush"), "{told}");
    let told = come_to(&[], "", "[default]\nsso_session = s\n[sso-session s]\nsso_region = r\n");
    assert!(told.contains("`sso_session`"), "{told}");
    // Keys of its own are taken, whoever else would have some.
    let both = format!("[default]\n{KEYS}credential_process = /bin/keys\n");
    assert!(come_to(&[], &both, "").contains("AKID"));
    let keys = [("AWS_ACCESS_KEY_ID", "ENV"), ("AWS_SECRET_ACCESS_KEY", "s")];
    assert!(come_to(&keys, "", &role).contains("ENV"));
    let services = format!(
        "[default]\n{KEYS}services = local\n[services local]\ns3 =\n  endpoint_url = http://a\n"
    );
    assert!(come_to(&[], "", &services).contains("names `services`"));
    assert!(come_to(&[("AWS_ENDPOINT_URL", "http://b")], "", &services).contains("http://b"));
}

#[test]
fn a_broken_file_is_told_by_its_line_and_never_by_what_stands_there() {
    let refused = |text: &[u8]| {
        let parsed = ProfileFile::parse(ProfileKind::Config, "config", text);
        parsed.unwrap_err().to_string()
    };
    for (text, expect) in [
        ("region = hush", "`config`: line 1: it stands before the first `[SECTION]`"),
        ("[default]\nhush", "`config`: line 2: neither `[SECTION]` nor `KEY = VALUE`"),
        ("[default", "`config`: line 1: no `]` ends the section"),
        ("\n[default] hush", "`config`: line 2: no `]` ends the section"),
    ] {
        assert_eq!(refused(text.as_bytes()), expect, "{text}");
    }
    assert_eq!(refused(b"[default]\n\xff"), "`config`: this is not UTF-8");
    let parsed = file(ProfileKind::Credentials, &format!("[default]\n{KEYS}"));
    assert!(!format!("{parsed:?}").contains("hush"));
}
