//! Model files of Whisper with random weights: the right form and shapes, and nothing learnt.
//!
//! Owns: the form that whisper.cpp reads (its `whisper_model_load`): magic, sizes, mel filters, vocabulary, tensors.
//! Never: recognises anything; it is for loading, times, languages, and ending early.

/// Sizes of a model. All but these are those of every Whisper.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// Width of both halves.
    pub state: u32,
    /// Attention heads.
    pub heads: u32,
    /// Layers of the encoder; 4 is that of `tiny`.
    pub audio_layers: u32,
    /// Layers of the decoder.
    pub text_layers: u32,
}

/// Small enough to be quick.
pub const TINY: Sizes = Sizes { state: 64, heads: 2, audio_layers: 4, text_layers: 2 };
/// Large enough that its encoder takes seconds in a window.
pub const HEAVY: Sizes = Sizes { state: 512, heads: 8, audio_layers: 12, text_layers: 2 };

/// That of the published model `base`.
pub const BASE: Sizes = Sizes { state: 512, heads: 8, audio_layers: 6, text_layers: 6 };

/// What the decoder says to whatever it hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Says {
    /// Whatever chance wants, for as long as it may.
    Anything,
    /// That the text is over, at once: what is left is the work of the encoder.
    Nothing,
    /// The same after any short time: the library goes on from there, again and again.
    Little,
}

/// Of all multilingual models but the newest.
const VOCABULARY: u32 = 51_865;
/// Tokens that are text; the others are marks.
const TEXTS: u32 = 50_257;
/// The mark that ends a text: the first after the texts.
const END_OF_TEXT: u32 = TEXTS;
/// The mark of the time 0.00; each further one is two hundredths of a second later.
const TIME_ZERO: u32 = 50_364;
/// Where GPT-2's vocabulary has the space.
const SPACE: u32 = 220;
const AUDIO_CONTEXT: u32 = 1500;
const TEXT_CONTEXT: u32 = 448;
const MELS: u32 = 80;
const FREQUENCIES: u32 = 201;

/// Types of numbers, as the file names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbers {
    /// 32 bits.
    F32 = 0,
    /// 16 bits: what models are shipped with.
    F16 = 1,
}

/// A whole model file. With weights of 32 bits whisper.cpp aborts the process that loads it.
pub fn model(sizes: Sizes, weights: Numbers) -> Vec<u8> {
    saying(sizes, weights, Says::Anything)
}

/// The same, with a decoder that says this.
pub fn saying(sizes: Sizes, weights: Numbers, says: Says) -> Vec<u8> {
    let Sizes { state, heads, audio_layers, text_layers } = sizes;
    let mut file = File { bytes: Vec::new(), weights, seed: 1 };
    file.numbers(&[0x6767_6d6c, VOCABULARY, AUDIO_CONTEXT, state, heads, audio_layers]);
    file.numbers(&[TEXT_CONTEXT, state, heads, text_layers, MELS, weights as u32]);
    file.numbers(&[MELS, FREQUENCIES]);
    for _ in 0..MELS * FREQUENCIES {
        let filter = file.random().abs() * 0.01;
        file.bytes.extend(filter.to_le_bytes());
    }
    file.numbers(&[TEXTS]);
    for token in 0..TEXTS {
        // whisper.cpp looks the lone space up.
        let text = if token == SPACE { " ".to_owned() } else { format!(" w{token}") };
        file.numbers(&[u32::try_from(text.len()).expect("short")]);
        file.bytes.extend(text.as_bytes());
    }
    file.single("encoder.positional_embedding", &[state, AUDIO_CONTEXT]);
    file.weight("encoder.conv1.weight", &[3, MELS, state]);
    file.single("encoder.conv1.bias", &[1, state]);
    file.weight("encoder.conv2.weight", &[3, state, state]);
    file.single("encoder.conv2.bias", &[1, state]);
    file.norm("encoder.ln_post", state);
    for layer in 0..audio_layers {
        file.block(&format!("encoder.blocks.{layer}"), state, &["attn"]);
    }
    file.single("decoder.positional_embedding", &[state, TEXT_CONTEXT]);
    match says {
        Says::Anything => {
            file.weight("decoder.token_embedding.weight", &[state, VOCABULARY]);
            file.norm("decoder.ln", state);
        }
        Says::Nothing | Says::Little => {
            // The decoder's last state is the same whatever it heard, and points at the end. Only the first token cannot be
            // that: it is a time.
            let row = |token| match token {
                END_OF_TEXT => 1.0,
                TIME_ZERO if says == Says::Nothing => 0.5,
                _ => 0.0,
            };
            let rows = (0..VOCABULARY).flat_map(|token| vec![row(token); state as usize]);
            file.tensor("decoder.token_embedding.weight", &[state, VOCABULARY], weights, rows);
            let width = state as usize;
            file.tensor("decoder.ln.weight", &[state], Numbers::F32, vec![0.0; width]);
            file.tensor("decoder.ln.bias", &[state], Numbers::F32, vec![1.0; width]);
        }
    }
    for layer in 0..text_layers {
        file.block(&format!("decoder.blocks.{layer}"), state, &["attn", "cross_attn"]);
    }
    file.bytes
}

