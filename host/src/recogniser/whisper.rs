//! Whisper, by whisper.cpp: any model file in its ggml form.
//!
//! Owns: every call of the library. Weights are in memory once; each seat has a state of its own.
//! Never: starts a thread: one for each seat stands already, and in the jail there are no more.
//!
//! The library asks whether to stop only between two passes of its encoder, and between two tokens.

#![expect(
    unsafe_code,
    reason = "a file that is mapped, and the library's callback for stopping; see each"
)]

use std::ffi::c_void;
use std::fs::File;
use std::ptr::null_mut;

use pframe_speech::{SAMPLE_RATE, SAMPLES_PER_MS, Word};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use whisper_rs::whisper_rs_sys::{whisper_context, whisper_state};
use whisper_rs::{
    FullParams, SamplingStrategy, WhisperContext, WhisperContextParameters, WhisperState,
    WhisperTokenId, get_lang_id, get_lang_str,
};

use super::engine::{Heard, Options, Problem, Recogniser};

/// Windows that are shorter are filled up with silence: the library refuses them.
const SAMPLES_MIN: usize = SAMPLE_RATE as usize + SAMPLE_RATE as usize / 10;
/// Passes of the encoder over one window. The library begins anew where the text it found ends: mostly once or twice; a
/// model that always finds a little would hold a processor for many minutes.
const PASSES_MAX: u32 = 16;
/// Ways to go on that may be looked at.
const BEAM_MAX: u32 = 8;

/// Lets the library look at the processor, as it does once, in a file.
pub(super) fn prepare() {
    whisper_rs::install_logging_hooks();
    let _ = whisper_rs::print_system_info();
}

/// One seat of a model.
pub(super) struct Whisper {
    state: WhisperState,
    end_of_text: WhisperTokenId,
    is_multilingual: bool,
}

impl Whisper {
    /// Reads a model and takes so many seats.
    pub(super) fn load(file: &File, seats: u32) -> Result<Vec<Self>, String> {
        let mapped = Mapped::new(file).map_err(|error| format!("reading the model: {error}"))?;
        let mut parameters = WhisperContextParameters::new();
        parameters.use_gpu(false);
        let context = WhisperContext::new_from_buffer_with_params(mapped.bytes(), parameters)
            .map_err(|_| "it is no whole ggml model of Whisper".to_owned())?;
        let (end_of_text, is_multilingual) = (context.token_eot(), context.is_multilingual());
        let seat = |_| {
            let state = context.create_state().map_err(|error| error.to_string())?;
            Ok(Self { state, end_of_text, is_multilingual })
        };
        (0..seats).map(seat).collect()
    }

    fn words(&self, length_ms: u64) -> Vec<Word> {
        let mut words = Vec::new();
        for segment in self.state.as_iter() {
            let mut open: Option<OpenWord> = None;
            for index in 0..segment.n_tokens() {
                let Some(token) = segment.get_token(index) else { continue };
                // From there on tokens are marks: times, languages, the end.
                if token.token_id() >= self.end_of_text {
                    continue;
                }
                let Ok(bytes) = token.to_bytes() else { continue };
                let data = token.token_data();
                let begins = bytes.first().is_some_and(u8::is_ascii_whitespace);
                if begins || open.is_none() {
                    words.extend(open.take().and_then(|word| word.close(length_ms)));
                    open = Some(OpenWord::at(data.t0));
                }
                if let Some(word) = &mut open {
                    word.add(bytes, data.t1, data.p);
                }
            }
            words.extend(open.and_then(|word| word.close(length_ms)));
        }
        words
    }
}

/// A word whose tokens are still coming; a token may end in the middle of a character.
struct OpenWord {
    bytes: Vec<u8>,
    start: i64,
    end: i64,
    probability: f32,
    tokens: f32,
}

impl OpenWord {
    fn at(start: i64) -> Self {
        Self { bytes: Vec::new(), start, end: start, probability: 0.0, tokens: 0.0 }
    }

    fn add(&mut self, bytes: &[u8], end: i64, probability: f32) {
        self.bytes.extend_from_slice(bytes);
        self.end = end;
        self.probability += probability;
        self.tokens += 1.0;
    }

    /// Times come in hundredths of a second; -1 where there is none.
    fn close(self, length_ms: u64) -> Option<Word> {
        let text = String::from_utf8_lossy(&self.bytes).trim().to_owned();
        let ms = |hundredths: i64| (u64::try_from(hundredths).unwrap_or(0) * 10).min(length_ms);
        let (start_ms, end_ms) = (ms(self.start), ms(self.end));
        let mean = self.probability / self.tokens.max(1.0);
        let confidence = if mean.is_nan() { 0.0 } else { mean.clamp(0.0, 1.0) };
        let word = Word { text, start_ms, end_ms: end_ms.max(start_ms), confidence };
        (!word.text.is_empty()).then_some(word)
    }
}

