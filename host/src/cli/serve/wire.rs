//! JSON-RPC 2.0, a message a line: requests on stdin, answers and notifications on stdout.
//!
//! Owns: the form of messages, their longest length, and the codes of refusals.
//! Never: knows a method.

use std::io::{BufRead, BufReader, Read, Stdin, Write};
use std::sync::{Mutex, PoisonError};

use pframe_core::document::Problems;
use pframe_core::fault::Fault;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::failure::Failure;
use crate::reporter::told::fault_text;

/// Bytes of a message that comes in, at most: a job file with its inline data.
const MESSAGE_BYTES_MAX: u64 = 64 << 20;

/// What is asked.
#[derive(Debug, Deserialize)]
pub(super) struct Request {
    /// The answer carries it too.
    pub(super) id: Value,
    /// What to do.
    pub(super) method: String,
    /// With what.
    #[serde(default)]
    pub(super) params: Value,
}

/// Why a request is not answered as it wished. The numbers are those of JSON-RPC 2.0, section 5.1.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The line is not JSON.
    NotJson(String),
    /// It is JSON and no request.
    NotARequest(String),
    /// There is no such method.
    UnknownMethod(String),
    /// The method takes something else.
    BadParameters(String),
    /// The method was tried.
    Failed(Box<Failure>),
    /// Jobs that cannot be accepted, each fault with what it happened to; there is at least one.
    Faults(Vec<(String, Fault)>),
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self::Failed(Box::new(failure))
    }
}

impl Refusal {
    fn to_json(&self) -> Value {
        let (code, message, data) = match self {
            Self::NotJson(why) => (-32_700, why.clone(), Value::Null),
            Self::NotARequest(why) => (-32_600, why.clone(), Value::Null),
            Self::UnknownMethod(name) => {
                (-32_601, format!("there is no method `{name}`"), Value::Null)
            }
            Self::BadParameters(why) => (-32_602, why.clone(), Value::Null),
            Self::Failed(failure) => {
                let (message, data) = failure_json(failure);
                (-32_000, message, data)
            }
            Self::Faults(faults) => {
                let text = |(place, fault): &(String, Fault)| fault_text(fault, place, false);
                let message = faults.iter().map(text).collect::<Vec<_>>().join("\n");
                let values = faults.iter().map(|(place, fault)| fault_json(fault, place));
                let mut values: Vec<_> = values.collect();
                let mut data = values.first().cloned().unwrap_or_default();
                data["others"] = values.drain(1..).collect();
                (-32_000, message, data)
            }
        };
        match data {
            Value::Null => json!({ "code": code, "message": message }),
            data => json!({ "code": code, "message": message, "data": data }),
        }
    }
}

/// A fault for programs: what it carries, and what its code says.
pub(super) fn fault_json(fault: &Fault, place: &str) -> Value {
    let mut value = serde_json::to_value(fault).expect("a fault is valid JSON");
    value["name"] = json!(fault.code.name());
    value["origin"] = json!(fault.code.origin());
    value["title"] = json!(fault.code.title());
    value["advice"] = json!(fault.code.advice());
    value["text"] = json!(fault_text(fault, place, false));
    value
}

fn failure_json(failure: &Failure) -> (String, Value) {
    match failure {
        Failure::Fault { fault, place } => {
            let value = fault_json(fault, place);
            (fault_text(fault, place, false), value)
        }
        Failure::Problems { problems, .. } => problems_json(problems),
        Failure::Unreadable { code, path, why } => {
            let value = fault_json(&Fault::new(*code).detail(format!("`{path}`: {why}")), "");
            (format!("`{path}`: {why}"), value)
        }
        Failure::Usage(what) => (what.clone(), Value::Null),
    }
}

