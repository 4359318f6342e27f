//! `pframe:audio/speech`: recognition of speech in a chunk that was cut by time.
//!
//! Owns: what a guest may say of audio, and which models it may name. Its limits: 2 minutes of samples from the guest
//! itself, and the attempt's processor time, which recognisers share.
//! It charges: processor time of recognisers to the attempt. Its escape test: `speech_without_a_grant_is_denied`.
//! Never: hands over samples or a model; recognition itself is a [`SpeechService`], here or behind the worker's line.

mod service;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use pframe_speech::{BYTES_PER_MS, Loudness, Meter, Rule, Span, cuts};
use wasmtime::component::Resource;

pub(crate) use self::service::{
    Answer, Asked, KnownModel, Question, Sound, SpeechAccount, SpeechError, SpeechGrant,
    SpeechService,
};
use super::Capabilities;
use super::bindings::audio::pframe::audio::speech as wit;
use super::input::ChunkHandle;

/// Samples that a guest may bring along, in bytes: 2 minutes.
const OWN_BYTES_MAX: usize = 120_000 * 32;
/// Samples that a guest may bring along in one attempt, all together: 10 minutes.
const ALL_OWN_BYTES_MAX: usize = 5 * OWN_BYTES_MAX;
/// Bytes that are read at a time to measure loudness.
const BLOCK_BYTES: u64 = 1 << 20;

/// The host's side of speech for one guest.
pub(crate) struct Speech {
    grant: SpeechGrant,
    service: Box<dyn SpeechService>,
    /// The chunk that is worked on, where it is cut from a recording. All handles to it share what was measured.
    chunk: Option<AudioHandle>,
    /// Samples that the guest brought, in bytes.
    own_bytes: usize,
    pub(crate) calls_denied: u32,
}

/// Audio that the host keeps for a guest. Parts share what is known of the whole.
#[derive(Clone)]
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct AudioHandle {
    source: AudioSource,
    /// Of the source.
    part: Span,
    loudness: Arc<OnceLock<Loudness>>,
}

#[derive(Clone)]
enum AudioSource {
    Chunk(ChunkHandle),
    Own(Arc<[u8]>),
}

impl AudioHandle {
    fn new(source: AudioSource) -> Self {
        let bytes = match &source {
            AudioSource::Chunk(chunk) => chunk.size(),
            AudioSource::Own(samples) => samples.len() as u64,
        };
        let part = Span::new(0, bytes / BYTES_PER_MS);
        Self { source, part, loudness: Arc::default() }
    }

    /// A range of this audio, as one of its source.
    fn within(&self, range: &wit::Span) -> Option<Span> {
        let is_inside = range.start <= range.end && range.end <= self.part.len_ms();
        let start_ms = self.part.start_ms;
        is_inside.then(|| Span::new(start_ms + range.start, start_ms + range.end))
    }

    /// How loud the source is, all of it; measured once.
    fn loudness(&self) -> &Loudness {
        self.loudness.get_or_init(|| {
            let mut meter = Meter::default();
            match &self.source {
                AudioSource::Own(samples) => meter.feed(&pframe_speech::samples(samples)),
                AudioSource::Chunk(chunk) => {
                    let blocks = (0..chunk.size()).step_by(1 << 20);
                    for block in blocks.map_while(|offset| chunk.look(offset, BLOCK_BYTES).ok()) {
                        meter.feed(&pframe_speech::samples(&block));
                    }
                }
            }
            meter.finish()
        })
    }

    /// Spans of the source, seen from the start of this part.
    fn seen(&self, spans: Vec<Span>) -> Vec<wit::Span> {
        let from_ms = self.part.start_ms;
        let seen = |span: Span| wit::Span {
            start: span.start_ms.saturating_sub(from_ms),
            end: span.end_ms.saturating_sub(from_ms),
        };
        spans.into_iter().map(seen).collect()
    }

    /// What is to be listened to, and how much later this part begins than what times of the answer count from.
    fn sound(&self) -> (Sound, u64) {
        match &self.source {
            AudioSource::Chunk(chunk) => {
                let chunk_ms = chunk.start() / BYTES_PER_MS;
                let start_ms = chunk_ms + self.part.start_ms;
                (Sound::Recording(Span::new(start_ms, start_ms + self.part.len_ms())), start_ms)
            }
            AudioSource::Own(samples) => {
                let place = |ms: u64| usize::try_from(ms * BYTES_PER_MS).unwrap_or(usize::MAX);
                let (from, to) = (place(self.part.start_ms), place(self.part.end_ms));
                (Sound::Own(samples[from..to].to_vec()), 0)
            }
        }
    }
}

