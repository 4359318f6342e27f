//! Key-value stores as the chunk says, well used and badly.
//!
//! Owns: one line of the chunk, one call: `["set", "store", "key", "value"]`; what came of it is one line of the output.
//! Never: decides what is bad.

use std::fmt::Write as _;
use std::io::Write;

use pframe_guest::{Chunk, Failure, Output};
use serde::Deserialize;

use self::bindings::wasi::keyvalue::store::{Bucket, Error, open};
use self::bindings::wasi::keyvalue::{atomics, batch};

#[allow(missing_docs, unreachable_pub, clippy::pedantic, reason = "generated code")]
mod bindings {
    wit_bindgen::generate!({
        path: "../../../wit",
        inline: "package evil:kept; world keeper {
            import wasi:keyvalue/store@0.2.0-draft;
            import wasi:keyvalue/atomics@0.2.0-draft;
            import wasi:keyvalue/batch@0.2.0-draft;
        }",
        world: "evil:kept/keeper",
        generate_all,
    });
}

/// A call, its store and what else it takes.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Call {
    Open(String),
    Get(String, String),
    Set(String, String, String),
    Delete(String, String),
    Exists(String, String),
    Increment(String, String, u64),
    /// All pages; with how many keys there are on each.
    List(String),
    ListFrom(String, u64),
    GetMany(String, Vec<String>),
    SetMany(String, Vec<(String, String)>),
    DeleteMany(String, Vec<String>),
    /// A key of so many bytes, with a value of so many.
    SetSized(String, u32, u32),
    /// Keys `PREFIX0` to `PREFIXn` with values of so many bytes, in batches of so many, until one is refused.
    Fill {
        store: String,
        prefix: String,
        n: u32,
        bytes: u32,
        batch: u32,
    },
    /// Asks for `n` empty keys at once.
    GetEmpty(String, u32),
    /// The same question for as long as it is answered.
    Spin(String),
    /// Opens the store `n` times and drops each handle.
    Reopen(String, u32),
    /// Opens the store and drops no handle.
    Hoard(String),
}

/// Each line of the chunk in turn.
pub(crate) fn keep(chunk: &Chunk, output: &mut Output) -> Result<(), Failure> {
    let mut lines = chunk.lines();
    while let Some(line) = lines.next_line()? {
        let call = serde_json::from_slice(line).map_err(|it| Failure::invalid(it.to_string()))?;
        match call_it(call) {
            Ok(said) => writeln!(output, "{said}")?,
            Err(Error::Other(why)) => writeln!(output, "error: {why}")?,
            Err(error) => writeln!(output, "{error:?}")?,
        }
    }
    Ok(())
}

fn call_it(call: Call) -> Result<String, Error> {
    match call {
        Call::Open(store) => open(&store).map(|_| "open".into()),
        Call::Get(store, key) => open(&store)?.get(&key).map(|value| shown(value.as_deref())),
        Call::Set(store, key, value) => done(open(&store)?.set(&key, value.as_bytes())),
        Call::Delete(store, key) => done(open(&store)?.delete(&key)),
        Call::Exists(store, key) => open(&store)?.exists(&key).map(|it| it.to_string()),
        Call::Increment(store, key, by) => {
            atomics::increment(&open(&store)?, &key, by).map(|it| it.to_string())
        }
        Call::List(store) => list(&open(&store)?),
        Call::ListFrom(store, from) => open(&store)?
            .list_keys(Some(from))
            .map(|page| format!("{} keys, then {:?}", page.keys.len(), page.cursor)),
        Call::GetMany(store, keys) => {
            let pair = |pair: &Option<(String, Vec<u8>)>| match pair {
                Some((key, value)) => format!("{key}={}", shown(Some(value))),
                None => "-".into(),
            };
            let values = batch::get_many(&open(&store)?, &keys)?;
            Ok(values.iter().map(pair).collect::<Vec<_>>().join(" "))
        }
        Call::SetMany(store, pairs) => {
            let bytes = |(key, value): (String, String)| (key, value.into_bytes());
            let pairs: Vec<_> = pairs.into_iter().map(bytes).collect();
            done(batch::set_many(&open(&store)?, &pairs))
        }
        Call::DeleteMany(store, keys) => done(batch::delete_many(&open(&store)?, &keys)),
        Call::SetSized(store, key, value) => {
            done(open(&store)?.set(&"k".repeat(key as usize), &vec![b'v'; value as usize]))
        }
        Call::Fill { store, prefix, n, bytes, batch } => {
            fill(&open(&store)?, &prefix, n, bytes as usize, batch as usize)
        }
        Call::GetEmpty(store, n) => {
            let values = batch::get_many(&open(&store)?, &vec![String::new(); n as usize])?;
            Ok(format!("{} values", values.len()))
        }
        Call::Spin(store) => {
            let bucket = open(&store)?;
            loop {
                bucket.exists("k")?;
            }
        }
        Call::Reopen(store, n) => {
            (0..n).try_for_each(|_| open(&store).map(drop))?;
            Ok(format!("opened {n} times"))
        }
        Call::Hoard(store) => loop {
            std::mem::forget(open(&store)?);
        },
    }
}

fn done(outcome: Result<(), Error>) -> Result<String, Error> {
    outcome.map(|()| "done".into())
}

fn shown(value: Option<&[u8]>) -> String {
    match value {
        None => "-".into(),
        Some(value) if value.len() > 40 => format!("{} bytes", value.len()),
        Some(value) => String::from_utf8_lossy(value).into_owned(),
    }
}

fn list(bucket: &Bucket) -> Result<String, Error> {
    let (mut said, mut all, mut cursor) = (String::from("pages"), Vec::new(), None);
    loop {
        let page = bucket.list_keys(cursor)?;
        let _ = write!(said, " {}", page.keys.len());
        all.extend(page.keys);
        cursor = page.cursor;
        if cursor.is_none() {
            all.sort_unstable();
            all.dedup();
            let _ = write!(said, ", {} keys", all.len());
            if all.len() <= 5 {
                let _ = write!(said, ": {}", all.join(" "));
            }
            return Ok(said);
        }
    }
}

fn fill(
    bucket: &Bucket,
    prefix: &str,
    n: u32,
    bytes: usize,
    batch: usize,
) -> Result<String, Error> {
    let keys: Vec<_> = (0..n).map(|index| format!("{prefix}{index}")).collect();
    for keys in keys.chunks(batch) {
        let pairs: Vec<_> = keys.iter().map(|key| (key.clone(), vec![b'v'; bytes])).collect();
        batch::set_many(bucket, &pairs)?;
    }
    Ok(format!("set {n} keys"))
}
