//! What a WebP file says of itself, found by walking over its chunks.
//!
//! Owns: whether the file is whole, and the memory that decoding it takes.
//! Never: decodes. The decoder allocates what a chunk claims to be, so this looks first.

use std::io::{self, Read, Seek, SeekFrom};

use pframe_guest::Failure;

/// Bytes of `RIFF`, a size and `WEBP`.
const FILE_HEADER_BYTES: u64 = 12;
const CHUNK_HEADER_BYTES: u64 = 8;

/// Passes over all chunks; returns the bytes for each pixel that decoding takes.
pub(crate) fn scan(file: &mut (impl Read + Seek), size: u64) -> Result<u64, Failure> {
    let mut kind = [0; 4];
    let mut at = FILE_HEADER_BYTES;
    let end = u64::from(header(file, 0)?.1) + CHUNK_HEADER_BYTES;
    while at + CHUNK_HEADER_BYTES <= end.min(size) {
        let (name, length) = header(file, at)?;
        if at == FILE_HEADER_BYTES {
            kind = name;
        }
        // Chunks begin at even places.
        at += CHUNK_HEADER_BYTES + u64::from(length).next_multiple_of(2);
    }
    // A last chunk of odd length may lack the byte that fills it up.
    if end > size + 1 || at > size + 1 {
        return Err(Failure::invalid("is cut short: the file ends before the WebP image does"));
    }
    file.rewind()?;
    Ok(bytes_per_pixel(kind))
}

fn header(file: &mut (impl Read + Seek), at: u64) -> io::Result<([u8; 4], u32)> {
    let mut header = [0; 8];
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(&mut header)?;
    let [name @ .., a, b, c, d] = header;
    Ok((name, u32::from_le_bytes([a, b, c, d])))
}

/// The frame in its own form beside the pixels: luma and chroma; red, green, blue and alpha; or all that together with
/// the canvas of an animation.
fn bytes_per_pixel(kind: [u8; 4]) -> u64 {
    match &kind {
        b"VP8 " => 5,
        b"VP8L" => 8,
        _ => 12,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn file(kind: &[u8], length: u32) -> Vec<u8> {
        let file =
            [b"RIFF", &(length + 12).to_le_bytes()[..], b"WEBP", kind, &length.to_le_bytes()];
        let mut file = file.concat();
        file.resize(file.len() + length as usize, 7);
        file
    }

    fn check(file: Vec<u8>, expect: Result<u64, &str>) {
        let size = file.len() as u64;
        let found = scan(&mut Cursor::new(file), size).map_err(|failure| failure.to_string());
        assert_eq!(
            found.as_ref().map_err(|message| &message[..12]),
            expect.as_ref().map_err(|it| *it)
        );
    }

    #[test]
    fn the_kind_says_how_much_memory_is_needed() {
        check(file(b"VP8 ", 10), Ok(5));
        check(file(b"VP8L", 11), Ok(8));
        check(file(b"VP8X", 10), Ok(12));
    }

    #[test]
    fn a_chunk_that_claims_more_than_the_file_is_refused() {
        let mut lying = file(b"VP8 ", 10);
        lying[16..20].copy_from_slice(&u32::MAX.to_le_bytes());
        check(lying, Err("is cut short"));
        let whole = file(b"VP8 ", 10);
        check(whole[..28].to_vec(), Err("is cut short"));
    }
}
