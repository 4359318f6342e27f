//! `pframe:audio/speech`: recognition of speech in a chunk that was cut by time.
//!
//! Owns: what a guest may say of audio, and which models it may name. Its limits: 2 minutes of samples from the guest
//! itself, and the attempt's processor time, which recognisers share.
//! It charges: processor time of recognisers to the attempt. Its escape test: `speech_without_a_grant_is_denied`.
//! Never: hands over samples or a model; recognition itself is a [`SpeechService`], here or behind the worker's line.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use pframe_core::fault::{Code, Fault};
use pframe_core::limits::SpeechUsage;
use pframe_speech::{BYTES_PER_MS, Loudness, Meter, Rule, Span, Transcript, cuts};
use serde::{Deserialize, Serialize};
use wasmtime::component::Resource;

use super::Capabilities;
use super::bindings::audio::pframe::audio::speech as wit;
use super::input::ChunkHandle;

/// Samples that a guest may bring along, in bytes: 2 minutes.
const OWN_BYTES_MAX: usize = 120_000 * 32;
/// Samples that a guest may bring along in one attempt, all together: 10 minutes.
const ALL_OWN_BYTES_MAX: usize = 5 * OWN_BYTES_MAX;
/// The longest code of a language.
const LANGUAGE_BYTES_MAX: usize = 16;
/// The longest prompt: recognisers use its last 220 words or so.
const PROMPT_BYTES_MAX: usize = 2048;
/// Bytes that are read at a time to measure loudness.
const BLOCK_BYTES: u64 = 1 << 20;

/// Why there is no transcript.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum SpeechError {
    Denied,
    ModelNotFound(String),
    ModelNotAllowed(String),
    DeviceUnavailable(String),
    InvalidAudio(String),
    InvalidOption(String),
    Quota(String),
    Busy(Duration),
    Deadline,
    Cancelled,
    OutOfMemory,
    EngineFailed(String),
}

/// Which models an attempt may use.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) enum SpeechGrant {
    /// None: speech was not granted.
    #[default]
    Denied,
    /// Those of these names.
    Only(Vec<String>),
    /// All that the host has.
    Any,
}

impl SpeechGrant {
    /// The error of a model that may not be used.
    pub(crate) fn check(&self, model: &str) -> Result<(), SpeechError> {
        match self {
            Self::Any => Ok(()),
            Self::Only(names) if names.iter().any(|name| name == model) => Ok(()),
            Self::Only(names) => {
                let shown = model.escape_debug();
                let what = format!("`{shown}`; this job may use {}", names.join(", "));
                Err(SpeechError::ModelNotAllowed(what))
            }
            Self::Denied => Err(SpeechError::Denied),
        }
    }
}

/// What is to be listened to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Sound {
    /// A part of the recording that the attempt's chunk was cut from.
    Recording(Span),
    /// A part of samples that the guest brought.
    Own(Vec<u8>),
}

/// A call of `transcribe`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Question {
    pub(crate) sound: Sound,
    pub(crate) model: String,
    pub(crate) language: Option<String>,
    pub(crate) needs_gpu: bool,
    pub(crate) prompt: Option<String>,
    pub(crate) beam: Option<u32>,
    pub(crate) temperature: Option<f32>,
    pub(crate) deadline: Option<Duration>,
}

impl Question {
    /// The error of an option that is longer than anybody needs: recognisers are native code, and each reads it.
    pub(crate) fn check(&self) -> Result<(), SpeechError> {
        let is_short = |text: &Option<String>, most: usize| {
            text.as_ref().is_none_or(|text| text.len() <= most)
        };
        if !is_short(&self.language, LANGUAGE_BYTES_MAX) {
            return Err(SpeechError::InvalidOption(
                "a language is a short code such as `en`".into(),
            ));
        }
        if !is_short(&self.prompt, PROMPT_BYTES_MAX) {
            let what = format!("a prompt has at most {PROMPT_BYTES_MAX} bytes");
            return Err(SpeechError::InvalidOption(what));
        }
        Ok(())
    }
}

/// What `transcribe` came to; times count from the start of the recording, or of the guest's own samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) transcript: Transcript,
    pub(crate) usage: SpeechUsage,
}

/// A model, as guests are told of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct KnownModel {
    pub(crate) name: String,
    pub(crate) family: String,
    pub(crate) languages: Vec<String>,
}

/// A call that is under way.
pub(crate) type Asked<'a> = Pin<Box<dyn Future<Output = Result<Answer, SpeechError>> + Send + 'a>>;

/// Who recognises speech for an attempt.
pub(crate) trait SpeechService: Send {
    /// All models of the host.
    fn models(&mut self) -> Result<Vec<KnownModel>, SpeechError>;
    /// Recognises. Who lets the call fall cancels it.
    fn transcribe(&mut self, question: Question) -> Asked<'_>;
}

/// What an attempt's recognition took so far; whoever recognises adds to it.
#[derive(Debug, Clone, Default)]
pub(crate) struct SpeechAccount(Arc<Mutex<Account>>);

impl SpeechAccount {
    /// Adds what a call took.
    pub(crate) fn add(&self, usage: SpeechUsage) {
        let total = &mut self.lock().usage;
        total.audio += usage.audio;
        total.cpu += usage.cpu;
    }

    /// What it comes to.
    pub(crate) fn total(&self) -> SpeechUsage {
        self.lock().usage
    }

    /// Takes down how the last call was answered: with so much to wait, or not.
    pub(crate) fn note_wait(&self, wait: Option<Duration>) {
        self.lock().wait = wait;
    }

    /// What follows from an attempt that ended with this fault: one whose last call found no room, and that asks for another
    /// try, came at a bad moment and did not fail.
    pub(crate) fn put_off(&self, fault: &Fault) -> Option<Duration> {
        self.lock().wait.filter(|_| fault.code == Code::Transient)
    }

    fn lock(&self) -> MutexGuard<'_, Account> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Default)]
struct Account {
    usage: SpeechUsage,
    /// The last call was refused for want of room, and may be worth another try after this.
    wait: Option<Duration>,
}

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
                AudioSource::Own(samples) => feed(&mut meter, samples),
                AudioSource::Chunk(chunk) => {
                    let blocks = (0..chunk.size()).step_by(1 << 20);
                    for block in blocks.map_while(|offset| chunk.look(offset, BLOCK_BYTES).ok()) {
                        feed(&mut meter, &block);
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

fn feed(meter: &mut Meter, bytes: &[u8]) {
    let samples = bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]]));
    meter.feed(&samples.collect::<Vec<_>>());
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