impl Recogniser for Whisper {
    fn recognise(
        &mut self,
        samples: &[i16],
        options: &Options,
        is_cancelled: &mut dyn FnMut() -> bool,
    ) -> Result<Heard, Problem> {
        check(options, self.is_multilingual)?;
        let mut data: Vec<f32> = samples.iter().map(|it| f32::from(*it) / 32_768.0).collect();
        data.resize(data.len().max(SAMPLES_MIN), 0.0);
        let mut parameters = parameters(options, self.is_multilingual);
        let mut watch = Watch { is_cancelled, was_cancelled: false, passes: 0 };
        let watching: *mut Watch<'_> = &raw mut watch;
        // SAFETY: `watch` outlives the call below, which alone uses the pointer, on this thread.
        unsafe {
            parameters.set_abort_callback(Some(should_stop));
            parameters.set_abort_callback_user_data(watching.cast());
            parameters.set_start_encoder_callback(Some(may_begin));
            parameters.set_start_encoder_callback_user_data(watching.cast());
        }
        let result = self.state.full(parameters, &data);
        if watch.was_cancelled {
            return Err(Problem::Cancelled);
        }
        if watch.passes > PASSES_MAX {
            let what =
                format!("the model begins again and again: {PASSES_MAX} times in one window");
            return Err(Problem::Failed(what));
        }
        result.map_err(|error| Problem::Failed(error.to_string()))?;
        let language = get_lang_str(self.state.full_lang_id_from_state()).map(str::to_owned);
        let words = self.words(samples.len() as u64 / SAMPLES_PER_MS);
        Ok(Heard { words, language })
    }
}

/// What the library's callbacks look at.
struct Watch<'a> {
    is_cancelled: &'a mut dyn FnMut() -> bool,
    was_cancelled: bool,
    /// Of the encoder, over this window.
    passes: u32,
}

impl Watch<'_> {
    fn should_stop(&mut self) -> bool {
        self.was_cancelled |= (self.is_cancelled)();
        self.was_cancelled
    }

    fn may_begin(&mut self) -> bool {
        self.passes += 1;
        self.passes <= PASSES_MAX && !self.should_stop()
    }
}

/// What the library calls to ask whether it shall stop.
unsafe extern "C" fn should_stop(watching: *mut c_void) -> bool {
    // SAFETY: the library hands back what `recognise` gave it, while that still lives.
    unsafe { &mut *watching.cast::<Watch<'_>>() }.should_stop()
}

/// What the library calls before each pass of its encoder.
unsafe extern "C" fn may_begin(
    _: *mut whisper_context,
    _: *mut whisper_state,
    watching: *mut c_void,
) -> bool {
    // SAFETY: as above.
    unsafe { &mut *watching.cast::<Watch<'_>>() }.may_begin()
}

fn parameters(options: &Options, is_multilingual: bool) -> FullParams<'_, '_> {
    let strategy = match options.beam {
        Some(beam) if beam > 1 => SamplingStrategy::BeamSearch {
            beam_size: i32::try_from(beam).expect("checked: at most 8"),
            patience: -1.0,
        },
        _ => SamplingStrategy::Greedy { best_of: 1 },
    };
    let mut parameters = FullParams::new(strategy);
    parameters.set_n_threads(1);
    parameters.set_no_context(true);
    parameters.set_token_timestamps(true);
    // To guess means nothing for a model that knows one language.
    let default = if is_multilingual { "auto" } else { "en" };
    parameters.set_language(Some(options.language.as_deref().unwrap_or(default)));
    parameters.set_print_special(false);
    parameters.set_print_progress(false);
    parameters.set_print_realtime(false);
    parameters.set_print_timestamps(false);
    if let Some(prompt) = &options.prompt {
        parameters.set_initial_prompt(prompt);
    }
    if let Some(temperature) = options.temperature {
        parameters.set_temperature(temperature);
        // Nor another one where the library does not trust what it heard: then it throws dice.
        parameters.set_temperature_inc(0.0);
    }
    parameters
}

fn check(options: &Options, is_multilingual: bool) -> Result<(), Problem> {
    let refuse = |what: String| Err(Problem::Option(what));
    if let Some(language) = &options.language {
        let shown = language.escape_default();
        if language.contains('\0') || get_lang_id(language).is_none() {
            return refuse(format!("Whisper knows no language `{shown}`"));
        }
        if !is_multilingual && language != "en" {
            return refuse(format!("this model knows English (`en`), not `{shown}`"));
        }
    }
    if options.prompt.as_ref().is_some_and(|prompt| prompt.contains('\0')) {
        return refuse("a prompt has no zero byte".into());
    }
    if options.beam.is_some_and(|beam| !(1..=BEAM_MAX).contains(&beam)) {
        return refuse(format!("a beam is 1 to {BEAM_MAX}"));
    }
    if options.temperature.is_some_and(|it| !(0.0..=1.0).contains(&it)) {
        return refuse("a temperature is 0 to 1".into());
    }
    Ok(())
}

/// A file in memory, without a copy of it.
struct Mapped {
    at: *mut c_void,
    length: usize,
}

impl Mapped {
    fn new(file: &File) -> std::io::Result<Self> {
        let length = usize::try_from(file.metadata()?.len()).map_err(std::io::Error::other)?;
        if length == 0 {
            return Err(std::io::Error::other("it is empty"));
        }
        // SAFETY: a new mapping of a file that is only read. The host keeps model files as they are; should one shrink all
        // the same, this process dies, which is what it is for.
        let at = unsafe { mmap(null_mut(), length, ProtFlags::READ, MapFlags::PRIVATE, file, 0) }?;
        Ok(Self { at, length })
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: the mapping has this length and lives as long as `self`.
        unsafe { std::slice::from_raw_parts(self.at.cast(), self.length) }
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: it was mapped with this length, and nothing borrows it any more.
        let _ = unsafe { munmap(self.at, self.length) };
    }
}
