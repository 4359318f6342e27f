//! Job files through the front door of the crate: what is read, what is refused, and in which words.

#![expect(clippy::needless_raw_string_hashes, reason = "expect-test writes them when it updates")]

#[path = "jobfile/asking.rs"]
mod asking;

use std::time::Duration;

use expect_test::expect;
use pframe_core::fault::{Code, Fault};
use pframe_core::ids::TenantName;
use pframe_core::job::{
    Boundary, Chunking, Collect, ComponentPlace, FileRequest, Grant, InputRequest, Overlap,
};
use pframe_core::policy::{OnFailure, Tolerance};
use pframe_core::units::{ByteSize, CpuCores, Fuel};

use asking::{EXAMPLE, MISTAKES, check, check_file, job, parse, with};

#[test]
fn the_example_of_the_design_means_what_it_says() {
    let file = parse(EXAMPLE).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(file.remarks, [""; 0]);
    let [(name, task)] = file.tasks.iter().collect::<Vec<_>>()[..] else { panic!("one task") };
    assert_eq!(name.as_str(), "word-count");
    assert_eq!(task.component, ComponentPlace::File("word_count.wasm".into()));
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
    assert_eq!(job.limits.timeout, Some(Duration::from_mins(1)));
    assert_eq!(job.limits.cpu, Some(Duration::from_secs(30)));
    assert_eq!(job.limits.output, Some(ByteSize::mib(16)));
    assert_eq!(job.limits.disk, Some(ByteSize::ZERO));
    assert_eq!(job.grants, [Grant::Env("LANG".into())]);
    assert_eq!(job.requirements.cpu, Some(CpuCores::ONE));
    assert_eq!(job.requirements.gpu_memory, Some(ByteSize::ZERO));
    assert_eq!(job.output.as_deref(), Some("results/top20.json"));
}

