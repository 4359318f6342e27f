//! Job files through the front door of the crate: what is read, what is refused, and in which words.
//!
//! Cases named `jNN_…` are those of the hostile catalogue's section on job files.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use expect_test::{Expect, expect};
use pframe_core::document::Problems;
use pframe_core::fault::{Code, Fault};
use pframe_core::ids::TenantName;
use pframe_core::job::{Boundary, Chunking, Grant, InputRequest, JobFile, JobRequest};
use pframe_core::jobfile;
use pframe_core::policy::{OnFailure, Tolerance};
use pframe_core::units::{ByteSize, CpuCores, Fuel};
use proptest::prelude::*;

/// The example of the design, with the two places filled in that it leaves to the reader.
const EXAMPLE: &str = include_str!("jobfile/example.yaml");
/// One of everything that can be wrong.
const MISTAKES: &str = include_str!("jobfile/mistakes.yaml");

fn parse(text: impl AsRef<[u8]>) -> Result<JobFile, Problems> {
    jobfile::parse(text.as_ref(), "jobs.yaml")
}

/// The only job of a file with these lines added to what every job needs.
fn job(lines: &str) -> JobRequest {
    let file = parse(with(lines)).unwrap_or_else(|problems| panic!("{problems}"));
    file.jobs.into_iter().next().expect("the file has one job")
}

fn with(lines: &str) -> String {
    let mut text = "version: 1\njobs:\n  - id: a\n    task_type: t\n".to_owned();
    if !lines.contains("input_data") {
        text.push_str("    input_data: { text: x }\n");
    }
    for line in lines.lines() {
        writeln!(text, "    {line}").expect("a String takes all");
    }
    text
}

#[track_caller]
fn check_file(text: impl AsRef<[u8]>, expected: &Expect) {
    expected.assert_eq(&parse(text).expect_err("the file is wrong").to_string());
}

/// The problems of a job with these lines.
#[track_caller]
fn check(lines: &str, expected: &Expect) {
    check_file(with(lines), expected);
}

#[test]
fn the_example_of_the_design_means_what_it_says() {
    let file = parse(EXAMPLE).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(file.remarks, [""; 0]);
    let [(name, task)] = file.tasks.iter().collect::<Vec<_>>()[..] else { panic!("one task") };
    assert_eq!((name.as_str(), task.component.as_str()), ("word-count", "word_count.wasm"));
    assert_eq!(task.sha256.map(|digest| digest.to_string()), Some("ab".repeat(32)));
    let [job] = &file.jobs[..] else { panic!("one job") };
    assert_eq!((job.id.as_str(), job.task.as_str()), ("count-novels", "word-count"));
    assert_eq!(job.input, InputRequest::Files(vec!["novels/*.txt".into()]));
    assert_eq!(job.parameters, serde_json::json!({"top": 20}));
    let chunking = Chunking::Size { size: ByteSize::mib(8), boundary: Boundary::Line };
    assert_eq!(job.chunking, Some(chunking));
    assert_eq!((job.priority, job.retries_max), (5, Some(3)));
    assert_eq!(job.tenant, TenantName::new("acme").unwrap());
    assert_eq!(job.on_failure, OnFailure::Stop);
    assert_eq!(job.limits.memory, Some(ByteSize::mib(256)));
    assert_eq!(job.limits.fuel, Some(Fuel(20_000_000_000)));
    assert_eq!(job.limits.timeout, Some(Duration::from_secs(60)));
    assert_eq!(job.limits.cpu, Some(Duration::from_secs(30)));
    assert_eq!(job.limits.output, Some(ByteSize::mib(16)));
    assert_eq!(job.limits.disk, Some(ByteSize::ZERO));
    assert_eq!(job.grants, [Grant::Env("LANG".into())]);
    assert_eq!(job.requirements.cpu, Some(CpuCores::ONE));
    assert_eq!(job.requirements.gpu_memory, Some(ByteSize::ZERO));
    assert_eq!(job.output.as_deref(), Some("results/top20.json"));
}

