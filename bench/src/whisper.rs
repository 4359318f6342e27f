//! whisper.cpp alone, without the host around it.
//!
//! Owns: the model (the shapes of `base`, random weights), and this program's other role, in which it is the library's user.
//! Never: decodes much: the model says nothing, so that what is compared is the work of the encoder, which nothing changes.

use std::path::Path;
use std::process::Command;

use whisper_rs::{FullParams, SamplingStrategy, WhisperContext, WhisperContextParameters};

#[path = "../../tests/src/ggml.rs"]
#[expect(dead_code, unreachable_pub, reason = "it is a module of the tests, which use all of it")]
mod ggml;

/// The first argument in this role.
pub(crate) const ROLE: &str = "whisper-alone";
const HEADER_BYTES: usize = 44;

pub(crate) fn write_model(path: &Path) {
    let model = ggml::saying(ggml::BASE, ggml::Numbers::F16, ggml::Says::Nothing);
    std::fs::write(path, model).expect("room on disk");
}

/// This program as the library's user.
pub(crate) fn alone(model: &Path, talk: &Path, threads: usize) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.arg(ROLE).arg(model).arg(talk).arg(threads.to_string());
    command
}

/// Transcribes a WAV file of 16 kHz as the library's own examples do: all of it in one call.
pub(crate) fn serve(arguments: &[String]) {
    let [model, talk, threads] = arguments else { panic!("{ROLE} MODEL WAV THREADS") };
    whisper_rs::install_logging_hooks();
    let mut parameters = WhisperContextParameters::new();
    parameters.use_gpu(false);
    let context = WhisperContext::new_with_params(model, parameters).expect("a model");
    let mut state = context.create_state().expect("room for a state");
    let bytes = std::fs::read(talk).expect("a recording");
    let samples: Vec<f32> = bytes[HEADER_BYTES..]
        .chunks_exact(2)
        .map(|pair| f32::from(i16::from_le_bytes([pair[0], pair[1]])) / 32_768.0)
        .collect();
    let mut parameters = FullParams::new(SamplingStrategy::Greedy { best_of: 1 });
    parameters.set_n_threads(threads.parse().expect("a number of threads"));
    parameters.set_language(Some("en"));
    parameters.set_token_timestamps(true);
    parameters.set_print_progress(false);
    parameters.set_print_realtime(false);
    parameters.set_print_timestamps(false);
    state.full(parameters, &samples).expect("it listens");
}
