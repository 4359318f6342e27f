//! Text that looks like prose from a distance.
//!
//! Owns: a vocabulary of 16,384 words, used as often as words of their rank are in English (Zipf's law), in
//! sentences, lines and paragraphs.
//! Never: depends on anything but its seed.

use std::io::{self, Write};

use fastrand::Rng;

/// The most frequent words of English, in their order; the rarer ones are put together from syllables.
const COMMON: &str = "the of and to a in that it is was he for on as with his be at by I had not are but from or have an they which one you were her all she there would their we him been has when who will more no if out so said what up its about into than them can only other time new some could these two may then do first any my now such like our over man me even most made after also did many before must through years where much your way well down should because each just those people too how little state good very make world still own see men work long get here between both life being under never day same another know while last might us great old year off come since against go came right used take three himself few house use during without again place around however home small found thought went say part once high general upon school every don't does got united left number course war until always away something fact water less public put thing hand enough far look head asked find eyes night going seemed it's toward can't café naïve";

const OPENINGS: &[&str] = &[
    "", "b", "br", "c", "d", "f", "fl", "g", "h", "k", "l", "m", "n", "p", "pr", "r", "s", "st",
    "t", "tr", "v", "w",
];
const VOWELS: &[&str] = &["a", "e", "i", "o", "u", "ea", "ou", "ie", "ö"];
const ENDINGS: &[&str] = &["", "", "n", "r", "s", "l", "t", "nd", "ck", "m"];

/// Ranks double from one octave to the next; each octave is used equally often, which makes a word's share fall as
/// its rank grows.
const OCTAVES: u32 = 14;
const LINE_BYTES: usize = 80;

/// A writer of prose.
pub(super) struct Prose {
    random: Rng,
    vocabulary: Vec<String>,
    line: String,
}

impl Prose {
    /// The same prose for the same seed. All seeds share the vocabulary.
    pub(super) fn seeded(seed: u64) -> Self {
        Self { random: Rng::with_seed(seed), vocabulary: vocabulary(), line: String::new() }
    }

    /// Writes paragraphs until there are at least so many bytes.
    pub(super) fn write(mut self, bytes: u64, to: &mut impl Write) -> io::Result<()> {
        let mut written = 0;
        while written < bytes {
            for _ in 0..self.random.u32(3..9) {
                written += self.sentence(to)?;
            }
            written += self.end_line(to)?;
            to.write_all(b"\n")?;
            written += 1;
        }
        Ok(())
    }

    fn sentence(&mut self, to: &mut impl Write) -> io::Result<u64> {
        let words = self.random.u32(4..24);
        let mut written = 0;
        for index in 0..words {
            let mut word = self.word();
            if index == 0 {
                word = capitalised(&word);
            }
            if index + 1 == words {
                word.push_str([".", ".", ".", "?", "!"][self.random.usize(0..5)]);
            } else if self.random.u8(0..12) == 0 {
                word.push(',');
            }
            if self.line.len() + 1 + word.len() > LINE_BYTES {
                written += self.end_line(to)?;
            }
            if !self.line.is_empty() {
                self.line.push(' ');
            }
            self.line.push_str(&word);
        }
        Ok(written)
    }

    fn word(&mut self) -> String {
        let octave = 1_usize << self.random.u32(0..OCTAVES);
        self.vocabulary[octave - 1 + self.random.usize(0..octave)].clone()
    }

    fn end_line(&mut self, to: &mut impl Write) -> io::Result<u64> {
        self.line.push('\n');
        to.write_all(self.line.as_bytes())?;
        let written = self.line.len() as u64;
        self.line.clear();
        Ok(written)
    }
}

fn vocabulary() -> Vec<String> {
    let mut random = Rng::with_seed(0);
    let mut words: Vec<String> = COMMON.split(' ').map(String::from).collect();
    words.resize_with(1 << OCTAVES, || invented(&mut random));
    words
}

fn invented(random: &mut Rng) -> String {
    let mut pick = |from: &[&'static str]| from[random.usize(0..from.len())];
    let mut word = String::new();
    for _ in 0..2 {
        word += pick(OPENINGS);
        word += pick(VOWELS);
        word += pick(ENDINGS);
    }
    word
}

fn capitalised(word: &str) -> String {
    let mut characters = word.chars();
    let first = characters.next().map(|first| first.to_uppercase().collect::<String>());
    first.unwrap_or_default() + characters.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prose(seed: u64) -> String {
        let mut bytes = Vec::new();
        Prose::seeded(seed).write(100_000, &mut bytes).expect("memory takes everything");
        String::from_utf8(bytes).expect("prose is text")
    }

    #[test]
    fn the_same_seed_writes_the_same_and_another_does_not() {
        assert_eq!(prose(1), prose(1));
        assert_ne!(prose(1), prose(2));
    }

    #[test]
    fn lines_are_short_and_the_commonest_word_comes_most_often() {
        let text = prose(3);
        assert!(text.len() >= 100_000 && text.len() < 110_000);
        assert!(text.lines().all(|line| line.len() <= LINE_BYTES + 1), "a line is too long");
        let count = |wanted: &str| text.split_whitespace().filter(|word| *word == wanted).count();
        assert!(count("the") > count("of") && count("of") > count("people"));
    }
}