/// Lines and columns say nothing of a file that nobody wrote; the keys do.
fn problems_json(problems: &Problems) -> (String, Value) {
    let told = problems.told().iter();
    let lines: Vec<_> = told
        .clone()
        .map(|problem| match problem.advice.as_str() {
            "" => format!("{}: {}", problem.path, problem.message),
            advice => format!("{}: {} ({advice})", problem.path, problem.message),
        })
        .collect();
    let listed =
        told.map(|it| json!({ "at": it.path, "message": it.message, "advice": it.advice }));
    let code = problems.code();
    let value = json!({
        "code": code,
        "name": code.name(),
        "origin": code.origin(),
        "title": code.title(),
        "problems": listed.collect::<Value>(),
        "problems_total": problems.total(),
    });
    (lines.join("\n"), value)
}

/// stdout, one whole message at a time. A reader that went away is forgotten: stdin ends with it.
pub(super) struct Wire(Mutex<()>);

impl Wire {
    pub(super) fn stdout() -> Self {
        Self(Mutex::new(()))
    }

    /// Answers a request; one whose `id` could not be read has none.
    pub(super) fn answer(&self, id: Option<&Value>, answer: Result<Value, Refusal>) {
        let id = id.cloned().unwrap_or_default();
        self.send(&match answer {
            Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
            Err(refusal) => json!({ "jsonrpc": "2.0", "id": id, "error": refusal.to_json() }),
        });
    }

    /// Tells what nobody asked for.
    pub(super) fn notify(&self, method: &str, params: &Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    fn send(&self, message: &Value) {
        let mut line = message.to_string();
        line.push('\n');
        let _turn = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut stdout = std::io::stdout().lock();
        let _ = stdout.write_all(line.as_bytes()).and_then(|()| stdout.flush());
    }
}

/// The messages of a reader, each read whole.
pub(super) struct Lines<R>(R);

impl Lines<BufReader<Stdin>> {
    pub(super) fn stdin() -> Self {
        Self(BufReader::new(std::io::stdin()))
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = Result<Request, Refusal>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut line = Vec::new();
        let taken = (&mut self.0).take(MESSAGE_BYTES_MAX + 1).read_until(b'\n', &mut line);
        match taken {
            Ok(0) | Err(_) => None,
            Ok(_) if line.len() as u64 > MESSAGE_BYTES_MAX => {
                let _ = self.0.skip_until(b'\n');
                let why = format!("a message is longer than {} MiB", MESSAGE_BYTES_MAX >> 20);
                Some(Err(Refusal::NotARequest(why)))
            }
            Ok(_) => Some(read(&line)),
        }
    }
}

fn read(line: &[u8]) -> Result<Request, Refusal> {
    let value: Value =
        serde_json::from_slice(line).map_err(|error| Refusal::NotJson(error.to_string()))?;
    let request = Request::deserialize(value);
    request.map_err(|error| Refusal::NotARequest(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(lines: &str) -> String {
        let seen = Lines(lines.as_bytes()).map(|request| match request {
            Ok(Request { id, method, params }) => format!("{id} {method} {params}"),
            Err(refusal) => refusal.to_json().to_string(),
        });
        seen.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn each_line_is_a_request_or_is_refused_alone() {
        let lines = [
            r#"{"jsonrpc":"2.0","id":1,"method":"tasks"}"#,
            "not JSON",
            r#"{"id":"a","method":"cancel","params":{"job":"x"}}"#,
            r#"{"method":"cancel"}"#,
            "[1, 2]",
        ];
        let expect = expect_test::expect![[r#"
            1 tasks null
            {"code":-32700,"message":"expected ident at line 1 column 2"}
            "a" cancel {"job":"x"}
            {"code":-32600,"message":"missing field `id`"}
            {"code":-32600,"message":"invalid type: integer `2`, expected a string"}"#]];
        expect.assert_eq(&heard(&lines.join("\n")));
    }

    #[test]
    fn a_line_without_end_is_refused_and_the_next_is_heard() {
        let length = usize::try_from(MESSAGE_BYTES_MAX).unwrap() + 10;
        let lines = format!("{}\n{}", "x".repeat(length), r#"{"id":2,"method":"tasks"}"#);
        let expect = expect_test::expect![[r#"
            {"code":-32600,"message":"a message is longer than 64 MiB"}
            2 tasks null"#]];
        expect.assert_eq(&heard(&lines));
    }
}
