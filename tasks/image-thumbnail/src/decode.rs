//! From a file to pixels.
//!
//! Owns: which decoder reads a file, and the order of the checks: the file whole, its size, its memory, then the pixels.
//! Never: allocates what a header claims before it was checked, or turns the pixels upright: a thumbnail is turned
//! faster.

use std::io::{Cursor, ErrorKind, Seek};

use image::codecs::jpeg::JpegDecoder;
use image::codecs::png::PngDecoder;
use image::codecs::webp::WebPDecoder;
use image::metadata::Orientation;
use image::{ColorType, ImageDecoder, ImageError, Limits};
use pframe_guest::Failure;

use crate::bounds::{check_memory, check_size};
use crate::chunk_file::ChunkFile;
use crate::jpeg::Jpeg;
use crate::parameters::{Format, Parameters};
use crate::picture::{Channels, Picture};
use crate::webp;

/// The most that the PNG decoder may keep besides the pixels: texts, a colour profile, some rows.
const PNG_EXTRA_BYTES_MAX: u64 = 16 << 20;
/// Enough of a file to know its format, and a PNG's size.
const HEAD_BYTES: u32 = 24;

/// An image as it lies in its file.
pub(crate) struct Image {
    pub(crate) picture: Picture,
    /// What turns it upright.
    pub(crate) orientation: Orientation,
}

impl Image {
    /// Width and height as people see it.
    pub(crate) fn upright_size(&self) -> (u32, u32) {
        let Picture { width, height, .. } = self.picture;
        if self.is_on_its_side() { (height, width) } else { (width, height) }
    }

    /// Whether turning it upright swaps width and height.
    pub(crate) fn is_on_its_side(&self) -> bool {
        matches!(
            self.orientation,
            Orientation::Rotate90
                | Orientation::Rotate270
                | Orientation::Rotate90FlipH
                | Orientation::Rotate270FlipH
        )
    }
}

/// Decodes a file in one of the three formats. Of an animation it takes the first image.
pub(crate) fn decode(mut file: ChunkFile<'_>, parameters: &Parameters) -> Result<Image, Failure> {
    let mib_max = parameters.decode_mib_max;
    let size = file.size();
    match &file.head(HEAD_BYTES)?[..] {
        [0xff, 0xd8, 0xff, ..] => {
            let jpeg = Jpeg::scan(&mut file)?;
            check_memory(jpeg.decode_bytes() + size, mib_max)?;
            file.rewind()?;
            read(JpegDecoder::new(file).map_err(refused)?)
        }
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => {
            let pixel_bytes = webp::scan(&mut file, size)?;
            let decoder = WebPDecoder::new(file).map_err(refused)?;
            let (width, height) = decoder.dimensions();
            check_size(width, height)?;
            let pixels = u64::from(width) * u64::from(height);
            check_memory(pixels * pixel_bytes + size, mib_max)?;
            read(decoder)
        }
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', header @ ..] => {
            check_png_size(header)?;
            let limits = png_limits();
            let decoder = PngDecoder::with_limits(file, limits).map_err(refused)?;
            check_memory(decoder.total_bytes() + PNG_EXTRA_BYTES_MAX, mib_max)?;
            read(decoder)
        }
        [] => Err(Failure::invalid("is empty")),
        _ => Err(Failure::invalid("is not a JPEG, PNG or WebP image")),
    }
}

/// Decodes a thumbnail that an earlier call made.
pub(crate) fn decode_thumbnail(bytes: &[u8], format: Format) -> Result<Picture, Failure> {
    let image = match format {
        Format::Jpeg => JpegDecoder::new(Cursor::new(bytes)).map_err(refused).and_then(read),
        Format::Png => PngDecoder::new(Cursor::new(bytes)).map_err(refused).and_then(read),
    };
    Ok(image?.picture)
}

/// The size stands at one place in every PNG file: after the length and the name of its first chunk.
fn check_png_size(header: &[u8]) -> Result<(), Failure> {
    match header {
        [_, _, _, _, b'I', b'H', b'D', b'R', size @ ..] if size.len() >= 8 => {
            let number =
                |at: usize| size[at..].first_chunk().map_or(0, |it| u32::from_be_bytes(*it));
            check_size(number(0), number(4))
        }
        _ => Err(Failure::invalid("is a PNG file without a header")),
    }
}

fn png_limits() -> Limits {
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(PNG_EXTRA_BYTES_MAX);
    limits
}

fn read(mut decoder: impl ImageDecoder) -> Result<Image, Failure> {
    let (width, height) = decoder.dimensions();
    check_size(width, height)?;
    // An orientation that cannot be read is none: the pixels are there all the same.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let color = decoder.color_type();
    let mut samples = room(decoder.total_bytes())?;
    decoder.read_image(&mut samples).map_err(refused)?;
    let samples = if color.bits_per_pixel() / 8 == u16::from(color.channel_count()) {
        samples
    } else {
        narrowed(samples)
    };
    let picture = Picture { width, height, channels: channels(color), samples };
    Ok(Image { picture, orientation })
}

/// Zeros, or a failure that says how many are too many for this sandbox.
fn room(bytes: u64) -> Result<Vec<u8>, Failure> {
    let too_many = || {
        Failure::permanent(format!(
            "{bytes} bytes of pixels do not fit into the sandbox: raise `limits.memory`"
        ))
    };
    let length = usize::try_from(bytes).map_err(|_| too_many())?;
    let mut samples = Vec::new();
    samples.try_reserve_exact(length).map_err(|_| too_many())?;
    samples.resize(length, 0);
    Ok(samples)
}

/// Samples of 16 bits become 8 bits, rounded to the nearest, in place.
fn narrowed(mut samples: Vec<u8>) -> Vec<u8> {
    let length = samples.len() / 2;
    for index in 0..length {
        let wide = u32::from(u16::from_ne_bytes([samples[2 * index], samples[2 * index + 1]]));
        samples[index] = u8::try_from((wide + 128) / 257).unwrap_or(u8::MAX);
    }
    samples.truncate(length);
    samples
}

fn channels(color: ColorType) -> Channels {
    match (color.has_color(), color.has_alpha()) {
        (false, false) => Channels::Grey,
        (false, true) => Channels::GreyAlpha,
        (true, false) => Channels::Colour,
        (true, true) => Channels::ColourAlpha,
    }
}

/// Trouble with reading stays what it is; everything else is the file's fault.
fn refused(error: ImageError) -> Failure {
    let error = match error {
        ImageError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => {
            return Failure::invalid("is cut short: the file ends before the image does");
        }
        ImageError::IoError(error) if error.kind() == ErrorKind::Other => return error.into(),
        error => error,
    };
    Failure::invalid(format!("cannot be decoded: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixteen_bits_are_rounded_to_eight() {
        let wide = [0_u16, 128, 129, 257, 65_535, 65_406].map(u16::to_ne_bytes).concat();
        assert_eq!(narrowed(wide), [0, 0, 1, 1, 255, 254]);
    }
}
