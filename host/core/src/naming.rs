//! What the outputs of chunks are called where each becomes a file of its own.
//!
//! Owns: [`file_names`]: relative paths that stay inside their folder, no two alike.
//! Never: makes a folder.

use std::collections::{BTreeMap, BTreeSet};

use crate::job::{Slice, Source};

/// Longest part of a path, in bytes: file systems take 255, and a number may follow.
const PART_BYTES_MAX: usize = 230;
/// Longest path, in bytes: systems take 4,096 with the folder before it.
const PATH_BYTES_MAX: usize = 1024;
/// Deepest folder; what is deeper is joined into one name.
const DEPTH_MAX: usize = 32;

/// Names the output of each chunk after its source, with the number of the chunk within it where there are several.
///
/// `reserved` is no file's name. A name that is taken, or is a folder of another, gets `~2`, `~3` and so on.
pub fn file_names(sources: &[Source], chunks: &[Slice], reserved: &str) -> Vec<String> {
    let mut counts = vec![0_u32; sources.len()];
    for chunk in chunks {
        counts[chunk.source as usize] += 1;
    }
    let mut numbers = vec![0_u32; sources.len()];
    let mut taken = Taken::default();
    taken.files.insert(reserved.to_owned());
    let name = |chunk: &Slice| {
        let source = chunk.source as usize;
        let safe = safe(&sources[source].name);
        let wanted = match counts[source] {
            1 => safe,
            _ => format!("{safe}.{:05}", numbers[source]),
        };
        numbers[source] += 1;
        taken.take(&wanted)
    };
    chunks.iter().map(name).collect()
}

/// The same name without what leads elsewhere, steers a terminal, or is longer than a file system takes.
fn safe(name: &str) -> String {
    let parts = name.split('/').filter(|part| !matches!(*part, "" | "." | ".."));
    let parts: Vec<String> = parts.map(safe_part).collect();
    let bytes: usize = parts.iter().map(|part| part.len() + 1).sum();
    match parts.len() {
        0 => "output".to_owned(),
        1..=DEPTH_MAX if bytes <= PATH_BYTES_MAX => parts.join("/"),
        _ => shortened(&parts.join("_")).to_owned(),
    }
}

fn safe_part(part: &str) -> String {
    let plain = |character: char| if character.is_control() { '_' } else { character };
    shortened(&part.chars().map(plain).collect::<String>()).to_owned()
}

fn shortened(part: &str) -> &str {
    let end = (0..=PART_BYTES_MAX.min(part.len())).rev().find(|&end| part.is_char_boundary(end));
    &part[..end.unwrap_or(0)]
}

/// What stands in the folder already.
#[derive(Default)]
struct Taken {
    files: BTreeSet<String>,
    folders: BTreeSet<String>,
    /// The last number that a name got.
    numbers: BTreeMap<String, u32>,
}

impl Taken {
    fn take(&mut self, wanted: &str) -> String {
        let free = if self.is_free(wanted) { wanted.to_owned() } else { self.numbered(wanted) };
        self.folders.extend(folders(&free).map(str::to_owned));
        self.files.insert(free.clone());
        free
    }

    /// The name with the first number that makes it free; those tried before are taken for good.
    fn numbered(&mut self, wanted: &str) -> String {
        let flat = wanted.replace('/', "_");
        let flat = shortened(&flat).to_owned();
        let mut number = self.numbers.get(&flat).copied().unwrap_or(1);
        let free = loop {
            number += 1;
            let name = format!("{flat}~{number}");
            if self.is_free(&name) {
                break name;
            }
        };
        self.numbers.insert(flat, number);
        free
    }

    fn is_free(&self, name: &str) -> bool {
        !self.files.contains(name)
            && !self.folders.contains(name)
            && !folders(name).any(|folder| self.files.contains(folder))
    }
}

/// Every folder on the way to a file.
fn folders(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('/').map(|(at, _)| &name[..at])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::SourcePlace;

    /// Names for chunks of these sources, each with its number of chunks.
    fn named(sources: &[(&str, u32)]) -> Vec<String> {
        let place = || SourcePlace::Inline([].into());
        let source = |&(name, _): &(&str, u32)| Source {
            name: name.to_owned(),
            media_type: None,
            size: 0,
            place: place(),
        };
        let all: Vec<_> = sources.iter().map(source).collect();
        let chunks = (0..).zip(sources).flat_map(|(source, &(_, count))| {
            (0..count).map(move |_| Slice { source, start: 0, end: 0 })
        });
        file_names(&all, &chunks.collect::<Vec<_>>(), "manifest.json")
    }

    #[test]
    fn one_chunk_has_the_name_of_its_source_and_many_are_numbered() {
        let names = named(&[("a.txt", 1), ("in/b.txt", 2), ("empty", 0)]);
        assert_eq!(names, ["a.txt", "in/b.txt.00000", "in/b.txt.00001"]);
    }

    #[test]
    fn no_name_leads_out_of_the_folder() {
        let names = named(&[("/etc/passwd", 1), ("../../x", 1), ("..", 1), ("a\n\u{1b}[31m", 1)]);
        assert_eq!(names, ["etc/passwd", "x", "output", "a__[31m"]);
        let deep = named(&[(&"d/".repeat(100), 1), (&"ä".repeat(4000), 1)]);
        assert!(deep.iter().all(|name| !name.contains('/') && name.len() <= PART_BYTES_MAX));
    }

    #[test]
    fn no_two_names_are_alike_and_none_is_a_folder_of_another() {
        let names = named(&[("a", 1), ("/a", 1), ("./a", 1), ("a/b", 1), ("c/d", 1), ("c", 1)]);
        assert_eq!(names, ["a", "a~2", "a~3", "a_b~2", "c/d", "c~2"]);
        assert_eq!(named(&[("manifest.json", 1)]), ["manifest.json~2"]);
    }

    #[test]
    fn a_long_path_that_comes_twice_is_no_longer_than_a_file_system_takes() {
        let long = format!("{0}/{0}/{0}", "d".repeat(200));
        let longer = format!("{long}/{long}");
        for name in named(&[(&long, 1), (&long, 1), (&longer, 1), (&longer, 1)]) {
            assert!(name.len() <= PATH_BYTES_MAX, "{name}");
            assert!(name.split('/').all(|part| part.len() <= 255), "{name}");
        }
    }

    #[test]
    fn ten_thousand_sources_of_one_name_take_no_time() {
        let names = named(&vec![("same", 1); 10_000]);
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), 10_000);
    }
}
