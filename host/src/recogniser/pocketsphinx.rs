//! PocketSphinx: Debian's library and its model of English, opened at run time.
//!
//! Owns: every call of the library. Version 0.8 (`libpocketsphinx.so.3`, "5prealpha") is what Debian ships; its interface is
//! that of its headers `pocketsphinx.h`, `fe.h` and `cmd_ln.h`.
//! Never: is linked: a machine without it builds and starts, and is told the command that installs it.
//!
//! Features are computed for a whole window first and their mean is subtracted (cepstral mean normalisation over the
//! window). The library's own live mean goes from window to window, so that a result would depend on what was heard before.
//! Then the window is searched a half second at a time, and may be cancelled between.

#![expect(unsafe_code, reason = "a C library has no safe form; see each call")]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::ptr::{null_mut, slice_from_raw_parts};
use std::sync::Arc;

use libloading::Library;
use pframe_speech::{SAMPLES_PER_MS, Word};

use super::engine::{Heard, Options, Problem, Recogniser};
use crate::process::memory;

/// What installs it.
pub(crate) const INSTALL: &str = "apt-get install libpocketsphinx3 pocketsphinx-en-us";
const LIBRARY: &str = "libpocketsphinx.so.3";
/// Where Debian keeps the model.
const MODEL: &str = "/usr/share/pocketsphinx/model/en-us";
/// Length of a frame: the library's default.
const FRAME_MS: u64 = 10;
/// Coefficients of a frame: the model's.
const COEFFICIENTS: usize = 13;
/// Frames that are searched between two looks whether anybody still wants them.
const BLOCK_FRAMES: usize = 50;

/// The library and the model as files, or what to do to get them.
#[derive(Debug, Clone)]
pub(crate) struct Installation {
    model: PathBuf,
}

impl Installation {
    /// Where Debian puts it. Whether the library itself can be loaded is seen when it is.
    pub(crate) fn find() -> Option<Self> {
        let model = PathBuf::from(MODEL);
        let is_there = ["en-us/mdef", "en-us.lm.bin", "cmudict-en-us.dict"]
            .iter()
            .all(|file| model.join(file).is_file());
        is_there.then_some(Self { model })
    }

    /// The files that decide what is recognised.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let files =
            ["en-us/mdef", "en-us/means", "en-us/sendump", "en-us.lm.bin", "cmudict-en-us.dict"];
        files.iter().map(|file| self.model.join(file)).collect()
    }
}

/// Declares functions of the library (or of the one below it), each looked up by its name.
macro_rules! functions {
    ($($name:ident($($argument:ty),*) $(-> $result:ty)?;)*) => {
        /// The functions that are called, and the library that holds them.
        struct Functions {
            $($name: unsafe extern "C" fn($($argument),*) $(-> $result)?,)*
            /// Last: functions must not outlive it.
            _library: Library,
        }

        impl Functions {
            fn load() -> Result<Self, libloading::Error> {
                // SAFETY: Debian's library and the one below it run no code of consequence when they are loaded.
                let library = unsafe { Library::new(LIBRARY) }?;
                $(
                    // SAFETY: the type is that of the library's header, and the library lives as long as the pointer.
                    let $name = *unsafe { library.get(stringify!($name)) }?;
                )*
                Ok(Self { $($name,)* _library: library })
            }
        }
    };
}

functions! {
    cmd_ln_parse_r(*mut c_void, *const c_void, i32, *mut *mut c_char, i32) -> *mut c_void;
    cmd_ln_free_r(*mut c_void) -> c_int;
    err_set_logfp(*mut c_void);
    fe_process_utt(*mut c_void, *const i16, usize, *mut *mut *mut f32, *mut i32) -> c_int;
    fe_start_stream(*mut c_void);
    fe_start_utt(*mut c_void) -> c_int;
    fe_free_2d(*mut c_void);
    logmath_exp(*mut c_void, c_int) -> f64;
    ps_args() -> *const c_void;
    ps_init(*mut c_void) -> *mut c_void;
    ps_free(*mut c_void) -> c_int;
    ps_get_fe(*mut c_void) -> *mut c_void;
    ps_get_logmath(*mut c_void) -> *mut c_void;
    ps_start_utt(*mut c_void) -> c_int;
    ps_process_cep(*mut c_void, *mut *mut f32, c_int, c_int, c_int) -> c_int;
    ps_end_utt(*mut c_void) -> c_int;
    ps_seg_iter(*mut c_void) -> *mut c_void;
    ps_seg_next(*mut c_void) -> *mut c_void;
    ps_seg_word(*mut c_void) -> *const c_char;
    ps_seg_frames(*mut c_void, *mut c_int, *mut c_int);
    ps_seg_prob(*mut c_void, *mut i32, *mut i32, *mut i32) -> i32;
}

/// One decoder. It is made before the jail closes, because the library opens its model by name.
pub(crate) struct PocketSphinx {
    functions: Arc<Functions>,
    decoder: *mut c_void,
    config: *mut c_void,
}