#[test]
fn the_example_with_its_blank_left_open_has_exactly_that_problem() {
    let text = EXAMPLE
        .replace(&"ab".repeat(32), "…")
        .replace("[ \"env: LANG\" ]", "[ \"http: api.example.org\", \"env: LANG\" ]");
    check_file(
        text,
        &expect![[r#"
            jobs.yaml:3:53: error[PF101]: `…`: a sha256 has 64 hex digits
              in: tasks.word-count.sha256"#]],
    );
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
    check_file(
        MISTAKES,
        &expect![[r#"
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
              advice: write exactly one of `files`, `text`, `json`, `bytes` and `job`
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
              advice: add a unit: write a size from 1 B to 64 TiB, for example `256MiB`
            jobs.yaml:18:23: error[PF101]: expected a size, found `256`
              in: jobs[1].limits.memory
              advice: add a unit: write a size from 64 KiB to 4 GiB, for example `256MiB`
            jobs.yaml:18:34: error[PF101]: expected a fuel budget, found `lots`
              in: jobs[1].limits.fuel
              advice: write a fuel budget from 1 to 1000000T, for example `500M`
            jobs.yaml:18:40: error[PF101]: unknown key `timeout`
              in: jobs[1].limits
              advice: did you mean `timeout` beside `limits`?
            jobs.yaml:19:15: error[PF101]: the name of a directory has letters, digits, `.`, `-` and `_`, and begins with one of the first two
              in: jobs[1].grants[0]
              advice: write for example `dir: corpus`; the configuration says under `directories` where that lies
            jobs.yaml:19:29: error[PF101]: unknown grant `clokc`
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
            jobs.yaml:27:30: error[PF101]: unknown key `cpus`
              in: jobs[2].resource_requirements
              advice: did you mean `cpu_cores`?
            jobs.yaml:27:47: error[PF101]: expected a size, found `4`
              in: jobs[2].resource_requirements.memory
              advice: add a unit: write a size from 0 B to 64 TiB, for example `256MiB`
            jobs.yaml:28:13: error[PF101]: `output` is a mapping
              in: jobs[2].output
              advice: write `output: { path: … }`"#]],
    );
}

#[test]
fn problems_become_a_fault_of_the_job_file() {
    let fault = Fault::from(parse("version: 1").unwrap_err());
    assert_eq!(fault.code, Code::JobFile);
    expect![[r#"
        the job file is not valid: 1 problem
        jobs.yaml:1:1: error[PF101]: `jobs` is missing
          advice: list at least one job"#]]
    .assert_eq(&fault.to_string());
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
fn a_digest_pins_a_file_beside_it_or_inside_the_list() {
    let digest = "ab".repeat(32);
    let input = |text: &str| job(&format!("input_data: {}", text.replace("DIGEST", &digest))).input;
    let pinned = |path: &str| FileRequest { path: path.into(), sha256: digest.parse().ok() };
    assert_eq!(input("{ files: a, sha256: DIGEST }"), InputRequest::Files(vec![pinned("a")]));
    assert_eq!(input("{ files: [a], sha256: DIGEST }"), InputRequest::Files(vec![pinned("a")]));
    assert_eq!(input("{ audio_file: a, sha256: DIGEST }"), InputRequest::Files(vec![pinned("a")]));
    assert_eq!(
        input("{ files: [a, { path: b, sha256: DIGEST }, { path: c }] }"),
        InputRequest::Files(vec!["a".into(), pinned("b"), "c".into()])
    );
}

#[test]
fn a_digest_that_pins_nothing_is_refused() {
    check(
        "input_data: { files: [a, b], sha256: abc }",
        &expect![[r#"
        jobs.yaml:5:42: error[PF101]: `abc`: a sha256 has 64 hex digits
          in: jobs[0].input_data.sha256
        jobs.yaml:5:42: error[PF101]: `sha256` beside `files` pins exactly one file
          in: jobs[0].input_data.sha256
          advice: write `files: [ { path: …, sha256: … } ]`"#]],
    );
    let digest = "ab".repeat(32);
    check(
        &format!("input_data: {{ text: a, sha256: {digest} }}"),
        &expect![[r#"
        jobs.yaml:5:36: error[PF101]: `sha256` pins a file, and there is none
          in: jobs[0].input_data.sha256
          advice: delete it"#]],
    );
    check(
        &format!("input_data: {{ files: {{ path: a, sha256: {digest} }}, sha256: {digest} }}"),
        &expect![[r#"
            jobs.yaml:5:121: error[PF101]: the file has a digest already
              in: jobs[0].input_data.sha256
              advice: delete one of the two"#]],
    );
    check(
        "input_data: { files: [{ path: a, sha265: b }, { sha256: 7 }] }",
        &expect![[r#"
        jobs.yaml:5:38: error[PF101]: unknown key `sha265`
          in: jobs[0].input_data.files[0]
          advice: did you mean `sha256`?
        jobs.yaml:5:51: error[PF101]: `path` is missing
          in: jobs[0].input_data.files[1]
          advice: name the file
        jobs.yaml:5:61: error[PF101]: `7`: a sha256 has 64 hex digits
          in: jobs[0].input_data.files[1].sha256"#]],
    );
    check(
        "input_data: { sha256: abc }",
        &expect![[r#"
        jobs.yaml:5:17: error[PF101]: there is no input
          in: jobs[0].input_data
          advice: write exactly one of `files`, `text`, `json`, `bytes` and `job`
        jobs.yaml:5:27: error[PF101]: `abc`: a sha256 has 64 hex digits
          in: jobs[0].input_data.sha256"#]],
    );
}

#[test]
fn stdin_is_there_once_in_a_file_and_stdout_as_often_as_wanted() {
    let file = |inputs: [&str; 2], output: &str| {
        let job = |(id, input): (&str, &str)| {
            format!(
                "- {{ id: {id}, task_type: t, input_data: {{ files: {input} }}, output: {{ path: {output} }} }}\n"
            )
        };
        format!(
            "version: 1\njobs:\n{}",
            ["a", "b"].into_iter().zip(inputs).map(job).collect::<String>()
        )
    };
    let read = parse(file(["\"-\"", "x"], "\"-\"")).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(read.jobs[0].input, InputRequest::Files(vec!["-".into()]));
    assert_eq!(read.jobs[1].output.as_deref(), Some("-"));
    check_file(
        file(["\"-\"", "[x, \"-\"]"], "\"-\""),
        &expect![[r#"
        jobs.yaml:4:38: error[PF101]: stdin (`-`) stands twice among the files
          in: jobs[1].input_data
          advice: name it once; the first is in line 3"#]],
    );
    check(
        "input_data: { files: [\"-\", { path: \"-\" }] }",
        &expect![[r#"
        jobs.yaml:5:17: error[PF101]: stdin (`-`) stands twice among the files
          in: jobs[0].input_data
          advice: name it once; the first is in line 5"#]],
    );
}

#[test]
fn input_is_exactly_one_thing() {
    check(
        "input_data: { files: a, text: b }",
        &expect![[r#"
            jobs.yaml:5:29: error[PF101]: `text` stands beside `files`
              in: jobs[0].input_data
              advice: write exactly one of `files`, `text`, `json`, `bytes` and `job`"#]],
    );
    check(
        "input_data: {}",
        &expect![[r#"
            jobs.yaml:5:17: error[PF101]: there is no input
              in: jobs[0].input_data
              advice: write exactly one of `files`, `text`, `json`, `bytes` and `job`"#]],
    );
    check(
        "input_data: { fils: a }",
        &expect![[r#"
        jobs.yaml:5:19: error[PF101]: unknown key `fils`
          in: jobs[0].input_data
          advice: did you mean `files`?"#]],
    );
    check(
        "input_data: novels/*.txt",
        &expect![[r#"
        jobs.yaml:5:17: error[PF101]: `input_data` is a mapping
          in: jobs[0].input_data
          advice: write `input_data: { files: ["…"] }`, or `text`, `json` or `bytes`"#]],
    );
    check(
        "input_data: { files: [] }",
        &expect![[r#"
        jobs.yaml:5:26: error[PF101]: the list of files is empty
          in: jobs[0].input_data.files
          advice: name at least one file or pattern"#]],
    );
    check(
        "input_data: { files: [\"\", 1, [], \"a\\0b\", \"ftp://169.254.169.254/x\"] }",
        &expect![[r#"
            jobs.yaml:5:27: error[PF101]: the text is empty
              in: jobs[0].input_data.files[0]
            jobs.yaml:5:34: error[PF101]: expected text, found a list
              in: jobs[0].input_data.files[2]
            jobs.yaml:5:38: error[PF101]: a zero byte in the text
              in: jobs[0].input_data.files[3]
            jobs.yaml:5:46: error[PF101]: `ftp://169.254.169.254/x` is a URL, not a path
              in: jobs[0].input_data.files[4]
              advice: inputs are fetched by `http://`, `https://` and `s3://`, results go to files and to `s3://`; name a file here"#]],
    );
    check(
        "input_data: { bytes: \"not base64!\" }",
        &expect![[r#"
        jobs.yaml:5:26: error[PF101]: `not base64!` is not base64
          in: jobs[0].input_data.bytes
          advice: encode the bytes with the standard alphabet"#]],
    );
    check(
        "input_data: { json: { a: .nan } }",
        &expect![[r#"
        jobs.yaml:5:30: error[PF101]: `.nan` has no JSON form
          in: jobs[0].input_data.json
          advice: put it in quotes"#]],
    );
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
    check(
        "chunking: { strategy: none, size: 8MiB }",
        &expect![[r#"
        jobs.yaml:6:39: error[PF101]: `size` means nothing with the strategy `none`
          in: jobs[0].chunking
          advice: delete it, or choose another strategy"#]],
    );
    check(
        "chunking: { strategy: time, size: 8MiB, boundary: line }",
        &expect![[r#"
            jobs.yaml:6:39: error[PF101]: `size` means nothing with the strategy `time`
              in: jobs[0].chunking
              advice: `time` takes `length` and `overlap`
            jobs.yaml:6:55: error[PF101]: `boundary` means nothing with the strategy `time`
              in: jobs[0].chunking
              advice: `time` takes `length` and `overlap`"#]],
    );
    check(
        "chunking: { size: 8MiB }",
        &expect![[r#"
        jobs.yaml:6:15: error[PF101]: `strategy` is missing
          in: jobs[0].chunking
          advice: write `strategy: none`, `size`, `time`, `content` or `custom`"#]],
    );
    check(
        "chunking: { strategy: sized, size: 8 }",
        &expect![[r#"
            jobs.yaml:6:27: error[PF101]: `sized` is not known here
              in: jobs[0].chunking.strategy
              advice: did you mean `size`?
            jobs.yaml:6:40: error[PF101]: expected a size, found `8`
              in: jobs[0].chunking.size
              advice: add a unit: write a size from 1 B to 64 TiB, for example `256MiB`"#]],
    );
    check(
        "chunking: { strategy: content, separator: \"\" }",
        &expect![[r#"
        jobs.yaml:6:47: error[PF101]: the separator is empty or too long
          in: jobs[0].chunking.separator
          advice: write 1 to 256 bytes"#]],
    );
    check(
        "chunking: { strategy: none, batch: { files: 0 } }",
        &expect![[r#"
        jobs.yaml:6:49: error[PF101]: `0` is out of range
          in: jobs[0].chunking.batch.files
          advice: write a whole number from 1 to 10000"#]],
    );
}

#[test]
fn on_failure_has_a_tolerance_in_chunks_or_as_a_share() {
    let on_failure = |text: &str| job(text).on_failure;
    assert_eq!(on_failure("on_failure: continue"), OnFailure::Continue(Tolerance::All));
    let with = |most: &str| on_failure(&format!("on_failure: continue\nmax_failed_chunks: {most}"));
    assert_eq!(with("3"), OnFailure::Continue(Tolerance::Chunks(3)));
    assert_eq!(with("1%"), OnFailure::Continue(Tolerance::Share(100)));
    assert_eq!(with("0.25 %"), OnFailure::Continue(Tolerance::Share(25)));
    check(
        "max_failed_chunks: 3",
        &expect![[r#"
        jobs.yaml:6:24: error[PF101]: `max_failed_chunks` means nothing while the first failure stops the job
          in: jobs[0]
          advice: add `on_failure: continue`, or delete `max_failed_chunks`"#]],
    );
    check(
        "on_failure: continue\nmax_failed_chunks: 101%",
        &expect![[r#"
        jobs.yaml:7:24: error[PF101]: `101%` is out of range
          in: jobs[0].max_failed_chunks
          advice: write a share from 0% to 100%, with at most two decimals"#]],
    );
    check(
        "on_failure: proceed\nmax_failed_chunks: some",
        &expect![[r#"
        jobs.yaml:6:17: error[PF101]: `proceed` is not known here
          in: jobs[0].on_failure
          advice: write one of `stop`, `continue`
        jobs.yaml:7:24: error[PF101]: expected a number of chunks or a share such as `1%`, found text `some`
          in: jobs[0].max_failed_chunks"#]],
    );
}

#[test]
fn grants_may_be_written_with_and_without_quotes() {
    let grants = job("grants: [ \"env: LANG\", env: TZ, clock, random, keyvalue: a.b ]").grants;
    let env = |name: &str| Grant::Env(name.into());
    let store = Grant::KeyValue("a.b".into());
    assert_eq!(grants, [env("LANG"), env("TZ"), Grant::Clock, Grant::Random, store]);
}

#[test]
fn retry_count_is_ignored_with_a_remark() {
    let file = parse(with("retry_count: 2")).unwrap();
    expect!["jobs.yaml:6:18: `retry_count` is ignored; `max_retries` says how often a chunk is tried again"].assert_eq(&file.remarks.join("\n"));
}

#[test]
fn an_overlap_is_no_longer_than_a_chunk() {
    let overlap = |text: &str| parse(with(text)).map(|file| file.jobs[0].overlap);
    let bytes = overlap("chunking: { strategy: size, size: 1MiB, overlap: 4KiB }").unwrap();
    assert_eq!(bytes, Some(Overlap::Bytes(ByteSize::kib(4))));
    let time = overlap("chunking: { strategy: time, length: 60s, overlap: 2s }").unwrap();
    assert_eq!(time, Some(Overlap::Time(Duration::from_secs(2))));
    check(
        "chunking: { strategy: content, size: 1KiB, overlap: 2KiB }",
        &expect![[r#"
            jobs.yaml:6:57: error[PF101]: `2KiB` is out of range
              in: jobs[0].chunking.overlap
              advice: write a size from 0 B to 1 KiB"#]],
    );
    check(
        "chunking: { strategy: none, overlap: 2KiB }",
        &expect![[r#"
        jobs.yaml:6:42: error[PF101]: `overlap` means nothing with the strategy `none`
          in: jobs[0].chunking
          advice: delete it, or choose another strategy"#]],
    );
    check(
        "chunking: { strategy: time, overlap: 2KiB }",
        &expect![[r#"
        jobs.yaml:6:42: error[PF101]: expected a duration, found `2KiB`
          in: jobs[0].chunking.overlap
          advice: write a duration from 0 s to 10m, for example `10min`"#]],
    );
}

#[test]
fn collectors_have_names() {
    for (name, collect) in [
        ("handler", Collect::Handler),
        ("concat", Collect::Concat),
        ("json-array", Collect::JsonArray),
        ("files", Collect::Files),
        ("none", Collect::None),
    ] {
        let file = parse(with(&format!("collect: {name}"))).unwrap();
        assert_eq!(file.jobs[0].collect, Some(collect));
    }
    check(
        "collect: file",
        &expect![[r#"
        jobs.yaml:6:14: error[PF101]: `file` is not known here
          in: jobs[0].collect
          advice: did you mean `files`?"#]],
    );
    check(
        "collect: none\noutput: { path: x }",
        &expect![[r#"
        jobs.yaml:7:13: error[PF101]: `collect: none` makes no result that could go anywhere
          in: jobs[0]
          advice: delete `output`, or choose another collector"#]],
    );
}

/// A file of jobs of one line each: `b: depends_on: a`.
fn chain(jobs: &[&str]) -> String {
    let mut text = "version: 1\njobs:\n".to_owned();
    for job in jobs {
        let (id, rest) = job.split_once(": ").unwrap_or((job, "input_data: { text: x }"));
        text.push_str(&format!("  - {{ id: {id}, task_type: t, {rest} }}\n"));
    }
    text
}

#[test]
fn a_job_depends_on_jobs_of_its_file_and_on_those_whose_results_it_reads() {
    let text = chain(&[
        "c: input_data: { jobs: [a, b] }, depends_on: a",
        "a",
        "b: input_data: { job: a }",
        "d: input_data: { text: x }, depends_on: [c]",
    ]);
    let file = parse(text).unwrap_or_else(|problems| panic!("{problems}"));
    let told = |job: &pframe_core::job::JobRequest| {
        let names: Vec<_> = job.dependencies().iter().map(ToString::to_string).collect();
        format!("{}: {}", job.id, names.join(" "))
    };
    let told: Vec<_> = file.jobs.iter().map(told).collect();
    assert_eq!(told, ["c: a b", "a: ", "b: a", "d: c"]);
}

#[test]
fn j16_cycles_and_jobs_that_are_not_there_are_named() {
    check_file(
        chain(&[
            "first: input_data: { job: third }",
            "second: input_data: { text: x }, depends_on: first",
            "third: input_data: { text: x }, depends_on: [second, frist, nobody]",
            "self: input_data: { job: self }",
            "none: input_data: { jobs: [] }",
        ]),
        &expect![[r#"
            jobs.yaml:7:51: error[PF101]: 0 jobs are named
              in: jobs[4].input_data.jobs
              advice: name 1 to 10000 jobs, or delete the key"#]],
    );
    check_file(
        chain(&[
            "first: input_data: { job: third }",
            "second: input_data: { text: x }, depends_on: first",
            "third: input_data: { text: x }, depends_on: [second, frist, nobody]",
            "self: input_data: { job: self }",
        ]),
        &expect![[r#"
            jobs.yaml:3:44: error[PF101]: these jobs wait for each other: `first` → `third` → `second` → `first`
              in: jobs[0]
              advice: take one of these dependencies away
            jobs.yaml:5:69: error[PF101]: there is no job `frist` in this file
              in: jobs[2]
              advice: did you mean `first`?
            jobs.yaml:5:69: error[PF101]: there is no job `nobody` in this file
              in: jobs[2]
              advice: name a job of this file
            jobs.yaml:6:43: error[PF101]: `self` waits for itself
              in: jobs[3]
              advice: take one of these dependencies away"#]],
    );
}

#[test]
fn two_jobs_cannot_write_to_one_path() {
    let job = |id: &str| {
        format!(
            "  - {{ id: {id}, task_type: t, input_data: {{ text: x }}, output: {{ path: r.json }} }}\n"
        )
    };
    check_file(
        format!("version: 1\njobs:\n{}{}", job("a"), job("b")),
        &expect![[r#"
        jobs.yaml:4:61: error[PF101]: two jobs write to `r.json`
          in: jobs[1].output
          advice: choose another path; the first is in line 3"#]],
    );
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