impl From<SpeechError> for wit::Error {
    fn from(error: SpeechError) -> Self {
        match error {
            SpeechError::Denied => Self::Denied,
            SpeechError::ModelNotFound(what) => Self::ModelNotFound(what),
            SpeechError::ModelNotAllowed(what) => Self::ModelNotAllowed(what),
            SpeechError::DeviceUnavailable(what) => Self::DeviceUnavailable(what),
            SpeechError::InvalidAudio(what) => Self::InvalidAudio(what),
            SpeechError::InvalidOption(what) => Self::InvalidOption(what),
            SpeechError::Quota(what) => Self::Quota(what),
            SpeechError::Busy(wait) => Self::Busy(ms(wait)),
            SpeechError::Deadline => Self::Deadline,
            SpeechError::Cancelled => Self::Cancelled,
            SpeechError::OutOfMemory => Self::OutOfMemory,
            SpeechError::EngineFailed(what) => Self::EngineFailed(what),
        }
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn outside() -> wit::Error {
    wit::Error::InvalidAudio("the span lies outside of the audio".into())
}

impl Speech {
    /// Of an attempt with this grant.
    pub(crate) fn new(grant: SpeechGrant, service: Box<dyn SpeechService>) -> Self {
        Self { grant, service, chunk: None, own_bytes: 0, calls_denied: 0 }
    }

    /// The chunk that is worked on.
    pub(crate) fn work_on(&mut self, chunk: &ChunkHandle) {
        let source = || AudioSource::Chunk(chunk.clone());
        self.chunk = chunk.is_recording().then(|| AudioHandle::new(source()));
    }

    /// The error of a guest without a grant.
    fn check(&mut self) -> Result<(), SpeechError> {
        if self.grant == SpeechGrant::Denied {
            self.calls_denied = self.calls_denied.saturating_add(1);
            return Err(SpeechError::Denied);
        }
        Ok(())
    }

    fn chunk_audio(&mut self) -> Result<AudioHandle, SpeechError> {
        self.check()?;
        self.chunk.clone().ok_or_else(|| {
            let how = "the job is not cut by time; `chunking: { strategy: time }` does that";
            SpeechError::InvalidAudio(how.into())
        })
    }

    fn own_audio(&mut self, samples: &[i16]) -> Result<AudioHandle, SpeechError> {
        self.check()?;
        let bytes = samples.len() * 2;
        if bytes > OWN_BYTES_MAX {
            return Err(SpeechError::InvalidAudio("more than 2 minutes of samples".into()));
        }
        self.own_bytes += bytes;
        if self.own_bytes > ALL_OWN_BYTES_MAX {
            let what = "more than 10 minutes of samples in one attempt";
            return Err(SpeechError::InvalidAudio(what.into()));
        }
        let bytes = samples.iter().flat_map(|sample| sample.to_le_bytes());
        Ok(AudioHandle::new(AudioSource::Own(bytes.collect())))
    }

    fn models(&mut self) -> Result<Vec<wit::Model>, SpeechError> {
        self.check()?;
        let models = self.service.models()?.into_iter();
        let allowed = models.filter(|model| self.grant.check(&model.name).is_ok());
        Ok(allowed
            .map(|KnownModel { name, family, languages }| wit::Model { name, family, languages })
            .collect())
    }

    async fn transcribe(
        &mut self,
        audio: &AudioHandle,
        options: wit::Options,
    ) -> Result<wit::Transcript, SpeechError> {
        self.check()?;
        self.grant.check(&options.model).inspect_err(|_| {
            self.calls_denied = self.calls_denied.saturating_add(1);
        })?;
        let (sound, shift_ms) = audio.sound();
        let question = Question {
            sound,
            model: options.model.clone(),
            language: options.language,
            needs_gpu: options.device == wit::Device::Cuda,
            prompt: options.prompt,
            beam: options.beam,
            temperature: options.temperature,
            deadline: options.deadline.map(Duration::from_millis),
        };
        let answer = self.service.transcribe(question).await?;
        Ok(transcript(answer, options.model, shift_ms))
    }
}

/// What a guest is told; times count from the start of its audio.
fn transcript(answer: Answer, model: String, shift_ms: u64) -> wit::Transcript {
    let Answer { transcript, usage } = answer;
    let word = |word: pframe_speech::Word| wit::Word {
        text: word.text,
        start: word.start_ms.saturating_sub(shift_ms),
        end: word.end_ms.saturating_sub(shift_ms),
        confidence: word.confidence,
    };
    let segment = |segment: pframe_speech::Segment| wit::Segment {
        start: segment.start_ms.saturating_sub(shift_ms),
        end: segment.end_ms.saturating_sub(shift_ms),
        text: segment.text,
        words: segment.words.into_iter().map(word).collect(),
    };
    wit::Transcript {
        language: transcript.language,
        segments: transcript.segments.into_iter().map(segment).collect(),
        model,
        device: wit::Device::Cpu,
        usage: wit::Usage { audio: ms(usage.audio), cpu: ms(usage.cpu) },
    }
}

impl wit::HostAudio for Capabilities {
    fn duration(&mut self, audio: Resource<AudioHandle>) -> wasmtime::Result<u64> {
        Ok(self.table.get(&audio)?.part.len_ms())
    }

    fn slice(
        &mut self,
        audio: Resource<AudioHandle>,
        part: wit::Span,
    ) -> wasmtime::Result<Result<Resource<AudioHandle>, wit::Error>> {
        let whole = self.table.get(&audio)?;
        let Some(part) = whole.within(&part) else { return Ok(Err(outside())) };
        let handle = AudioHandle { part, ..whole.clone() };
        Ok(Ok(self.table.push(handle)?))
    }

    fn level(&mut self, audio: Resource<AudioHandle>, part: wit::Span) -> wasmtime::Result<f32> {
        let audio = self.table.get(&audio)?;
        let span = audio.within(&part).unwrap_or(Span::new(0, 0));
        Ok(audio.loudness().mean_db(span))
    }

    fn sounds(&mut self, audio: Resource<AudioHandle>) -> wasmtime::Result<Vec<wit::Span>> {
        let audio = self.table.get(&audio)?;
        Ok(audio.seen(audio.loudness().sounds(audio.part)))
    }

    fn plan_cuts(
        &mut self,
        audio: Resource<AudioHandle>,
        target: u64,
    ) -> wasmtime::Result<Vec<wit::Span>> {
        let audio = self.table.get(&audio)?;
        // Shorter pieces would be more spans than anybody can use.
        let rule = Rule::chunks(Duration::from_millis(target.max(1000)));
        Ok(audio.seen(cuts(audio.loudness(), audio.part, rule)))
    }

    async fn transcribe(
        &mut self,
        audio: Resource<AudioHandle>,
        options: wit::Options,
    ) -> wasmtime::Result<Result<wit::Transcript, wit::Error>> {
        let audio = self.table.get(&audio)?.clone();
        Ok(self.speech.transcribe(&audio, options).await.map_err(wit::Error::from))
    }

    fn drop(&mut self, audio: Resource<AudioHandle>) -> wasmtime::Result<()> {
        self.table.delete(audio)?;
        Ok(())
    }
}

impl wit::Host for Capabilities {
    fn chunk_audio(&mut self) -> wasmtime::Result<Result<Resource<AudioHandle>, wit::Error>> {
        match self.speech.chunk_audio() {
            Ok(audio) => Ok(Ok(self.table.push(audio)?)),
            Err(error) => Ok(Err(error.into())),
        }
    }

    fn from_samples(
        &mut self,
        samples: Vec<i16>,
    ) -> wasmtime::Result<Result<Resource<AudioHandle>, wit::Error>> {
        self.uncharged_bytes += samples.len() as u64 * 2;
        match self.speech.own_audio(&samples) {
            Ok(audio) => Ok(Ok(self.table.push(audio)?)),
            Err(error) => Ok(Err(error.into())),
        }
    }

    fn models(&mut self) -> wasmtime::Result<Result<Vec<wit::Model>, wit::Error>> {
        Ok(self.speech.models().map_err(wit::Error::from))
    }
}
