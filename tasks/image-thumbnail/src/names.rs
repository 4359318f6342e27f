//! Names within an archive.
//!
//! Owns: that they are safe to unpack anywhere, and that no two are the same.
//! Never: depends on anything but the names that came before.

use std::collections::HashMap;

use crate::parameters::Format;

/// The longest name without its number and its ending: with both and a folder it fits into the 100 bytes of a tar header.
const STEM_BYTES_MAX: usize = 70;

/// The names given so far, in lower case, because some file systems take `A` and `a` for one. Each with the number that
/// the next file of this name gets.
#[derive(Debug, Default)]
pub(crate) struct Names {
    next: HashMap<String, u32>,
}

impl Names {
    /// A name for the thumbnail of a source.
    pub(crate) fn name(&mut self, source: &str, format: Format) -> String {
        let stem = safe_stem(source);
        let ending = match format {
            Format::Jpeg => "jpg",
            Format::Png => "png",
        };
        format!("{}.{ending}", self.unique(&stem))
    }

    /// The stem itself, or with the first number that is free.
    fn unique(&mut self, stem: &str) -> String {
        let lower = stem.to_lowercase();
        let mut number = self.next.get(&lower).copied().unwrap_or(1);
        let mut name = numbered(stem, number);
        while self.next.contains_key(&name.to_lowercase()) {
            number += 1;
            name = numbered(stem, number);
        }
        self.next.insert(name.to_lowercase(), 2);
        self.next.insert(lower, number + 1);
        name
    }
}

fn numbered(stem: &str, number: u32) -> String {
    if number == 1 { stem.to_owned() } else { format!("{stem}-{number}") }
}

/// The last part of a name without its ending, with `_` for everything that a file system might not like.
fn safe_stem(source: &str) -> String {
    let file = source.rsplit(['/', '\\']).next().unwrap_or_default();
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let is_unsafe = |it: char| it.is_control() || r#"<>:"/\|?*"#.contains(it);
    let safe: String = stem.chars().map(|it| if is_unsafe(it) { '_' } else { it }).collect();
    let safe = safe[..safe.floor_char_boundary(STEM_BYTES_MAX)].trim_matches(['.', ' ', '-']);
    if safe.is_empty() { "image".into() } else { safe.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(sources: &[&str]) -> Vec<String> {
        let mut names = Names::default();
        sources.iter().map(|source| names.name(source, Format::Jpeg)).collect()
    }

    #[test]
    fn names_are_safe() {
        let sources = ["a/b.png", "../../etc/passwd", "..", "", "C:\\x\\y.jpeg", "a\nb\u{7}.webp"];
        let expect = ["b.jpg", "passwd.jpg", "image.jpg", "image-2.jpg", "y.jpg", "a_b_.jpg"];
        assert_eq!(names(&sources), expect);
        assert_eq!(
            names(&["-rf.png", ".hidden.jpg", "a:b?.jpg"]),
            ["rf.jpg", "hidden.jpg", "a_b_.jpg"]
        );
    }

    #[test]
    fn collisions_are_numbered() {
        let sources = ["x/a.jpg", "y/a.png", "A.webp", "a-2.jpg", "a-2.png", "z/a.jpg"];
        let expect = ["a.jpg", "a-2.jpg", "A-3.jpg", "a-2-2.jpg", "a-2-3.jpg", "a-4.jpg"];
        assert_eq!(names(&sources), expect);
    }

    #[test]
    fn many_equal_names_do_not_take_long() {
        let sources = vec!["x/image.jpg"; 100_000];
        assert_eq!(names(&sources).last().map(String::as_str), Some("image-100000.jpg"));
    }

    #[test]
    fn long_names_end_between_characters() {
        let long = "é".repeat(100);
        assert_eq!(names(&[&long])[0], format!("{}.jpg", "é".repeat(35)));
    }
}
