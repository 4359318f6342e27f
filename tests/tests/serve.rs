//! `pframe-host serve --stdio`: JSON-RPC with the program that started it.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use pframe_tests::guest;
use pframe_tests::program::Place;
use serde_json::{Value, json};

struct Host {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    place: Place,
}

impl Host {
    fn start(more: &[&str]) -> Self {
        let place = Place::new();
        let mut command = place.command(&["serve", "--stdio"]);
        command.args(more).stdin(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { stdin: child.stdin.take(), stdout, child, place }
    }

    fn say(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    fn hear(&mut self) -> Value {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("not a message: {line:?}"))
    }

    /// Asks, and hears the answer; nothing else may come before it.
    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.say(
            &json!({"jsonrpc": "2.0", "id": method, "method": method, "params": params})
                .to_string(),
        );
        let answer = self.hear();
        assert_eq!(
            (&answer["jsonrpc"], &answer["id"]),
            (&json!("2.0"), &json!(method)),
            "{answer}"
        );
        match answer.get("result") {
            Some(result) => result.clone(),
            None => answer["error"].clone(),
        }
    }

    fn register(&mut self, name: &str) {
        let told = self.ask("register", json!({"name": name, "component": guest(name)}));
        assert_eq!(told["sha256"].as_str().map(str::len), Some(64), "{told}");
    }

    /// Closes stdin, and waits for the end.
    fn leave(&mut self) -> Option<i32> {
        self.stdin = None;
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(10) {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("the host did not end with its stdin");
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn file(id: &str, task: &str, more: Value) -> Value {
    let mut job =
        json!({"id": id, "task_type": task, "input_data": {"text": "to be or not to be"}});
    job.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"file": {"version": 1, "jobs": [job]}})
}

#[test]
fn a_job_is_accepted_then_ends_then_its_result_is_there() {
    let mut host = Host::start(&[]);
    host.register("word_count");
    let accepted = host.ask("submit", file("one", "word-count", json!({"retry_count": 2})));
    assert_eq!(accepted["jobs"], json!(["one"]));
    assert_eq!(accepted["remarks"].as_array().map(Vec::len), Some(1), "{accepted}");
    let ended = host.hear();
    assert_eq!((&ended["method"], &ended["params"]["job"]), (&json!("ended"), &json!("one")));
    assert_eq!(ended["params"]["state"], "completed");
    assert_eq!(ended["params"]["status"]["chunks_done"], 1);
    let result = host.ask("result", json!({"job": "one"}));
    assert!(result["bytes"].as_str().is_some_and(|bytes| bytes.len() > 20), "{result}");
    assert_eq!(host.ask("status", json!({"job": "one"}))["progress"], 1.0);
    assert_eq!(host.ask("cancel", json!({"job": "one"}))["cancelled"], false);
    assert_eq!(host.leave(), Some(0));
}

#[test]
fn a_running_job_is_explained_cancelled_and_has_no_result() {
    let mut host = Host::start(&[]);
    host.register("evil");
    let spin = json!({"parameters": {"do": "spin"}});
    host.ask("submit", file("spin", "evil", spin.clone()));
    let early = host.ask("result", json!({"job": "spin"}));
    assert_eq!(early["message"], "job spin has not ended");
    let again = host.ask("submit", file("spin", "evil", spin));
    assert_eq!(again["message"], "job `spin` is there already and has not ended");
    assert_eq!(host.ask("cancel", json!({"job": "spin"}))["cancelled"], true);
    let ended = host.hear();
    assert_eq!(ended["params"]["state"], "cancelled");
    let late = host.ask("result", json!({"job": "spin"}));
    assert_eq!(late["data"]["origin"], "job", "{late}");
}

#[test]
fn what_cannot_be_answered_is_refused_and_the_next_is_answered() {
    let mut host = Host::start(&[]);
    let code = |answer: &Value| answer["code"].as_i64();
    host.say("{");
    assert_eq!(code(&host.hear()["error"]), Some(-32_700));
    host.say(r#"{"jsonrpc":"2.0","method":"tasks"}"#);
    assert_eq!(code(&host.hear()["error"]), Some(-32_600));
    assert_eq!(code(&host.ask("frobnicate", json!({}))), Some(-32_601));
    assert_eq!(code(&host.ask("status", json!({"jobs": "x"}))), Some(-32_602));
    assert_eq!(host.ask("status", json!({"job": "x"}))["message"], "there is no job `x` here");
    let unknown = host.ask("submit", file("one", "nothing", json!({"grants": ["speech"]})));
    assert_eq!(unknown["data"]["code"], "PF210", "{unknown}");
    let wrong =
        host.ask("submit", json!({"file": {"version": 1, "jobs": [{"id": 5, "priority": "x"}]}}));
    assert_eq!(wrong["data"]["problems"].as_array().map(Vec::len), Some(3), "{wrong}");
    let missing = host.ask("register", json!({"name": "x", "component": "nowhere.wasm"}));
    assert_eq!(missing["data"]["code"], "PF201", "{missing}");
    assert_eq!(host.ask("tasks", json!({})), json!([]));
}

#[test]
fn a_grant_is_what_was_allowed_at_the_start() {
    let asks = json!({"grants": ["clock"]});
    let mut host = Host::start(&[]);
    host.register("word_count");
    let refused = host.ask("submit", file("one", "word-count", asks.clone()));
    assert_eq!(refused["data"]["code"], "PF104", "{refused}");
    let mut host = Host::start(&["--allow", "clock"]);
    host.register("word_count");
    assert_eq!(host.ask("submit", file("one", "word-count", asks))["jobs"], json!(["one"]));
    let mut host = Host::start(&["--allow", "everything"]);
    assert_eq!(host.leave(), Some(2));
}

#[test]
fn nothing_is_pulled_because_a_job_file_names_it() {
    let registry = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    registry.set_nonblocking(true).unwrap();
    let component = format!("oci://{}/acme/tiny:1.0", registry.local_addr().unwrap());
    let mut asked = file("one", "tiny", json!({}));
    asked["file"]["tasks"] = json!({"tiny": {"component": component}});
    let refused = Host::start(&[]).ask("submit", asked);
    assert_eq!(refused["data"]["code"], "PF201", "{refused}");
    assert!(refused.to_string().contains("tasks pull"), "{refused}");
    assert!(registry.accept().is_err(), "somebody came");
}

#[test]
fn a_host_ends_with_its_stdin_whatever_runs() {
    let mut host = Host::start(&[]);
    host.register("evil");
    let submitted = host.ask("submit", file("spin", "evil", json!({"parameters": {"do": "spin"}})));
    assert_eq!(submitted["jobs"], json!(["spin"]), "{submitted}");
    assert_eq!(host.leave(), Some(0));
}

#[test]
fn work_in_a_state_directory_outlives_the_host() {
    let mut host = Host::start(&[]);
    host.register("evil");
    let spin = json!({"parameters": {"do": "spin"}, "limits": {"fuel": "1G"}});
    host.ask("submit", file("spin", "evil", spin));
    host.child.kill().unwrap();
    host.child.wait().unwrap();
    let resumed = host.place.run(&["resume", "--quiet"]).expect_code(4);
    assert!(resumed.stderr.contains("PF302"), "{}", resumed.stderr);
}
