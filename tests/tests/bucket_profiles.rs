//! Keys and places of S3 from the files of the AWS tools, in the program.

use std::process::Output;

use pframe_tests::bucket::Bucket;
use pframe_tests::program::Place;

const SECRET: &str = "wJalrXUtnFEMI-secret";
const KEYS: &str =
    "aws_access_key_id = AKIDPROFILE\naws_secret_access_key = wJalrXUtnFEMI-secret\n";

/// A place with a job on an object, and one on a text.
fn place(grants: &str) -> Place {
    let place = Place::new();
    place.bring(["tiny"]);
    place.write("pframe.yaml", format!("tenants: {{ default: {{ grants: [ {grants} ] }} }}"));
    for (name, input) in [
        ("object.yaml", "{ files: [ \"s3://data/in/text.txt\" ] }"),
        ("text.yaml", "{ text: hello }"),
    ] {
        let job = format!("- {{ id: a, task_type: tiny, input_data: {input} }}");
        let text =
            format!("version: 1\ntasks: {{ tiny: {{ component: tiny.wasm }} }}\njobs:\n{job}\n");
        place.write(name, text);
    }
    place
}

/// What running a job file said, in which the secret never stands, and how it ended.
#[track_caller]
fn run(place: &Place, file: &str, variables: &[(&str, &str)], code: i32) -> String {
    let mut command = place.command(&["run", file, "--quiet"]);
    let Output { status, stdout, stderr } =
        command.envs(variables.iter().copied()).output().unwrap();
    let said = String::from_utf8([stdout, stderr].concat()).unwrap();
    assert!(!said.contains(SECRET), "{said}");
    assert_eq!(status.code(), Some(code), "{said}");
    said
}

/// With which keys, and for which region, the last request was signed.
fn signed(bucket: &Bucket) -> String {
    let requests = bucket.server.requests();
    let signature = requests.last().unwrap().header("authorization").to_owned();
    let credential = signature.split("Credential=").nth(1).unwrap();
    let mut parts = credential.split('/');
    format!("{} {}", parts.next().unwrap(), parts.nth(1).unwrap())
}

#[test]
fn keys_region_and_endpoint_come_from_the_chosen_profile_and_variables_win() {
    let bucket = Bucket::start("data", &[("in/text.txt", b"hello")]);
    let endpoint = format!("endpoint_url = http://{}\n", bucket.server.host());
    let place = place("'s3: data'");
    place.write(".aws/credentials", format!("[default]\n{KEYS}"));
    place.write(".aws/config", format!("[default]\nregion = eu-north-1\n{endpoint}"));
    assert_eq!(run(&place, "object.yaml", &[], 0), "5");
    assert_eq!(signed(&bucket), "AKIDPROFILE eu-north-1");
    let keys = [
        ("AWS_ACCESS_KEY_ID", "AKIDVARIABLE"),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
        ("AWS_REGION", "eu-west-9"),
    ];
    bucket.put("in/text.txt", b"hello, again");
    assert_eq!(run(&place, "object.yaml", &keys, 0), "12");
    assert_eq!(signed(&bucket), "AKIDVARIABLE eu-west-9");
    let keys_of_work = KEYS.replace("AKIDPROFILE", "AKIDWORK");
    place.write("elsewhere/c", format!("[work]\n{keys_of_work}"));
    place.write("elsewhere/f", format!("[profile work]\nregion = us-west-2\n{endpoint}"));
    let chosen = [
        ("AWS_PROFILE", "work"),
        ("AWS_SHARED_CREDENTIALS_FILE", "elsewhere/c"),
        ("AWS_CONFIG_FILE", "elsewhere/f"),
    ];
    bucket.put("in/text.txt", b"hello, once more");
    assert_eq!(run(&place, "object.yaml", &chosen, 0), "16");
    assert_eq!(signed(&bucket), "AKIDWORK us-west-2");
}

#[test]
fn a_profile_that_cannot_be_used_is_told_to_jobs_that_need_it_and_to_no_other() {
    let place_with = |content: &str| {
        let place = place("'s3: data'");
        place.write(".aws/config", content);
        place
    };
    for (content, words) in [
        ("[default]\nhush", "line 2: neither `[SECTION]` nor `KEY = VALUE`"),
        ("[default]\ncredential_process = /bin/touch ran\n", "`credential_process`"),
        ("[default]\nregion = eu-north-1\n", "set `AWS_ACCESS_KEY_ID`"),
        (&"#".repeat((1 << 20) + 1), "larger than 1 MiB"),
    ] {
        let place = place_with(content);
        let said = run(&place, "object.yaml", &[], 3);
        assert!(said.contains("PF102") && said.contains(words), "`{words}` is not in {said}");
        assert!(!said.contains("hush"), "{said}");
        assert!(place.read("ran").is_none(), "a program was run");
        assert_eq!(run(&place, "text.yaml", &[], 0), "5");
    }
    let said = run(&place_with(""), "object.yaml", &[("AWS_PROFILE", "wrok")], 3);
    assert!(said.contains("there is no profile `wrok`"), "{said}");
}
