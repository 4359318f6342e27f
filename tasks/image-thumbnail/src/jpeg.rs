//! What a JPEG file says of itself, found by walking over its markers.
//!
//! Owns: whether the file is whole, and the memory that decoding it takes.
//! Never: decodes. The decoder fills what is missing with grey, so this looks first.

use std::io::{self, BufRead, ErrorKind, Read};

use pframe_guest::Failure;

/// The most scans: each costs a walk over the whole image, and a file of a few bytes can ask for thousands.
const SCANS_MAX: u32 = 100;
/// Bytes of a coefficient, which an image of several scans keeps until its end.
const COEFFICIENT_BYTES: u64 = 2;

/// One colour of an image, and how finely it is sampled.
#[derive(Clone, Copy, Debug)]
struct Component {
    horizontal: u64,
    vertical: u64,
}

/// What the markers said.
#[derive(Debug, Default)]
pub(crate) struct Jpeg {
    width: u64,
    height: u64,
    components: Vec<Component>,
    is_progressive: bool,
    scans: u32,
}

impl Jpeg {
    /// Walks from the first marker to the last.
    pub(crate) fn scan(mut file: impl BufRead) -> Result<Self, Failure> {
        let mut jpeg = Self::default();
        let walked = jpeg.walk(&mut file);
        walked.map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => {
                Failure::invalid("is cut short: the file ends before the JPEG image does")
            }
            _ => error.into(),
        })?;
        if jpeg.components.is_empty() || jpeg.scans == 0 {
            return Err(Failure::invalid("is a JPEG file without an image"));
        }
        if jpeg.scans > SCANS_MAX {
            let scans = jpeg.scans;
            return Err(Failure::invalid(format!("has {scans} scans; at most {SCANS_MAX}")));
        }
        Ok(jpeg)
    }

    /// Bytes that decoding takes besides the file: the pixels, and with several scans all coefficients.
    pub(crate) fn decode_bytes(&self) -> u64 {
        let pixels = self.width * self.height;
        let channels = if self.components.len() == 1 { 1 } else { 3 };
        let is_kept = self.is_progressive || self.scans > 1;
        let coefficients = if is_kept { self.samples() * COEFFICIENT_BYTES } else { 0 };
        pixels * channels + coefficients
    }

    /// Samples of all components in whole blocks.
    fn samples(&self) -> u64 {
        let max = |of: fn(&Component) -> u64| self.components.iter().map(of).max().unwrap_or(1);
        let horizontal = max(|it| it.horizontal).max(1);
        let vertical = max(|it| it.vertical).max(1);
        let columns = self.width.div_ceil(8 * horizontal) * 8;
        let rows = self.height.div_ceil(8 * vertical) * 8;
        let share = |it: &Component| columns * it.horizontal * rows * it.vertical;
        self.components.iter().map(share).sum()
    }

    fn walk(&mut self, file: &mut impl BufRead) -> io::Result<()> {
        loop {
            match next_marker(file)? {
                0xd9 => return Ok(()),
                // Markers that stand alone: start of image, restarts, and one that is reserved.
                0x01 | 0xd0..=0xd8 => {}
                // A frame header: C4, C8 and CC are other things.
                marker @ (0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf) => {
                    self.read_frame(&segment(file)?)?;
                    self.is_progressive = !matches!(marker, 0xc0 | 0xc1);
                }
                marker => {
                    self.scans += u32::from(marker == 0xda);
                    segment(file)?;
                }
            }
        }
    }

    fn read_frame(&mut self, segment: &[u8]) -> io::Result<()> {
        let [_, high, low, wide, narrow, count, rest @ ..] = segment else {
            return Err(ErrorKind::UnexpectedEof.into());
        };
        self.height = u16::from_be_bytes([*high, *low]).into();
        self.width = u16::from_be_bytes([*wide, *narrow]).into();
        let component = |it: &[u8]| Component {
            horizontal: u64::from(it[1] >> 4),
            vertical: u64::from(it[1] & 15),
        };
        self.components = rest.chunks_exact(3).take((*count).into()).map(component).collect();
        Ok(())
    }
}

/// Passes over whatever comes before the next marker: the samples of a scan, mostly.
fn next_marker(file: &mut impl BufRead) -> io::Result<u8> {
    loop {
        if file.skip_until(0xff)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let mut marker = 0xff;
        while marker == 0xff {
            marker = byte(file)?;
        }
        if marker != 0 {
            return Ok(marker);
        }
    }
}

/// The content of a segment, at most 64 KiB.
fn segment(file: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let length = u16::from_be_bytes([byte(file)?, byte(file)?]);
    let mut content = vec![0; usize::from(length.saturating_sub(2))];
    file.read_exact(&mut content)?;
    Ok(content)
}

fn byte(file: &mut impl Read) -> io::Result<u8> {
    let mut byte = [0];
    file.read_exact(&mut byte)?;
    Ok(byte[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 100 x 50 pixels in three components, the first sampled twice as finely: two rows and columns of blocks in each unit.
    const FRAME: [u8; 15] = [8, 0, 50, 0, 100, 3, 1, 0x22, 0, 2, 0x11, 0, 3, 0x11, 0];

    fn file(frame_marker: u8, scans: usize, end: &[u8]) -> Vec<u8> {
        let mut file = vec![0xff, 0xd8, 0xff, frame_marker, 0, 17];
        file.extend(FRAME);
        for _ in 0..scans {
            file.extend([0xff, 0xda, 0, 3, 0, 1, 2, 0xff, 0, 3, 0xff, 0xd0, 4]);
        }
        file.extend(end);
        file
    }

    #[test]
    fn coefficients_are_kept_only_for_several_scans() {
        let bytes = |marker, scans| {
            let jpeg = Jpeg::scan(&file(marker, scans, &[0xff, 0xff, 0xd9])[..]);
            jpeg.unwrap().decode_bytes()
        };
        assert_eq!(bytes(0xc0, 1), 15_000);
        let samples = 112 * 64 * 3 / 2;
        assert_eq!(bytes(0xc0, 3), 15_000 + samples * 2);
        assert_eq!(bytes(0xc2, 1), 15_000 + samples * 2);
    }

    fn refusal(file: &[u8]) -> String {
        Jpeg::scan(file).unwrap_err().to_string()
    }

    #[test]
    fn what_is_not_whole_is_refused() {
        let whole = file(0xc0, 2, &[0xff, 0xd9]);
        for length in 0..whole.len() {
            assert!(refusal(&whole[..length]).starts_with("is cut short"), "{length}");
        }
        assert_eq!(refusal(&[0xff, 0xd8, 0xff, 0xd9]), "is a JPEG file without an image");
        assert_eq!(refusal(&file(0xc2, 101, &[0xff, 0xd9])), "has 101 scans; at most 100");
    }
}
