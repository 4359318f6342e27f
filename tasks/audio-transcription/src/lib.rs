//! What is said in a recording, as text or subtitles.
//!
//! Owns: the task type `audio-transcription`: its parameters, and the road from a chunk's audio to one transcript.
//! Never: touches a sample: the host decodes, cuts and recognises.

mod parameters;
mod partial;
mod report;

pub use parameters::{DeviceName, Format, Parameters};
pub use partial::Heard;
pub use report::write;

use pframe_guest::speech::{self, Audio, Error, Options};
use pframe_guest::{Chunk, Collector, Failure, Handler, Output, Partials, Unit};
use pframe_speech::{Part, Span, Word, stitch};

/// The task type `audio-transcription`.
pub struct AudioTranscription;

/// The model that everybody can have.
const FALLBACK: &str = "pocketsphinx";

impl Handler for AudioTranscription {
    type Parameters = Parameters;

    /// Writes what was heard in the chunk, with times that count from the start of the recording.
    fn run(chunk: &Chunk, parameters: Parameters, output: &mut Output) -> Result<(), Failure> {
        let span = chunk.span();
        if span.unit != Unit::Milliseconds {
            return Err(Failure::invalid(
                "the recording must be cut by time: `chunking: { strategy: time, length: 10min }`",
            ));
        }
        let audio = speech::chunk_audio()?;
        let mut listener = Listener { parameters, fallback_from: None };
        let mut heard = Heard::new(chunk.source(), Span::new(span.start, span.end));
        let mut parts = Vec::new();
        for piece in listener.pieces(&audio) {
            let transcript = listener.transcribe(&audio.slice(piece)?)?;
            heard.add(&transcript);
            parts.push(part(&transcript, piece, span.start));
        }
        heard.words = stitch(parts);
        heard.fallback_from = listener.fallback_from;
        heard.write(output)
    }
}

impl Collector for AudioTranscription {
    type Parameters = Parameters;

    fn combine(parts: &Partials, _: Parameters, output: &mut Output) -> Result<(), Failure> {
        partial::merged(parts)?.iter().try_for_each(|heard| heard.write(output))
    }

    fn finish(
        parts: &Partials,
        parameters: Parameters,
        output: &mut Output,
    ) -> Result<(), Failure> {
        write(partial::merged(parts)?, &parameters, output)
    }
}

/// Asks the host, with what the job's parameters say.
struct Listener {
    parameters: Parameters,
    /// The model that was asked for, where it is not there and another one may do its work.
    fallback_from: Option<String>,
}

impl Listener {
    /// The pieces in which the audio is handed over.
    fn pieces(&self, audio: &Audio) -> Vec<speech::Span> {
        match self.parameters.chunk_size {
            Some(length) => audio.plan_cuts(length.ms()),
            None => vec![speech::Span { start: 0, end: audio.duration() }],
        }
    }

    #[expect(
        clippy::print_stderr,
        reason = "what a person should know, and the result's form has no room for"
    )]
    fn transcribe(&mut self, audio: &Audio) -> Result<speech::Transcript, Failure> {
        let options = self.options();
        match audio.transcribe(&options) {
            Err(Error::ModelNotFound(_)) if self.may_fall_back(&options) => {
                eprintln!(
                    "note: there is no model `{}`; `{FALLBACK}` does its work",
                    options.model
                );
                self.fallback_from = Some(options.model);
                Ok(audio.transcribe(&self.options())?)
            }
            other => Ok(other?),
        }
    }

    fn may_fall_back(&self, options: &Options) -> bool {
        self.parameters.fallback && options.model != FALLBACK
    }

    fn options(&self) -> Options {
        let Parameters { model_size, language, device, .. } = &self.parameters;
        let model = if self.fallback_from.is_some() { FALLBACK } else { model_size };
        Options { language: language.clone(), device: (*device).into(), ..speech::options(model) }
    }
}

/// A piece with times that count from the start of the recording.
fn part(transcript: &speech::Transcript, piece: speech::Span, chunk_ms: u64) -> Part {
    let from_ms = chunk_ms + piece.start;
    let words = transcript.segments.iter().flat_map(|segment| &segment.words);
    let words = words.map(|word| Word {
        text: word.text.clone(),
        start_ms: from_ms + word.start,
        end_ms: from_ms + word.end,
        confidence: word.confidence,
    });
    Part { span: Span::new(from_ms, chunk_ms + piece.end), words: words.collect() }
}

pframe_guest::export!(AudioTranscription with collector);
