//! From an image to a thumbnail.
//!
//! Owns: the order of the steps: scale, turn upright, put on a background, encode.
//! Never: writes anything of the original but pixels: no place, no camera, no name.

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::{DynamicImage, ExtendedColorType, ImageEncoder, ImageResult, RgbImage, RgbaImage};
use pframe_guest::Failure;

use crate::decode::Image;
use crate::fit::{Size, plan};
use crate::parameters::{Format, Parameters, Quality};
use crate::picture::{Channels, Picture};
use crate::scale::scale;

/// A thumbnail as a file in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Thumbnail {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) format: Format,
    pub(crate) bytes: Vec<u8>,
}

/// Makes a thumbnail as the parameters say.
pub(crate) fn make(image: &Image, parameters: &Parameters) -> Result<Thumbnail, Failure> {
    let upright_box = (parameters.width.pixels(), parameters.height.pixels());
    let picture = &image.picture;
    let r#box = if image.is_on_its_side() { swapped(upright_box) } else { upright_box };
    let small = scale(picture, &plan((picture.width, picture.height), r#box, parameters.fit));
    let mut pixels = match (parameters.format, small.channels) {
        (Format::Png, Channels::GreyAlpha | Channels::ColourAlpha) => transparent(&small),
        (Format::Png, Channels::Grey | Channels::Colour) | (Format::Jpeg, _) => {
            opaque(&small, parameters)
        }
    };
    pixels.apply_orientation(image.orientation);
    encode(&pixels, parameters)
}

/// Encodes red, green and blue as a JPEG.
pub(crate) fn encode_jpeg(
    pixels: &[u8],
    (width, height): Size,
    quality: Quality,
) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut bytes, quality.number());
    encoded(encoder.write_image(pixels, width, height, ExtendedColorType::Rgb8))?;
    Ok(bytes)
}

fn encode(pixels: &DynamicImage, parameters: &Parameters) -> Result<Thumbnail, Failure> {
    let (width, height) = (pixels.width(), pixels.height());
    let bytes = match parameters.format {
        Format::Jpeg => encode_jpeg(pixels.as_bytes(), (width, height), parameters.quality)?,
        Format::Png => {
            let mut bytes = Vec::new();
            let color = pixels.color().into();
            let encoder = PngEncoder::new(&mut bytes);
            encoded(encoder.write_image(pixels.as_bytes(), width, height, color))?;
            bytes
        }
    };
    Ok(Thumbnail { width, height, format: parameters.format, bytes })
}

fn opaque(small: &Picture, parameters: &Parameters) -> DynamicImage {
    let pixels = small.opaque(parameters.background);
    let pixels = RgbImage::from_raw(small.width, small.height, pixels);
    pixels.expect("three samples for each pixel").into()
}

fn transparent(small: &Picture) -> DynamicImage {
    let pixels = RgbaImage::from_raw(small.width, small.height, small.with_alpha());
    pixels.expect("four samples for each pixel").into()
}

fn swapped((width, height): Size) -> Size {
    (height, width)
}

/// Writing into memory does not fail, and a thumbnail is within what both formats can hold.
fn encoded(outcome: ImageResult<()>) -> Result<(), Failure> {
    outcome.map_err(|error| Failure::permanent(format!("a thumbnail cannot be encoded: {error}")))
}
