//! The first line of a Y4M file.
//!
//! Owns: what it says, and how large frames and their luma are for it.
//! Never: guesses a size or a rate that is not stated.

use pframe_guest::Failure;

use crate::bytes::{self, Bytes};

/// What every Y4M file begins with.
const MAGIC: &[u8] = b"YUV4MPEG2";
/// The longest header. Those of ffmpeg and the MJPEG tools stay below 300 bytes.
const LINE_BYTES_MAX: u32 = 4096;
/// The longest side in pixels: the luma of a frame fits into 32 bits.
const SIDE_MAX: u32 = 32_768;

/// What the first line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stream {
    /// The line itself.
    pub(crate) line: String,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) rate: Rate,
    pub(crate) interlacing: &'static str,
    /// As it is written, without the `C`.
    pub(crate) colour_space: String,
    chroma: Chroma,
}

/// Frames per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    pub(crate) frames: u32,
    pub(crate) seconds: u32,
}

impl Rate {
    /// The second in which a frame begins.
    pub(crate) fn second(self, frame: u64) -> u64 {
        let seconds = u128::from(frame) * u128::from(self.seconds) / u128::from(self.frames);
        u64::try_from(seconds).unwrap_or(u64::MAX)
    }

    /// When a frame begins, in seconds.
    #[expect(clippy::cast_precision_loss, reason = "exact below 2^53 frames")]
    pub(crate) fn time(self, frame: u64) -> f64 {
        frame as f64 * f64::from(self.seconds) / f64::from(self.frames)
    }
}

/// What follows the luma in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chroma {
    /// Two planes, each side divided by these, rounded up.
    Planes(u32, u32),
    /// Two planes as large as the luma, and one more of transparency.
    FullWithAlpha,
    /// Nothing.
    None,
}

impl Stream {
    /// Reads the header at the start; `None` where there is none.
    pub(crate) fn read(bytes: &impl Bytes) -> Result<Option<Self>, Failure> {
        let magic = u32::try_from(MAGIC.len()).unwrap_or_default();
        if bytes::piece(bytes, 0, magic)? != MAGIC {
            return Ok(None);
        }
        let line = bytes::line(bytes, 0, LINE_BYTES_MAX)?.ok_or_else(|| {
            Failure::invalid(format!("the Y4M header does not end within {LINE_BYTES_MAX} bytes"))
        })?;
        Self::parse(&String::from_utf8_lossy(&line)).map(Some).map_err(Failure::invalid)
    }

    /// Parses the line.
    pub(crate) fn parse(line: &str) -> Result<Self, String> {
        let field = |letter| line.split(' ').skip(1).find_map(|it| it.strip_prefix::<char>(letter));
        let colour_space = field('C').unwrap_or("420jpeg");
        Ok(Self {
            line: line.to_owned(),
            width: side("width", 'W', field('W'))?,
            height: side("height", 'H', field('H'))?,
            rate: rate(field('F'))?,
            interlacing: interlacing(field('I')),
            colour_space: colour_space.to_owned(),
            chroma: chroma(colour_space)?,
        })
    }

    /// Where the first frame begins.
    pub(crate) fn header_bytes(&self) -> u64 {
        self.line.len() as u64 + 1
    }

    /// Bytes of the luma of a frame: the first ones after its line.
    pub(crate) fn luma_bytes(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    /// Bytes of a frame after its line.
    pub(crate) fn frame_bytes(&self) -> u64 {
        let luma = self.luma_bytes();
        match self.chroma {
            Chroma::None => luma,
            Chroma::FullWithAlpha => 4 * luma,
            Chroma::Planes(across, down) => {
                let columns = u64::from(self.width.div_ceil(across));
                luma + 2 * columns * u64::from(self.height.div_ceil(down))
            }
        }
    }
}

fn side(name: &str, letter: char, text: Option<&str>) -> Result<u32, String> {
    let text = text.ok_or_else(|| format!("the Y4M header has no {name} (`{letter}`)"))?;
    let pixels = text.parse().ok().filter(|pixels| (1..=SIDE_MAX).contains(pixels));
    pixels.ok_or_else(|| format!("the {name} `{text}` is not between 1 and {SIDE_MAX} pixels"))
}

fn rate(text: Option<&str>) -> Result<Rate, String> {
    let text = text.ok_or("the Y4M header has no frame rate (`F`)")?;
    let parse = |part: &str| part.parse().ok().filter(|number| *number > 0);
    let parts = text.split_once(':').and_then(|(one, two)| parse(one).zip(parse(two)));
    let (frames, seconds) = parts.ok_or_else(|| format!("the frame rate `{text}` is unknown"))?;
    Ok(Rate { frames, seconds })
}

fn interlacing(text: Option<&str>) -> &'static str {
    match text {
        Some("p") => "progressive",
        Some("t") => "top-field-first",
        Some("b") => "bottom-field-first",
        Some("m") => "mixed",
        Some(_) | None => "unknown",
    }
}

fn chroma(colour_space: &str) -> Result<Chroma, String> {
    match colour_space {
        "420" | "420jpeg" | "420mpeg2" | "420paldv" => Ok(Chroma::Planes(2, 2)),
        "411" => Ok(Chroma::Planes(4, 1)),
        "422" => Ok(Chroma::Planes(2, 1)),
        "444" => Ok(Chroma::Planes(1, 1)),
        "444alpha" => Ok(Chroma::FullWithAlpha),
        "mono" => Ok(Chroma::None),
        other => Err(format!(
            "the colour space `{other}` is not supported: samples have 8 bits, in 420, 411, 422, 444 or mono"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_as_large_as_their_colour_space_says() {
        let check = |colour_space, expect| {
            let stream = Stream::parse(&format!("YUV4MPEG2 W5 H3 F25:1 C{colour_space}")).unwrap();
            assert_eq!((stream.luma_bytes(), stream.frame_bytes()), (15, expect), "{colour_space}");
        };
        check("420mpeg2", 15 + 2 * 3 * 2);
        check("411", 15 + 2 * 2 * 3);
        check("422", 15 + 2 * 3 * 3);
        check("444", 45);
        check("444alpha", 60);
        check("mono", 15);
    }

    #[test]
    fn what_is_not_stated_has_its_usual_meaning() {
        let stream = Stream::parse("YUV4MPEG2 W4 H2 F30000:1001").unwrap();
        assert_eq!((&*stream.colour_space, stream.interlacing), ("420jpeg", "unknown"));
        let seconds = [29, 30, 59, 60, 1_000_000_000].map(|frame| stream.rate.second(frame));
        assert_eq!(seconds, [0, 1, 1, 2, 33_366_666]);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let check = |fields: &str, expect: &str| {
            let message = Stream::parse(&format!("YUV4MPEG2 {fields}")).unwrap_err();
            assert!(message.starts_with(expect), "{message}");
        };
        check("H2 F25:1", "the Y4M header has no width (`W`)");
        check("W0 H2 F25:1", "the width `0` is not between 1 and 32768 pixels");
        check("W2 H99999 F25:1", "the height `99999` is not between 1 and 32768");
        check("W2 H2", "the Y4M header has no frame rate (`F`)");
        check("W2 H2 F0:0", "the frame rate `0:0` is unknown");
        check("W2 H2 F25:1 C420p10", "the colour space `420p10` is not supported");
        check("W2 H2 F25:1 Cmono16", "the colour space `mono16` is not supported");
    }
}
