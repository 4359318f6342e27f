//! Calls every function of `pframe:audio`, well or badly, and writes what came back.
//!
//! One deed for each parameter `do`; an error of the interface is written down like any other answer.

use std::io::Write;

use pframe_guest::speech::{
    Audio, Device, Error, Options, Span, chunk_audio, from_samples, models, options,
};
use pframe_guest::{Chunk, Failure, Handler, Output};
use serde::Deserialize;

/// The task type `listener`.
pub struct Listener;

/// What to do, with its number and its word.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    #[serde(rename = "do")]
    deed: String,
    #[serde(default)]
    n: u64,
    #[serde(default)]
    word: String,
    #[serde(default)]
    model: String,
}

impl Handler for Listener {
    type Parameters = Parameters;

    fn run(_: &Chunk, parameters: Parameters, output: &mut Output) -> Result<(), Failure> {
        let said = match perform(&parameters) {
            Ok(said) => said,
            Err(error) => format!("{error:?}"),
        };
        Ok(writeln!(output, "{said}")?)
    }
}

fn perform(parameters: &Parameters) -> Result<String, Error> {
    let Parameters { deed, n, word, model } = parameters;
    match deed.as_str() {
        "models" => Ok(format!("{:?}", models()?)),
        "look" => Ok(look(&chunk_audio()?, *n)),
        "hear" => hear(&chunk_audio()?, &options(model)),
        "hear-slice" => {
            hear(&chunk_audio()?.slice(Span { start: *n, end: 2 * n })?, &options(model))
        }
        "slice-outside" => {
            chunk_audio()?.slice(Span { start: 0, end: u64::MAX }).map(|_| String::new())
        }
        "slice-backwards" => chunk_audio()?.slice(Span { start: 9, end: 3 }).map(|_| String::new()),
        "own" => {
            hear(&from_samples(&vec![500; usize::try_from(*n).unwrap_or(0)])?, &options(model))
        }
        "hoard" => {
            let mut kept = Vec::new();
            loop {
                kept.push(from_samples(&vec![500; 16_000 * 60])?);
            }
        }
        "cuda" => hear(&chunk_audio()?, &Options { device: Device::Cuda, ..options(model) }),
        "language" => {
            hear(&chunk_audio()?, &Options { language: Some(word.clone()), ..options(model) })
        }
        "exact" => hear(&chunk_audio()?, &Options { temperature: Some(0.0), ..options(model) }),
        "deadline" => hear(&chunk_audio()?, &Options { deadline: Some(*n), ..options(model) }),
        "again" => {
            let audio = chunk_audio()?;
            let mut texts = Vec::new();
            for _ in 0..*n {
                texts.push(hear(&audio, &options(model))?);
            }
            Ok(texts.join("|"))
        }
        _ => Ok(format!("no such deed: {deed}")),
    }
}

fn hear(audio: &Audio, options: &Options) -> Result<String, Error> {
    let transcript = audio.transcribe(options)?;
    let words = transcript.segments.iter().flat_map(|segment| &segment.words);
    let words: Vec<_> = words.map(|word| format!("{}@{}", word.text, word.start)).collect();
    Ok(words.join(" "))
}

fn look(audio: &Audio, target: u64) -> String {
    let all = Span { start: 0, end: audio.duration() };
    let spans = |spans: Vec<Span>| {
        let shown: Vec<_> =
            spans.iter().map(|span| format!("{}-{}", span.start, span.end)).collect();
        shown.join(",")
    };
    format!(
        "{} ms, level {:.0}, sounds {}, cuts {}",
        audio.duration(),
        audio.level(all),
        spans(audio.sounds()),
        spans(audio.plan_cuts(target)),
    )
}

pframe_guest::export!(Listener);