struct File {
    bytes: Vec<u8>,
    weights: Numbers,
    seed: u64,
}

impl File {
    fn numbers(&mut self, numbers: &[u32]) {
        self.bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    }

    /// Between -0.5 and 0.5 (xorshift).
    #[expect(clippy::cast_precision_loss, reason = "random numbers")]
    fn random(&mut self) -> f32 {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        (self.seed >> 40) as f32 / (1_u64 << 24) as f32 - 0.5
    }

    fn block(&mut self, name: &str, state: u32, attentions: &[&str]) {
        for attention in attentions {
            let name = format!("{name}.{attention}");
            self.norm(&format!("{name}_ln"), state);
            for part in ["query", "key", "value", "out"] {
                self.weight(&format!("{name}.{part}.weight"), &[state, state]);
                if part != "key" {
                    self.single(&format!("{name}.{part}.bias"), &[state]);
                }
            }
        }
        self.norm(&format!("{name}.mlp_ln"), state);
        self.weight(&format!("{name}.mlp.0.weight"), &[state, 4 * state]);
        self.single(&format!("{name}.mlp.0.bias"), &[4 * state]);
        self.weight(&format!("{name}.mlp.2.weight"), &[4 * state, state]);
        self.single(&format!("{name}.mlp.2.bias"), &[state]);
    }

    fn norm(&mut self, name: &str, state: u32) {
        self.single(&format!("{name}.weight"), &[state]);
        self.single(&format!("{name}.bias"), &[state]);
    }

    fn weight(&mut self, name: &str, shape: &[u32]) {
        self.chance(name, shape, self.weights);
    }

    fn single(&mut self, name: &str, shape: &[u32]) {
        self.chance(name, shape, Numbers::F32);
    }

    fn chance(&mut self, name: &str, shape: &[u32], numbers: Numbers) {
        let values: Vec<f32> =
            (0..shape.iter().product::<u32>()).map(|_| self.random() * 0.2).collect();
        self.tensor(name, shape, numbers, values);
    }

    fn tensor(
        &mut self,
        name: &str,
        shape: &[u32],
        numbers: Numbers,
        values: impl IntoIterator<Item = f32>,
    ) {
        let length = u32::try_from(name.len()).expect("short");
        self.numbers(&[u32::try_from(shape.len()).expect("few"), length, numbers as u32]);
        self.numbers(shape);
        self.bytes.extend(name.as_bytes());
        for value in values {
            match numbers {
                Numbers::F32 => self.bytes.extend(value.to_le_bytes()),
                Numbers::F16 => self.bytes.extend(half(value).to_le_bytes()),
            }
        }
    }
}

/// The nearest number of 16 bits, rounded towards 0; too small ones are 0.
#[expect(clippy::cast_possible_truncation, reason = "the upper bits of a float")]
fn half(value: f32) -> u16 {
    let bits = value.to_bits();
    let sign = (bits >> 16) as u16 & 0x8000;
    let exponent = i32::try_from((bits >> 23) & 0xff).expect("eight bits") - 127 + 15;
    match u16::try_from(exponent) {
        Ok(exponent @ 1..31) => sign | (exponent << 10) | ((bits >> 13) as u16 & 0x3ff),
        _ => sign,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_as_ieee_has_them() {
        let wanted = [(1.0, 0x3c00), (-2.0, 0xc000), (0.5, 0x3800), (0.1, 0x2e66), (0.0, 0)];
        for (value, bits) in wanted {
            assert_eq!(half(value), bits, "{value}");
        }
    }
}