// SAFETY: a decoder is used by one thread at a time, and the library keeps nothing for a thread.
unsafe impl Send for PocketSphinx {}

impl PocketSphinx {
    /// Loads library and model.
    pub(crate) fn load(installation: &Installation) -> Result<Self, String> {
        let functions = Functions::load()
            .map_err(|error| format!("`{LIBRARY}` cannot be loaded: {error}; {INSTALL}"))?;
        let functions = Arc::new(functions);
        let model = &installation.model;
        let text = |path: &Path| path.display().to_string();
        let parameters = front_end_parameters(model)
            .map_err(|error| format!("`{}`: {error}", model.join("en-us/feat.params").display()))?;
        let arguments = [
            "pframe".to_owned(),
            "-hmm".to_owned(),
            text(&model.join("en-us")),
            "-lm".to_owned(),
            text(&model.join("en-us.lm.bin")),
            "-dict".to_owned(),
            text(&model.join("cmudict-en-us.dict")),
            "-featparams".to_owned(),
            format!("/proc/self/fd/{}", parameters.as_raw_fd()),
            // It would take frames out, and the others would stand at wrong times.
            "-remove_silence".to_owned(),
            "no".to_owned(),
        ];
        let arguments = arguments.map(|argument| CString::new(argument).expect("no zero byte"));
        let mut pointers = arguments.each_ref().map(|argument| argument.as_ptr().cast_mut());
        let count = i32::try_from(pointers.len()).expect("a few");
        // SAFETY: null stops the library's log; it is documented for that.
        unsafe { (functions.err_set_logfp)(null_mut()) };
        // SAFETY: the arguments live through the call, which copies them.
        let config = unsafe {
            (functions.cmd_ln_parse_r)(
                null_mut(),
                (functions.ps_args)(),
                count,
                pointers.as_mut_ptr(),
                0,
            )
        };
        if config.is_null() {
            return Err("PocketSphinx does not take its settings".into());
        }
        // SAFETY: the configuration was made just now.
        let decoder = unsafe { (functions.ps_init)(config) };
        let made = Self { functions, decoder, config };
        if decoder.is_null() {
            return Err(format!("PocketSphinx cannot read its model; {INSTALL}"));
        }
        Ok(made)
    }

    /// The features of a window, a row of [`COEFFICIENTS`] for each frame.
    fn features(&self, samples: &[i16]) -> Result<Features, Problem> {
        let mut rows: *mut *mut f32 = null_mut();
        let mut count = 0;
        let functions = &self.functions;
        // SAFETY: the front end belongs to the decoder, which lives; samples are only read; the rows are freed by `Features`.
        let failed = unsafe {
            let front_end = (functions.ps_get_fe)(self.decoder);
            // What it learnt of the noise in an earlier window, somebody else's perhaps, is forgotten.
            (functions.fe_start_stream)(front_end);
            (functions.fe_start_utt)(front_end) < 0
                || (functions.fe_process_utt)(
                    front_end,
                    samples.as_ptr(),
                    samples.len(),
                    &raw mut rows,
                    &raw mut count,
                ) < 0
        };
        let features = Features { functions: Arc::clone(functions), rows, count: count.max(0) };
        if failed { Err(Problem::Failed("computing features".into())) } else { Ok(features) }
    }

    fn search(
        &mut self,
        features: &mut Features,
        is_cancelled: &mut dyn FnMut() -> bool,
    ) -> Result<(), Problem> {
        let failed = |what: &str| Err(Problem::Failed(what.into()));
        // SAFETY: no other utterance has begun: every way out of here ends this one.
        if unsafe { (self.functions.ps_start_utt)(self.decoder) } < 0 {
            return failed("beginning a window");
        }
        let mut result = Ok(());
        for block in features.rows_mut().chunks_mut(BLOCK_FRAMES) {
            if is_cancelled() {
                result = Err(Problem::Cancelled);
                break;
            }
            let count = c_int::try_from(block.len()).expect("fifty");
            // SAFETY: each row has the number of coefficients that the model was told; the library copies them.
            let searched = unsafe {
                (self.functions.ps_process_cep)(self.decoder, block.as_mut_ptr(), count, 0, 0)
            };
            if searched < 0 {
                result = failed("searching a window");
                break;
            }
        }
        // SAFETY: an utterance has begun.
        let ended = unsafe { (self.functions.ps_end_utt)(self.decoder) };
        if ended < 0 { result.and(failed("ending a window")) } else { result }
    }

    fn words(&self, length_ms: u64) -> Vec<Word> {
        let mut words = Vec::new();
        let functions = &self.functions;
        // SAFETY: the utterance has ended. The iterator frees itself at its end, and only there the loop ends.
        unsafe {
            let mut segment = (functions.ps_seg_iter)(self.decoder);
            let log = (functions.ps_get_logmath)(self.decoder);
            while !segment.is_null() {
                let (mut first, mut last) = (0, 0);
                (functions.ps_seg_frames)(segment, &raw mut first, &raw mut last);
                let probability =
                    (functions.ps_seg_prob)(segment, null_mut(), null_mut(), null_mut());
                let confidence = (functions.logmath_exp)(log, probability);
                let text = CStr::from_ptr((functions.ps_seg_word)(segment)).to_string_lossy();
                words.extend(word(&text, (first, last), confidence, length_ms));
                segment = (functions.ps_seg_next)(segment);
            }
        }
        words
    }
}

