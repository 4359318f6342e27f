//! Hostile job files: each case carries the number of its line in the catalogue of attacks.

#![expect(clippy::needless_raw_string_hashes, reason = "expect-test writes them when it updates")]

#[path = "jobfile/asking.rs"]
mod asking;

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use expect_test::expect;
use proptest::prelude::*;

use asking::{EXAMPLE, MISTAKES, check, check_file, job, parse};

#[test]
fn j01_j03_a_file_without_jobs_is_told_what_is_missing() {
    check_file("", &expect!["jobs.yaml:1:1: error[PF101]: the file is empty"]);
    check_file(
        "null",
        &expect!["jobs.yaml:1:1: error[PF101]: expected a job file (a mapping), found nothing"],
    );
    check_file(
        "[]",
        &expect!["jobs.yaml:1:1: error[PF101]: expected a job file (a mapping), found a list"],
    );
    check_file(
        "version: 1\njobs: []",
        &expect![[r#"
        jobs.yaml:2:7: error[PF101]: there are no jobs
          in: jobs
          advice: list at least one"#]],
    );
    check_file(
        "version: 1\njobs: [1, null, {}]",
        &expect![[r#"
        jobs.yaml:2:8: error[PF101]: expected a job (a mapping), found a number `1`
          in: jobs[0]
        jobs.yaml:2:11: error[PF101]: expected a job (a mapping), found nothing
          in: jobs[1]
        jobs.yaml:2:17: error[PF101]: `id` is missing
          in: jobs[2]
          advice: name the job
        jobs.yaml:2:17: error[PF101]: `input_data` is missing
          in: jobs[2]
          advice: write `input_data: { files: ["…"] }`, or `text`, `json` or `bytes`
        jobs.yaml:2:17: error[PF101]: `task_type` is missing
          in: jobs[2]
          advice: name the task type"#]],
    );
}

#[test]
fn j03_a_file_cut_short_at_any_byte_is_refused_without_a_panic() {
    let json = serde_json::to_string(&serde_json::json!({"version": 1, "jobs": [
        {"id": "é", "task_type": "t", "input_data": {"text": "x\n𝄞"}, "limits": {"memory": "1MiB"}}
    ]}))
    .unwrap();
    for text in [EXAMPLE, MISTAKES, &json] {
        for length in 0..text.len() {
            let _ = parse(&text.as_bytes()[..length]);
        }
    }
    for length in 0..json.len() {
        assert!(parse(&json.as_bytes()[..length]).is_err(), "{length} bytes");
    }
}

#[test]
fn j04_ids_that_stand_twice_are_named_with_both_places() {
    let job = |id: &str| format!("  - {{ id: {id}, task_type: t, input_data: {{ text: x }} }}\n");
    let jobs = [job("a"), job("b"), job("a"), job("A"), job("\"ａ\"")].concat();
    check_file(
        format!("version: 1\njobs:\n{jobs}"),
        &expect![[r#"
        jobs.yaml:5:11: error[PF101]: the id `a` stands twice
          in: jobs[2].id
          advice: choose another; the first is in line 3
        jobs.yaml:6:11: error[PF101]: the id `A` differs from `a` only in case
          in: jobs[3].id
          advice: choose another; the first is in line 3
        jobs.yaml:7:11: error[PF101]: `ａ`: a name has only letters, digits and `.` `_` `-` `:` `@`
          in: jobs[4].id"#]],
    );
    let tasks =
        "tasks:\n  word_count: { component: a.wasm }\n  word-count: { component: b.wasm }\n";
    check_file(
        format!("version: 1\n{tasks}jobs:\n{}", job("a")),
        &expect![[r#"
        jobs.yaml:4:3: error[PF101]: `word-count` is the same name as `word_count`
          in: tasks
          advice: `-` and `_` are equal in task names; the first is in line 3"#]],
    );
}

#[test]
fn j06_negative_and_zero_quantities_are_out_of_range() {
    check(
        "timeout: 0",
        &expect![[r#"
            jobs.yaml:6:14: error[PF101]: `0` is out of range
              in: jobs[0].timeout
              advice: write a duration from 1 ms to 30 days"#]],
    );
    check(
        "timeout: -1s",
        &expect![[r#"
            jobs.yaml:6:14: error[PF101]: `-1s` is out of range
              in: jobs[0].timeout
              advice: write a duration from 1 ms to 30 days"#]],
    );
    check(
        "max_retries: -1",
        &expect![[r#"
        jobs.yaml:6:18: error[PF101]: `-1` is out of range
          in: jobs[0].max_retries
          advice: write a whole number from 0 to 100"#]],
    );
    check(
        "priority: 1001",
        &expect![[r#"
        jobs.yaml:6:15: error[PF101]: `1001` is out of range
          in: jobs[0].priority
          advice: write a whole number from -1000 to 1000"#]],
    );
    check(
        "limits: { memory: 0, fuel: 0, cpu: 0s, output: -1MiB, disk: 0 }",
        &expect![[r#"
            jobs.yaml:6:23: error[PF101]: `0` is out of range
              in: jobs[0].limits.memory
              advice: write a size from 64 KiB to 4 GiB
            jobs.yaml:6:32: error[PF101]: `0` is out of range
              in: jobs[0].limits.fuel
              advice: write a fuel budget from 1 to 1000000T
            jobs.yaml:6:40: error[PF101]: `0s` is out of range
              in: jobs[0].limits.cpu
              advice: write a duration from 1 ms to 30 days
            jobs.yaml:6:52: error[PF101]: `-1MiB` is out of range
              in: jobs[0].limits.output
              advice: write a size from 0 B to 1 TiB"#]],
    );
    check(
        "resource_requirements: { cpu_cores: 0, memory: -1, gpu_memory: 0 }",
        &expect![[r#"
            jobs.yaml:6:41: error[PF101]: `0` is out of range
              in: jobs[0].resource_requirements.cpu_cores
              advice: write a number of cores from 0.001 to 4096
            jobs.yaml:6:52: error[PF101]: `-1` is out of range
              in: jobs[0].resource_requirements.memory
              advice: write a size from 0 B to 64 TiB"#]],
    );
}

#[test]
fn j08_words_of_old_yaml_are_text_and_tags_are_refused() {
    assert_eq!(
        job("parameters: { a: no, b: 010, c: 1:30, d: 0o10 }").parameters,
        serde_json::json!({"a": "no", "b": 10, "c": "1:30", "d": 8})
    );
    check(
        "parameters: !!python/object { x: 1 }\ntimeout: 1:30\npriority: 1_000",
        &expect![[r#"
            jobs.yaml:6:17: error[PF101]: the tag `!!python/object` is not read
              advice: delete the tag, or put the value in quotes
            jobs.yaml:7:14: error[PF101]: expected a duration, found `1:30`
              in: jobs[0].timeout
              advice: write a duration from 1 ms to 30 days, for example `10min`
            jobs.yaml:8:15: error[PF101]: expected a whole number from -1000 to 1000, found text `1_000`
              in: jobs[0].priority"#]],
    );
}

#[test]
fn j09_billion_laughs_is_refused() {
    check(
        "parameters: { a: &a [lol], b: [*a, *a] }\nlimits: { <<: *a, memroy: 1MiB }",
        &expect![[r#"
            jobs.yaml:6:36: error[PF101]: aliases (`*name`) are not read
              advice: write the value out
            jobs.yaml:6:40: error[PF101]: aliases (`*name`) are not read
              advice: write the value out
            jobs.yaml:7:15: error[PF101]: merge keys (`<<`) are not read
              advice: write the keys out, or put `<<` in quotes
            jobs.yaml:7:19: error[PF101]: aliases (`*name`) are not read
              advice: write the value out
            jobs.yaml:7:23: error[PF101]: unknown key `memroy`
              in: jobs[0].limits
              advice: did you mean `memory`?"#]],
    );
}

#[test]
fn j10_deep_nesting_is_refused() {
    check(
        &format!("parameters: {}", "[".repeat(100_000)),
        &expect![[r#"
        jobs.yaml:6:81: error[PF101]: nested deeper than 64 levels
          advice: flatten the document"#]],
    );
}

#[test]
fn j11_a_typo_gets_a_suggestion_and_a_stranger_its_home() {
    check(
        "timout: 60s",
        &expect![[r#"
        jobs.yaml:6:5: error[PF101]: unknown key `timout`
          in: jobs[0]
          advice: did you mean `timeout`?"#]],
    );
    check(
        "limits: { timeout: 60s, memroy: 1MiB }",
        &expect![[r#"
        jobs.yaml:6:15: error[PF101]: unknown key `timeout`
          in: jobs[0].limits
          advice: did you mean `timeout` beside `limits`?
        jobs.yaml:6:29: error[PF101]: unknown key `memroy`
          in: jobs[0].limits
          advice: did you mean `memory`?"#]],
    );
    check(
        "memory: 1MiB\nchunk_size: 8MiB\ncolour: red",
        &expect![[r#"
            jobs.yaml:6:5: error[PF101]: unknown key `memory`
              in: jobs[0]
              advice: it belongs under `limits` or `resource_requirements`
            jobs.yaml:7:5: error[PF101]: unknown key `chunk_size`
              in: jobs[0]
              advice: write `chunking: { strategy: size, size: … }`
            jobs.yaml:8:5: error[PF101]: unknown key `colour`
              in: jobs[0]
              advice: a job has `id`, `task_type`, `input_data`, `parameters`, `chunking`, `collect`, `cache`, `priority`, `tenant`, `timeout`, `deadline`, `max_retries`, `retry_count`, `on_failure`, `max_failed_chunks`, `limits`, `grants`, `resource_requirements`, `output`, `depends_on`"#]],
    );
}

#[test]
fn j12_a_later_version_is_refused_before_its_keys_are_judged() {
    check_file(
        "version: 2\nqueues: []",
        &expect![[r#"
        jobs.yaml:1:10: error[PF101]: version 2 is newer than this host reads
          in: version
          advice: use a newer pframe-host, or write `version: 1`"#]],
    );
    check_file(
        "version: \"1\"\njobs: []",
        &expect![[r#"
        jobs.yaml:1:10: error[PF101]: expected the number 1, found `1`
          in: version
          advice: write `version: 1`
        jobs.yaml:2:7: error[PF101]: there are no jobs
          in: jobs
          advice: list at least one"#]],
    );
    check_file(
        "jobs: []",
        &expect![[r#"
        jobs.yaml:1:1: error[PF101]: `version` is missing
          advice: begin the file with `version: 1`
        jobs.yaml:1:7: error[PF101]: there are no jobs
          in: jobs
          advice: list at least one"#]],
    );
}

#[test]
fn j14_a_component_is_a_path_and_never_an_address() {
    let task =
        |path: &str| format!("version: 1\ntasks: {{ t: {{ component: \"{path}\" }} }}\njobs: []");
    check_file(
        task("file:///etc/passwd"),
        &expect![[r#"
            jobs.yaml:2:26: error[PF101]: `file:///etc/passwd` is a URL, not a path
              in: tasks.t.component
              advice: inputs are fetched by `http://`, `https://` and `s3://`, results go to files and to `s3://`; name a file here
            jobs.yaml:3:7: error[PF101]: there are no jobs
              in: jobs
              advice: list at least one"#]],
    );
    // But for one kind, whose content has a digest; what is wrong with it is told in its place.
    check_file(
        task("oci://169.254.169.254/x"),
        &expect![[r#"
        jobs.yaml:2:26: error[PF101]: `oci://169.254.169.254/x`: a tag or a digest is missing: write `:TAG` or `@sha256:…`
          in: tasks.t.component
        jobs.yaml:3:7: error[PF101]: there are no jobs
          in: jobs
          advice: list at least one"#]],
    );
    check_file(
        task("http://169.254.169.254/"),
        &expect![[r#"
            jobs.yaml:2:26: error[PF101]: `http://169.254.169.254/` is a URL, not a path
              in: tasks.t.component
              advice: inputs are fetched by `http://`, `https://` and `s3://`, results go to files and to `s3://`; name a file here
            jobs.yaml:3:7: error[PF101]: there are no jobs
              in: jobs
              advice: list at least one"#]],
    );
    check_file(
        task("a\\0b"),
        &expect![[r#"
        jobs.yaml:2:26: error[PF101]: a zero byte in the text
          in: tasks.t.component
        jobs.yaml:3:7: error[PF101]: there are no jobs
          in: jobs
          advice: list at least one"#]],
    );
}

#[test]
fn j15_a_digest_is_64_hex_digits_of_either_case() {
    let task = |digest: &str| {
        let job = "{ id: a, task_type: t, input_data: { text: x } }";
        parse(format!(
            "version: 1\ntasks: {{ t: {{ component: a.wasm, sha256: {digest} }} }}\njobs: [{job}]"
        ))
    };
    let digits = "12".repeat(32);
    for digest in [&*"AB".repeat(32), &digits, &digits.replacen('2', "e", 1)] {
        assert!(task(digest).is_ok(), "{digest}");
    }
    expect![[r#"
        jobs.yaml:2:42: error[PF101]: `abc`: a sha256 has 64 hex digits
          in: tasks.t.sha256"#]]
    .assert_eq(&task("abc").unwrap_err().to_string());
}

#[test]
fn j17_as_many_jobs_as_a_file_holds_are_read_in_seconds() {
    let mut text = "{\"version\":1,\"jobs\":[".to_owned();
    let jobs = if cfg!(debug_assertions) { 5_000 } else { 230_000 };
    for index in 0..jobs {
        let comma = if index > 0 { "," } else { "" };
        write!(
            text,
            "{comma}{{\"id\":\"j{index}\",\"task_type\":\"t\",\"input_data\":{{\"text\":\"x\"}}}}"
        )
        .unwrap();
    }
    text.push_str("]}");
    let started = Instant::now();
    assert_eq!(parse(&text).unwrap_or_else(|problems| panic!("{problems}")).jobs.len(), jobs);
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}

#[test]
fn j17_as_many_mistakes_as_a_file_holds_are_counted_in_seconds() {
    let size = if cfg!(debug_assertions) { 1 << 17 } else { 15 << 20 };
    let mut text = "version: 1\njobs:\n".to_owned();
    while text.len() < size {
        text.push_str("- {colour: 1, x: 2}\n");
    }
    let started = Instant::now();
    let problems = parse(&text).unwrap_err();
    assert_eq!(problems.total(), 5 * (text.lines().count() - 2));
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}

#[test]
fn j18_environment_grants_cannot_reach_the_loader() {
    check(
        "grants: [ \"env: LD_PRELOAD\", \"env: A=B\", \"env: A\\0B\", \"htp: x\", 7, [] ]",
        &expect![[r#"
            jobs.yaml:6:15: error[PF101]: variables of the dynamic loader (`LD_…`) cannot be granted
              in: jobs[0].grants[0]
              advice: write for example `env: LANG`
            jobs.yaml:6:34: error[PF101]: the name of a variable holds no `=`, space or zero byte
              in: jobs[0].grants[1]
              advice: write for example `env: LANG`
            jobs.yaml:6:46: error[PF101]: the name of a variable holds no `=`, space or zero byte
              in: jobs[0].grants[2]
              advice: write for example `env: LANG`
            jobs.yaml:6:59: error[PF101]: unknown grant `htp`
              in: jobs[0].grants[3]
              advice: did you mean `http`?
            jobs.yaml:6:69: error[PF101]: unknown grant `7`
              in: jobs[0].grants[4]
              advice: grants are `env: NAME`, `clock`, `random`, `speech`, `speech: MODEL`, `dir: NAME`, `http: HOST`, `s3: BUCKET`, `keyvalue: NAME` and `write: NAME`
            jobs.yaml:6:72: error[PF101]: expected a grant such as `env: LANG`, found a list
              in: jobs[0].grants[5]"#]],
    );
}

#[test]
fn j19_limits_above_what_any_host_grants_are_refused() {
    check(
        "timeout: 100y\ndeadline: 18446744073709551615ms\nmax_retries: 4294967296\nlimits: { memory: 1TB, fuel: 99999999999T, output: 99999999999EiB }\nresource_requirements: { cpu_cores: 1e9, memory: 1EiB }",
        &expect![[r#"
            jobs.yaml:6:14: error[PF101]: expected a duration, found `100y`
              in: jobs[0].timeout
              advice: write a duration from 1 ms to 30 days, for example `10min`
            jobs.yaml:7:15: error[PF101]: expected a duration, found `18446744073709551615ms`
              in: jobs[0].deadline
              advice: write a duration from 1 ms to 365 days, for example `10min`
            jobs.yaml:8:18: error[PF101]: `4294967296` is out of range
              in: jobs[0].max_retries
              advice: write a whole number from 0 to 100
            jobs.yaml:9:23: error[PF101]: `1TB` is out of range
              in: jobs[0].limits.memory
              advice: write a size from 64 KiB to 4 GiB
            jobs.yaml:9:34: error[PF101]: expected a fuel budget, found `99999999999T`
              in: jobs[0].limits.fuel
              advice: write a fuel budget from 1 to 1000000T, for example `500M`
            jobs.yaml:9:56: error[PF101]: `99999999999EiB` is out of range
              in: jobs[0].limits.output
              advice: write a size from 0 B to 1 TiB
            jobs.yaml:10:41: error[PF101]: expected a number of cores, found `1e9`
              in: jobs[0].resource_requirements.cpu_cores
              advice: write a number of cores from 0.001 to 4096, for example `0.5`
            jobs.yaml:10:54: error[PF101]: `1EiB` is out of range
              in: jobs[0].resource_requirements.memory
              advice: write a size from 0 B to 64 TiB"#]],
    );
}

#[test]
fn j21_hostile_words_are_inert_and_escaped_when_told() {
    let text = "'; DROP TABLE jobs; -- {} %n <script>";
    let read = job(&format!("parameters: {{ \"{text}\": \"{text}\" }}"));
    assert_eq!(read.parameters, serde_json::json!({text: text}));
    check(
        "\"\\e[31m\\u202e{}%n\": 1\nid2: \"x\"",
        &expect![[r#"
            jobs.yaml:6:5: error[PF101]: unknown key `\u{1b}[31m\u{202e}{}%n`
              in: jobs[0]
              advice: a job has `id`, `task_type`, `input_data`, `parameters`, `chunking`, `collect`, `cache`, `priority`, `tenant`, `timeout`, `deadline`, `max_retries`, `retry_count`, `on_failure`, `max_failed_chunks`, `limits`, `grants`, `resource_requirements`, `output`, `depends_on`
            jobs.yaml:7:5: error[PF101]: unknown key `id2`
              in: jobs[0]
              advice: did you mean `id`?"#]],
    );
    check(
        "tenant: \"a\\nb\\e[2J\"",
        &expect![[r#"
        jobs.yaml:6:13: error[PF101]: `a\nb\u{1b}[2J`: a name has only letters, digits and `.` `_` `-` `:` `@`
          in: jobs[0].tenant"#]],
    );
}

/// What a slip of the hand or a hostile one may leave in a file.
const PIECES: &[&str] = &[
    "",
    " ",
    "\n",
    "-",
    ":",
    "{",
    "}",
    "[",
    "]",
    "\"",
    "'",
    "#",
    "&a ",
    "*a",
    "!!",
    "<<: ",
    "|",
    ">",
    "%",
    "\t",
    "null",
    "-1",
    "1e999",
    ".nan",
    "0x",
    "99999999999999999999",
    "GiB",
    "\u{202e}",
    "\r\n",
    "---\n",
    "? ",
    "é",
];

/// A valid file with one to three places changed.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<prop::sample::Index>(), 0..12_usize, prop::sample::select(PIECES));
    prop::collection::vec(change, 1..4).prop_map(|changes| {
        let mut text: Vec<char> = EXAMPLE.chars().collect();
        for (at, removed, piece) in changes {
            let at = at.index(text.len());
            let end = (at + removed).min(text.len());
            text.splice(at..end, piece.chars());
        }
        text.into_iter().collect::<String>().into_bytes()
    })
}

proptest! {
    #[test]
    fn a_damaged_file_is_read_or_refused_and_every_problem_is_told_well(text in mutated()) {
        if let Err(problems) = parse(&text) {
            prop_assert!(!problems.is_empty());
            for problem in problems.told() {
                prop_assert!(!problem.message.is_empty() && problem.message.len() < 500, "{}", problem.message);
                prop_assert!(!problem.message.contains(char::is_control), "{:?}", problem.message);
            }
        }
    }
}
