//! Splits text that is not plain ASCII into words, whatever the pieces it comes in.
//!
//! Owns: the definition of a word, character by character, and the word that is not finished yet.
//! Never: holds more than one word and three bytes.

use crate::table::Table;

/// The bytes of a word that is not finished, and what may still become part of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Splitter {
    word: Vec<u8>,
    /// An apostrophe came after the word: inner, if a further character of the word follows.
    apostrophe: bool,
    /// The first bytes of a character whose last bytes have not come yet.
    unfinished: Vec<u8>,
}

impl Splitter {
    /// Takes the next piece of text.
    pub(crate) fn feed(&mut self, piece: &[u8], table: &mut Table) {
        if self.unfinished.is_empty() {
            self.take(piece, table);
        } else {
            let mut joined = std::mem::take(&mut self.unfinished);
            joined.extend_from_slice(piece);
            self.take(&joined, table);
        }
    }

    /// Ends the text: what is unfinished is a word, or nothing.
    pub(crate) fn end(&mut self, table: &mut Table) {
        self.unfinished.clear();
        self.separate(table);
    }

    fn take(&mut self, bytes: &[u8], table: &mut Table) {
        let mut rest = bytes;
        loop {
            match std::str::from_utf8(rest) {
                Ok(text) => return self.text(text, table),
                Err(error) => {
                    let (valid, after) = rest.split_at(error.valid_up_to());
                    // `from_utf8` vouches for these bytes; the empty text is never used.
                    self.text(std::str::from_utf8(valid).unwrap_or_default(), table);
                    let Some(length) = error.error_len() else {
                        self.unfinished = after.to_vec();
                        return;
                    };
                    self.separate(table);
                    rest = &after[length..];
                }
            }
        }
    }

    fn text(&mut self, text: &str, table: &mut Table) {
        for character in text.chars() {
            match character {
                '\'' | '\u{2019}' => self.apostrophe(table),
                _ if character.is_alphanumeric() => self.letter(character),
                _ => self.separate(table),
            }
        }
    }

    fn letter(&mut self, character: char) {
        if std::mem::take(&mut self.apostrophe) {
            self.word.push(b'\'');
        }
        for lower in character.to_lowercase() {
            self.word.extend_from_slice(lower.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }

    /// One apostrophe after a character may be inner; a second one, or one before any character, separates.
    fn apostrophe(&mut self, table: &mut Table) {
        if self.apostrophe || self.word.is_empty() {
            self.separate(table);
        } else {
            self.apostrophe = true;
        }
    }

    fn separate(&mut self, table: &mut Table) {
        self.apostrophe = false;
        if !self.word.is_empty() {
            table.add(&self.word, 1);
            self.word.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words of a text, whole and byte by byte, which must agree.
    fn check(text: impl AsRef<[u8]>, expect: &[&str]) {
        let text = text.as_ref();
        for piece in [text.len().max(1), 1, 2, 3] {
            let mut table = Table::default();
            let mut splitter = Splitter::default();
            for piece in text.chunks(piece) {
                splitter.feed(piece, &mut table);
            }
            splitter.end(&mut table);
            let mut words = Vec::new();
            table.each_sorted(|word, _| {
                words.push(String::from_utf8_lossy(word.bytes()).into_owned());
            });
            assert_eq!(words, expect, "in pieces of {piece}");
        }
    }

    #[test]
    fn words_are_runs_of_letters_and_digits() {
        check("Über 42 straße, naïve—ÉTÉ", &["42", "naïve", "straße", "été", "über"]);
        check("日本語、中文", &["中文", "日本語"]);
        check("", &[]);
    }

    #[test]
    fn an_apostrophe_is_part_of_a_word_only_inside_it() {
        check(
            "don't don’t 'tis dogs' rock''n''roll",
            &["dogs", "don't", "n", "rock", "roll", "tis"],
        );
        check("'' ' ’", &[]);
    }

    #[test]
    fn bytes_that_are_not_utf8_separate() {
        check(b"ab\xffcd \xc3\x28ef gh\xe2\x80", &["ab", "cd", "ef", "gh"]);
        check(b"o'\xffclock", &["clock", "o"]);
    }
}