/// The model's parameters of the front end, but that the mean is left to us. The library reads them from a file, and they
/// come before its arguments.
fn front_end_parameters(model: &Path) -> std::io::Result<OwnedFd> {
    let text = std::fs::read_to_string(model.join("en-us/feat.params"))?;
    let lines = text.lines().map(|line| match line.split_whitespace().next() {
        Some("-cmn") => "-cmn none\n".to_owned(),
        _ => format!("{line}\n"),
    });
    memory::sealed(lines.collect::<String>().as_bytes())
}

/// A word without the number of its pronunciation; none for silence and noise.
fn word(
    text: &str,
    (first, last): (c_int, c_int),
    confidence: f64,
    length_ms: u64,
) -> Option<Word> {
    let is_filler = text.starts_with(['<', '[', '+']);
    let text = text.split('(').next().filter(|text| !text.is_empty() && !is_filler)?;
    let time_ms = |frame: c_int| (u64::try_from(frame).unwrap_or(0) * FRAME_MS).min(length_ms);
    #[expect(clippy::cast_possible_truncation, reason = "a probability needs few digits")]
    let confidence = confidence.clamp(0.0, 1.0) as f32;
    Some(Word {
        text: text.into(),
        start_ms: time_ms(first),
        end_ms: time_ms(last + 1),
        confidence,
    })
}

impl Recogniser for PocketSphinx {
    fn recognise(
        &mut self,
        samples: &[i16],
        options: &Options,
        is_cancelled: &mut dyn FnMut() -> bool,
    ) -> Result<Heard, Problem> {
        check(options)?;
        let mut features = self.features(samples)?;
        features.subtract_mean();
        self.search(&mut features, is_cancelled)?;
        let words = self.words(samples.len() as u64 / SAMPLES_PER_MS);
        Ok(Heard { words, language: Some("en".into()) })
    }
}

/// It knows one language and takes no advice.
fn check(options: &Options) -> Result<(), Problem> {
    let refuse = |what: &str| Err(Problem::Option(format!("PocketSphinx takes no {what}")));
    let Options { language, prompt, beam, temperature } = options;
    match language.as_deref() {
        None | Some("en" | "en-US" | "en-us") => {}
        Some(other) => {
            return Err(Problem::Option(format!(
                "PocketSphinx knows English (`en`), not `{}`",
                other.escape_default()
            )));
        }
    }
    if prompt.is_some() {
        return refuse("prompt");
    }
    if beam.is_some() {
        return refuse("beam");
    }
    if temperature.is_some() { refuse("temperature") } else { Ok(()) }
}

impl Drop for PocketSphinx {
    fn drop(&mut self) {
        // SAFETY: both were made by the library, are freed once, and the library is still there.
        unsafe {
            if !self.decoder.is_null() {
                (self.functions.ps_free)(self.decoder);
            }
            (self.functions.cmd_ln_free_r)(self.config);
        }
    }
}

/// Features that the library allocated.
struct Features {
    functions: Arc<Functions>,
    rows: *mut *mut f32,
    count: i32,
}

impl Features {
    /// A pointer to each row.
    fn rows_mut(&mut self) -> &mut [*mut f32] {
        let count = usize::try_from(self.count).expect("never negative");
        if self.rows.is_null() || count == 0 {
            return &mut [];
        }
        // SAFETY: the library made so many rows, and nobody else has them.
        unsafe { &mut *slice_from_raw_parts(self.rows, count).cast_mut() }
    }

    /// Cepstral mean normalisation over the window; frames without energy do not count, as in the library's own.
    fn subtract_mean(&mut self) {
        let mut sums = [0.0_f64; COEFFICIENTS];
        let mut counted = 0.0;
        let mut rows: Vec<&mut [f32]> = self
            .rows_mut()
            .iter()
            // SAFETY: each row has this many coefficients: the model says so, and the library read it.
            .map(|row| unsafe { std::slice::from_raw_parts_mut(*row, COEFFICIENTS) })
            .collect();
        for row in rows.iter().filter(|row| row[0] >= 0.0) {
            sums.iter_mut().zip(row.iter()).for_each(|(sum, value)| *sum += f64::from(*value));
            counted += 1.0;
        }
        if counted == 0.0 {
            return;
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "features have the library's precision"
        )]
        let means = sums.map(|sum| (sum / counted) as f32);
        for row in &mut rows {
            row.iter_mut().zip(means).for_each(|(value, mean)| *value -= mean);
        }
    }
}

impl Drop for Features {
    fn drop(&mut self) {
        if !self.rows.is_null() {
            // SAFETY: the library allocated them and this is their only owner.
            unsafe { (self.functions.fe_free_2d)(self.rows.cast()) };
        }
    }
}
