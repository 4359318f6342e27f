//! `whisper-model FILE`: writes a small model of Whisper with random weights, for tests that are not in Rust.

use pframe_tests::ggml;

fn main() {
    let file = std::env::args_os().nth(1).expect("whisper-model FILE");
    std::fs::write(file, ggml::model(ggml::TINY, ggml::Numbers::F16))
        .expect("the file can be written");
}