#[test]
fn the_example_with_its_blanks_left_open_has_exactly_those_two_problems() {
    let text = EXAMPLE
        .replace(&"ab".repeat(32), "…")
        .replace("[ \"env: LANG\" ]", "[ \"http: api.example.org\", \"env: LANG\" ]");
    check_file(text, &expect![[r#"
        jobs.yaml:3:53: error[PF101]: `…`: a sha256 has 64 hex digits
          in: tasks.word-count.sha256
        jobs.yaml:16:15: error[PF101]: grant `http` is not available in this version
          in: jobs[0].grants[0]
          advice: delete it, or do that part outside of the handler"#]]);
}

#[test]
fn the_same_job_in_json_is_the_same_job() {
    let json = r#"{
		"version": 1,
		"jobs": [{"id": "a", "task_type": "t", "input_data": {"text": "\ud834\udd1e\t\/"}, "timeout": 1.5,
			"max_retries": 0, "priority": -3, "tenant": null}]
	}"#;
    let yaml = "input_data: { text: \"𝄞\\t/\" }\ntimeout: 1500ms\nmax_retries: 0\npriority: -3";
    assert_eq!(parse(json).unwrap().jobs, [job(yaml)]);
}

#[test]
fn a_file_full_of_mistakes_hears_of_all_of_them_at_once() {
    check_file(MISTAKES, &expect![[r#"
        jobs.yaml:2:1: error[PF101]: unknown key `task`
          advice: did you mean `tasks`?
        jobs.yaml:5:3: error[PF101]: `word count`: a name has only letters, digits and `.` `_` `-` `:` `@`
          in: tasks
        jobs.yaml:6:10: error[PF101]: unknown key `componnet`
          in: tasks.ocr
          advice: did you mean `component`?
        jobs.yaml:6:37: error[PF101]: `cafe`: a sha256 has 64 hex digits
          in: tasks.ocr.sha256
        jobs.yaml:8:9: error[PF101]: `count novels`: a name has only letters, digits and `.` `_` `-` `:` `@`
          in: jobs[0].id
        jobs.yaml:9:5: error[PF101]: unknown key `task_typ`
          in: jobs[0]
          advice: did you mean `task_type`?
        jobs.yaml:10:26: error[PF101]: the list of files is empty
          in: jobs[0].input_data.files
          advice: name at least one file or pattern
        jobs.yaml:10:30: error[PF101]: `text` stands beside `files`
          in: jobs[0].input_data
          advice: write exactly one of `files`, `text`, `json` and `bytes`
        jobs.yaml:11:5: error[PF101]: unknown key `timout`
          in: jobs[0]
          advice: did you mean `timeout`?
        jobs.yaml:12:15: error[PF101]: expected a whole number from -1000 to 1000, found text `high`
          in: jobs[0].priority
        jobs.yaml:13:18: error[PF101]: `1000` is out of range
          in: jobs[0].max_retries
          advice: write a whole number from 0 to 100
        jobs.yaml:16:19: error[PF101]: unknown key `fiels`
          in: jobs[1].input_data
          advice: did you mean `files`?
        jobs.yaml:17:27: error[PF101]: `sise` is not known here
          in: jobs[1].chunking.strategy
          advice: did you mean `size`?
        jobs.yaml:17:39: error[PF101]: expected a size, found `8`
          in: jobs[1].chunking.size
          advice: add a unit: write a size from 1 B to 65536 GiB, for example `256MiB`
        jobs.yaml:18:23: error[PF101]: expected a size, found `256`
          in: jobs[1].limits.memory
          advice: add a unit: write a size from 64 KiB to 4 GiB, for example `256MiB`
        jobs.yaml:18:34: error[PF101]: expected a fuel budget, found `lots`
          in: jobs[1].limits.fuel
          advice: write a fuel budget from 1 to 1000000T, for example `500M`
        jobs.yaml:18:40: error[PF101]: unknown key `timeout`
          in: jobs[1].limits
          advice: did you mean `timeout` beside `limits`?
        jobs.yaml:19:15: error[PF101]: grant `http` is not available in this version
          in: jobs[1].grants[0]
          advice: delete it, or do that part outside of the handler
        jobs.yaml:19:40: error[PF101]: unknown grant `clokc`
          in: jobs[1].grants[1]
          advice: did you mean `clock`?
        jobs.yaml:20:17: error[PF101]: `continu` is not known here
          in: jobs[1].on_failure
          advice: did you mean `continue`?
        jobs.yaml:22:5: error[PF101]: the key `timeout` stands here twice
          advice: keep one; the first is in line 21
        jobs.yaml:23:9: error[PF101]: the id `pages` stands twice
          in: jobs[2].id
          advice: choose another; the first is in line 14
        jobs.yaml:25:30: error[PF101]: aliases (`*name`) are not read
          advice: write the value out
        jobs.yaml:26:5: error[PF101]: `depends_on` is not available yet
          in: jobs[2]
          advice: delete the key
        jobs.yaml:27:30: error[PF101]: unknown key `cpus`
          in: jobs[2].resource_requirements
          advice: did you mean `cpu_cores`?
        jobs.yaml:27:47: error[PF101]: expected a size, found `4`
          in: jobs[2].resource_requirements.memory
          advice: add a unit: write a size from 0 B to 65536 GiB, for example `256MiB`
        jobs.yaml:28:13: error[PF101]: `output` is a mapping
          in: jobs[2].output
          advice: write `output: { path: … }`"#]]);
}

#[test]
fn problems_become_a_fault_of_the_job_file() {
    let fault = Fault::from(parse("version: 1").unwrap_err());
    assert_eq!(fault.code, Code::JobFile);
    expect![[r#"
        the job file is not valid: 1 problem
        jobs.yaml:1:1: error[PF101]: `jobs` is missing
          advice: list at least one job"#]].assert_eq(&fault.to_string());
}

#[test]
fn every_way_to_give_input_is_read() {
    let input = |text: &str| job(&format!("input_data: {text}")).input;
    assert_eq!(input("{ files: one.txt }"), InputRequest::Files(vec!["one.txt".into()]));
    assert_eq!(input("{ audio_file: a.wav }"), InputRequest::Files(vec!["a.wav".into()]));
    assert_eq!(
        input("{ image_files: [a.png, b.png] }"),
        InputRequest::Files(vec!["a.png".into(), "b.png".into()])
    );
    assert_eq!(input("{ text: no }"), InputRequest::Text("no".into()));
    assert_eq!(input("{ text: \"\" }"), InputRequest::Text(String::new()));
    assert_eq!(input("{ json: null }"), InputRequest::Json(serde_json::Value::Null));
    assert_eq!(
        input("{ json: [1, {a: b}] }"),
        InputRequest::Json(serde_json::json!([1, {"a": "b"}]))
    );
    assert_eq!(input("{ bytes: \"aGVs bG8=\" }"), InputRequest::Bytes(b"hello".to_vec()));
}

#[test]
fn input_is_exactly_one_thing() {
    check("input_data: { files: a, text: b }", &expect![[r#"
        jobs.yaml:5:29: error[PF101]: `text` stands beside `files`
          in: jobs[0].input_data
          advice: write exactly one of `files`, `text`, `json` and `bytes`"#]]);
    check("input_data: {}", &expect![[r#"
        jobs.yaml:5:17: error[PF101]: there is no input
          in: jobs[0].input_data
          advice: write exactly one of `files`, `text`, `json` and `bytes`"#]]);
    check("input_data: { fils: a }", &expect![[r#"
        jobs.yaml:5:19: error[PF101]: unknown key `fils`
          in: jobs[0].input_data
          advice: did you mean `files`?"#]]);
    check("input_data: novels/*.txt", &expect![[r#"
        jobs.yaml:5:17: error[PF101]: `input_data` is a mapping
          in: jobs[0].input_data
          advice: write `input_data: { files: ["…"] }`, or `text`, `json` or `bytes`"#]]);
    check("input_data: { files: [] }", &expect![[r#"
        jobs.yaml:5:26: error[PF101]: the list of files is empty
          in: jobs[0].input_data.files
          advice: name at least one file or pattern"#]]);
    check(
        "input_data: { files: [\"\", 1, [], \"a\\0b\", \"http://169.254.169.254/x\"] }",
        &expect![[r#"
            jobs.yaml:5:27: error[PF101]: the text is empty
              in: jobs[0].input_data.files[0]
            jobs.yaml:5:34: error[PF101]: expected text, found a list
              in: jobs[0].input_data.files[2]
            jobs.yaml:5:38: error[PF101]: a zero byte in the text
              in: jobs[0].input_data.files[3]
            jobs.yaml:5:46: error[PF101]: `http://169.254.169.254/x` is a URL, not a path
              in: jobs[0].input_data.files[4]
              advice: fetch it first and name the file"#]],
    );
    check("input_data: { bytes: \"not base64!\" }", &expect![[r#"
        jobs.yaml:5:26: error[PF101]: `not base64!` is not base64
          in: jobs[0].input_data.bytes
          advice: encode the bytes with the standard alphabet"#]]);
    check("input_data: { json: { a: .nan } }", &expect![[r#"
        jobs.yaml:5:30: error[PF101]: `.nan` has no JSON form
          in: jobs[0].input_data.json
          advice: put it in quotes"#]]);
}

#[test]
fn every_strategy_is_read_under_both_its_names() {
    let chunking = |text: &str| job(&format!("chunking: {text}")).chunking;
    let size = |mib, boundary| Some(Chunking::Size { size: ByteSize::mib(mib), boundary });
    assert_eq!(chunking("{ strategy: none }"), Some(Chunking::None));
    assert_eq!(chunking("{ strategy: size_based }"), size(8, Boundary::Line));
    assert_eq!(chunking("{ strategy: size, size: 1MiB, boundary: byte }"), size(1, Boundary::Byte));
    let length = Duration::from_mins(2);
    assert_eq!(chunking("{ strategy: time, length: 120 }"), Some(Chunking::Time { length }));
    assert_eq!(chunking("{ strategy: time_based, length: 2min }"), Some(Chunking::Time { length }));
    let content = |separator: &str| {
        Some(Chunking::Content { separator: separator.into(), size: ByteSize::mib(8) })
    };
    assert_eq!(chunking("{ strategy: content }"), content("\n"));
    assert_eq!(
        chunking("{ strategy: content_based, separator: \"\\n---\\n\" }"),
        content("\n---\n")
    );
    assert_eq!(chunking("{ strategy: custom }"), Some(Chunking::Custom));
    let batched = job("chunking: { batch: { files: 100 } }");
    assert_eq!((batched.chunking, batched.batch), (None, Some(100)));
}

#[test]
fn chunking_refuses_what_means_nothing() {
    check("chunking: { strategy: none, size: 8MiB }", &expect![[r#"
        jobs.yaml:6:39: error[PF101]: `size` means nothing with the strategy `none`
          in: jobs[0].chunking
          advice: delete it, or choose another strategy"#]]);
    check("chunking: { strategy: time, size: 8MiB, boundary: line }", &expect![[r#"
        jobs.yaml:6:39: error[PF101]: `size` means nothing with the strategy `time`
          in: jobs[0].chunking
          advice: `time` takes `length`
        jobs.yaml:6:55: error[PF101]: `boundary` means nothing with the strategy `time`
          in: jobs[0].chunking
          advice: `time` takes `length`"#]]);
    check("chunking: { size: 8MiB }", &expect![[r#"
        jobs.yaml:6:15: error[PF101]: `strategy` is missing
          in: jobs[0].chunking
          advice: write `strategy: none`, `size`, `time`, `content` or `custom`"#]]);
    check("chunking: { strategy: sized, size: 8 }", &expect![[r#"
        jobs.yaml:6:27: error[PF101]: `sized` is not known here
          in: jobs[0].chunking.strategy
          advice: did you mean `size`?
        jobs.yaml:6:40: error[PF101]: expected a size, found `8`
          in: jobs[0].chunking.size
          advice: add a unit: write a size from 1 B to 65536 GiB, for example `256MiB`"#]]);
    check("chunking: { strategy: size, overlap: 1KiB }", &expect![[r#"
        jobs.yaml:6:33: error[PF101]: `overlap` is not available yet
          in: jobs[0].chunking
          advice: delete the key"#]]);
    check("chunking: { strategy: content, separator: \"\" }", &expect![[r#"
        jobs.yaml:6:47: error[PF101]: the separator is empty or too long
          in: jobs[0].chunking.separator
          advice: write 1 to 256 bytes"#]]);
    check("chunking: { strategy: none, batch: { files: 0 } }", &expect![[r#"
        jobs.yaml:6:49: error[PF101]: `0` is out of range
          in: jobs[0].chunking.batch.files
          advice: write a whole number from 1 to 10000"#]]);
}

#[test]
fn on_failure_has_a_tolerance_in_chunks_or_as_a_share() {
    let on_failure = |text: &str| job(text).on_failure;
    assert_eq!(on_failure("on_failure: continue"), OnFailure::Continue(Tolerance::All));
    let with = |most: &str| on_failure(&format!("on_failure: continue\nmax_failed_chunks: {most}"));
    assert_eq!(with("3"), OnFailure::Continue(Tolerance::Chunks(3)));
    assert_eq!(with("1%"), OnFailure::Continue(Tolerance::Share(100)));
    assert_eq!(with("0.25 %"), OnFailure::Continue(Tolerance::Share(25)));
    check("max_failed_chunks: 3", &expect![[r#"
        jobs.yaml:6:24: error[PF101]: `max_failed_chunks` means nothing while the first failure stops the job
          in: jobs[0]
          advice: add `on_failure: continue`, or delete `max_failed_chunks`"#]]);
    check("on_failure: continue\nmax_failed_chunks: 101%", &expect![[r#"
        jobs.yaml:7:24: error[PF101]: `101%` is out of range
          in: jobs[0].max_failed_chunks
          advice: write a share from 0% to 100%, with at most two decimals"#]]);
    check("on_failure: proceed\nmax_failed_chunks: some", &expect![[r#"
        jobs.yaml:6:17: error[PF101]: `proceed` is not known here
          in: jobs[0].on_failure
          advice: write one of `stop`, `continue`
        jobs.yaml:7:24: error[PF101]: expected a number of chunks or a share such as `1%`, found text `some`
          in: jobs[0].max_failed_chunks"#]]);
}

#[test]
fn grants_may_be_written_with_and_without_quotes() {
    let grants = job("grants: [ \"env: LANG\", env: TZ, clock, random ]").grants;
    let env = |name: &str| Grant::Env(name.into());
    assert_eq!(grants, [env("LANG"), env("TZ"), Grant::Clock, Grant::Random]);
}

#[test]
fn retry_count_is_ignored_with_a_remark() {
    let file = parse(with("retry_count: 2")).unwrap();
    expect!["jobs.yaml:6:18: `retry_count` is ignored; `max_retries` says how often a chunk is tried again"].assert_eq(&file.remarks.join("\n"));
}

#[test]
fn keys_that_are_reserved_say_so() {
    check("depends_on: [b]", &expect![[r#"
        jobs.yaml:6:5: error[PF101]: `depends_on` is not available yet
          in: jobs[0]
          advice: delete the key"#]]);
}

#[test]
fn two_jobs_cannot_write_to_one_path() {
    let job = |id: &str| {
        format!(
            "  - {{ id: {id}, task_type: t, input_data: {{ text: x }}, output: {{ path: r.json }} }}\n"
        )
    };
    check_file(format!("version: 1\njobs:\n{}{}", job("a"), job("b")), &expect![[r#"
        jobs.yaml:4:61: error[PF101]: two jobs write to `r.json`
          in: jobs[1].output
          advice: choose another path; the first is in line 3"#]]);
}

#[test]
fn ids_keep_what_was_written() {
    let id = |text: &str| {
        let text = format!(
            "version: 1\njobs: [{{ id: {text}, task_type: t, input_data: {{ text: x }} }}]"
        );
        parse(text).unwrap().jobs[0].id.to_string()
    };
    for text in ["007", "no", "1.10", "1e5", "0x1F"] {
        assert_eq!(id(text), text);
    }
}

#[test]
fn j01_j03_a_file_without_jobs_is_told_what_is_missing() {
    check_file("", &expect!["jobs.yaml:1:1: error[PF101]: the file is empty"]);
    check_file("null", &expect!["jobs.yaml:1:1: error[PF101]: expected a job file (a mapping), found nothing"]);
    check_file("[]", &expect!["jobs.yaml:1:1: error[PF101]: expected a job file (a mapping), found a list"]);
    check_file("version: 1\njobs: []", &expect![[r#"
        jobs.yaml:2:7: error[PF101]: there are no jobs
          in: jobs
          advice: list at least one"#]]);
    check_file("version: 1\njobs: [1, null, {}]", &expect![[r#"
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
          advice: name the task type"#]]);
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
    check_file(format!("version: 1\njobs:\n{jobs}"), &expect![[r#"
        jobs.yaml:5:11: error[PF101]: the id `a` stands twice
          in: jobs[2].id
          advice: choose another; the first is in line 3
        jobs.yaml:6:11: error[PF101]: the id `A` differs from `a` only in case
          in: jobs[3].id
          advice: choose another; the first is in line 3
        jobs.yaml:7:11: error[PF101]: `ａ`: a name has only letters, digits and `.` `_` `-` `:` `@`
          in: jobs[4].id"#]]);
    let tasks =
        "tasks:\n  word_count: { component: a.wasm }\n  word-count: { component: b.wasm }\n";
    check_file(format!("version: 1\n{tasks}jobs:\n{}", job("a")), &expect![[r#"
        jobs.yaml:4:3: error[PF101]: `word-count` is the same name as `word_count`
          in: tasks
          advice: `-` and `_` are equal in task names; the first is in line 3"#]]);
}

#[test]
fn j06_negative_and_zero_quantities_are_out_of_range() {
    check("timeout: 0", &expect![[r#"
        jobs.yaml:6:14: error[PF101]: `0` is out of range
          in: jobs[0].timeout
          advice: write a duration from 1 ms to 30days"#]]);
    check("timeout: -1s", &expect![[r#"
        jobs.yaml:6:14: error[PF101]: `-1s` is out of range
          in: jobs[0].timeout
          advice: write a duration from 1 ms to 30days"#]]);
    check("max_retries: -1", &expect![[r#"
        jobs.yaml:6:18: error[PF101]: `-1` is out of range
          in: jobs[0].max_retries
          advice: write a whole number from 0 to 100"#]]);
    check("priority: 1001", &expect![[r#"
        jobs.yaml:6:15: error[PF101]: `1001` is out of range
          in: jobs[0].priority
          advice: write a whole number from -1000 to 1000"#]]);
    check("limits: { memory: 0, fuel: 0, cpu: 0s, output: -1MiB, disk: 0 }", &expect![[r#"
        jobs.yaml:6:23: error[PF101]: `0` is out of range
          in: jobs[0].limits.memory
          advice: write a size from 64 KiB to 4 GiB
        jobs.yaml:6:32: error[PF101]: `0` is out of range
          in: jobs[0].limits.fuel
          advice: write a fuel budget from 1 to 1000000T
        jobs.yaml:6:40: error[PF101]: `0s` is out of range
          in: jobs[0].limits.cpu
          advice: write a duration from 1 ms to 30days
        jobs.yaml:6:52: error[PF101]: `-1MiB` is out of range
          in: jobs[0].limits.output
          advice: write a size from 0 B to 1024 GiB"#]]);
    check("resource_requirements: { cpu_cores: 0, memory: -1, gpu_memory: 0 }", &expect![[r#"
        jobs.yaml:6:41: error[PF101]: `0` is out of range
          in: jobs[0].resource_requirements.cpu_cores
          advice: write a number of cores from 0.001 to 4096
        jobs.yaml:6:52: error[PF101]: `-1` is out of range
          in: jobs[0].resource_requirements.memory
          advice: write a size from 0 B to 65536 GiB"#]]);
}

#[test]
fn j08_words_of_old_yaml_are_text_and_tags_are_refused() {
    assert_eq!(
        job("parameters: { a: no, b: 010, c: 1:30, d: 0o10 }").parameters,
        serde_json::json!({"a": "no", "b": 10, "c": "1:30", "d": 8})
    );
    check("parameters: !!python/object { x: 1 }\ntimeout: 1:30\npriority: 1_000", &expect![[r#"
        jobs.yaml:6:17: error[PF101]: the tag `!!python/object` is not read
          advice: delete the tag, or put the value in quotes
        jobs.yaml:7:14: error[PF101]: expected a duration, found `1:30`
          in: jobs[0].timeout
          advice: write a duration from 1 ms to 30days, for example `10min`
        jobs.yaml:8:15: error[PF101]: expected a whole number from -1000 to 1000, found text `1_000`
          in: jobs[0].priority"#]]);
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
    check(&format!("parameters: {}", "[".repeat(100_000)), &expect![[r#"
        jobs.yaml:6:81: error[PF101]: nested deeper than 64 levels
          advice: flatten the document"#]]);
}

#[test]
fn j11_a_typo_gets_a_suggestion_and_a_stranger_its_home() {
    check("timout: 60s", &expect![[r#"
        jobs.yaml:6:5: error[PF101]: unknown key `timout`
          in: jobs[0]
          advice: did you mean `timeout`?"#]]);
    check("limits: { timeout: 60s, memroy: 1MiB }", &expect![[r#"
        jobs.yaml:6:15: error[PF101]: unknown key `timeout`
          in: jobs[0].limits
          advice: did you mean `timeout` beside `limits`?
        jobs.yaml:6:29: error[PF101]: unknown key `memroy`
          in: jobs[0].limits
          advice: did you mean `memory`?"#]]);
    check("memory: 1MiB\nchunk_size: 8MiB\ncolour: red", &expect![[r#"
        jobs.yaml:6:5: error[PF101]: unknown key `memory`
          in: jobs[0]
          advice: it belongs under `limits` or `resource_requirements`
        jobs.yaml:7:5: error[PF101]: unknown key `chunk_size`
          in: jobs[0]
          advice: write `chunking: { strategy: size, size: … }`
        jobs.yaml:8:5: error[PF101]: unknown key `colour`
          in: jobs[0]
          advice: a job has `id`, `task_type`, `input_data`, `parameters`, `chunking`, `priority`, `tenant`, `timeout`, `deadline`, `max_retries`, `retry_count`, `on_failure`, `max_failed_chunks`, `limits`, `grants`, `resource_requirements`, `output`, `depends_on`"#]]);
}

#[test]
fn j12_a_later_version_is_refused_before_its_keys_are_judged() {
    check_file("version: 2\nqueues: []", &expect![[r#"
        jobs.yaml:1:10: error[PF101]: version 2 is newer than this host reads
          in: version
          advice: use a newer pframe-host, or write `version: 1`"#]]);
    check_file("version: \"1\"\njobs: []", &expect![[r#"
        jobs.yaml:1:10: error[PF101]: expected the number 1, found `1`
          in: version
          advice: write `version: 1`
        jobs.yaml:2:7: error[PF101]: there are no jobs
          in: jobs
          advice: list at least one"#]]);
    check_file("jobs: []", &expect![[r#"
        jobs.yaml:1:1: error[PF101]: `version` is missing
          advice: begin the file with `version: 1`
        jobs.yaml:1:7: error[PF101]: there are no jobs
          in: jobs
          advice: list at least one"#]]);
}

#[test]
fn j14_a_component_is_a_path_and_never_an_address() {
    let task =
        |path: &str| format!("version: 1\ntasks: {{ t: {{ component: \"{path}\" }} }}\njobs: []");
    check_file(task("file:///etc/passwd"), &expect![[r#"
        jobs.yaml:2:26: error[PF101]: `file:///etc/passwd` is a URL, not a path
          in: tasks.t.component
          advice: fetch it first and name the file
        jobs.yaml:3:7: error[PF101]: there are no jobs
          in: jobs
          advice: list at least one"#]]);
    check_file(task("http://169.254.169.254/"), &expect![[r#"
        jobs.yaml:2:26: error[PF101]: `http://169.254.169.254/` is a URL, not a path
          in: tasks.t.component
          advice: fetch it first and name the file
        jobs.yaml:3:7: error[PF101]: there are no jobs
          in: jobs
          advice: list at least one"#]]);
    check_file(task("a\\0b"), &expect![[r#"
        jobs.yaml:2:26: error[PF101]: a zero byte in the text
          in: tasks.t.component
        jobs.yaml:3:7: error[PF101]: there are no jobs
          in: jobs
          advice: list at least one"#]]);
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
          in: tasks.t.sha256"#]].assert_eq(&task("abc").unwrap_err().to_string());
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
              advice: grants are `env: NAME`, `clock` and `random`
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
              advice: write a duration from 1 ms to 30days, for example `10min`
            jobs.yaml:7:15: error[PF101]: expected a duration, found `18446744073709551615ms`
              in: jobs[0].deadline
              advice: write a duration from 1 ms to 11months 30days 3h 50m 24s, for example `10min`
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
              advice: write a size from 0 B to 1024 GiB
            jobs.yaml:10:41: error[PF101]: expected a number of cores, found `1e9`
              in: jobs[0].resource_requirements.cpu_cores
              advice: write a number of cores from 0.001 to 4096, for example `0.5`
            jobs.yaml:10:54: error[PF101]: `1EiB` is out of range
              in: jobs[0].resource_requirements.memory
              advice: write a size from 0 B to 65536 GiB"#]],
    );
}

#[test]
fn j21_hostile_words_are_inert_and_escaped_when_told() {
    let text = "'; DROP TABLE jobs; -- {} %n <script>";
    let read = job(&format!("parameters: {{ \"{text}\": \"{text}\" }}"));
    assert_eq!(read.parameters, serde_json::json!({text: text}));
    check("\"\\e[31m\\u202e{}%n\": 1\nid2: \"x\"", &expect![[r#"
        jobs.yaml:6:5: error[PF101]: unknown key `\u{1b}[31m\u{202e}{}%n`
          in: jobs[0]
          advice: a job has `id`, `task_type`, `input_data`, `parameters`, `chunking`, `priority`, `tenant`, `timeout`, `deadline`, `max_retries`, `retry_count`, `on_failure`, `max_failed_chunks`, `limits`, `grants`, `resource_requirements`, `output`, `depends_on`
        jobs.yaml:7:5: error[PF101]: unknown key `id2`
          in: jobs[0]
          advice: did you mean `id`?"#]]);
    check("tenant: \"a\\nb\\e[2J\"", &expect![[r#"
        jobs.yaml:6:13: error[PF101]: `a\nb\u{1b}[2J`: a name has only letters, digits and `.` `_` `-` `:` `@`
          in: jobs[0].tenant"#]]);
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
