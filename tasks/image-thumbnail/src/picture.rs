//! Pixels in memory.
//!
//! Owns: the one form that every image has between decoding and encoding: 8 bits for each sample, no padding.
//! Never: knows a file format.

use crate::parameters::Colour;

/// How many samples a pixel has, and which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channels {
    /// Grey.
    Grey,
    /// Grey and alpha.
    GreyAlpha,
    /// Red, green, blue.
    Colour,
    /// Red, green, blue and alpha.
    ColourAlpha,
}

impl Channels {
    /// Samples of a pixel.
    pub(crate) fn count(self) -> usize {
        match self {
            Self::Grey => 1,
            Self::GreyAlpha => 2,
            Self::Colour => 3,
            Self::ColourAlpha => 4,
        }
    }

    fn split(self, pixel: &[u8]) -> ([u8; 3], u8) {
        match (self, pixel) {
            (Self::Grey, &[grey, ..]) => ([grey; 3], 255),
            (Self::GreyAlpha, &[grey, alpha, ..]) => ([grey; 3], alpha),
            (Self::Colour, &[red, green, blue, ..]) => ([red, green, blue], 255),
            (Self::ColourAlpha, &[red, green, blue, alpha, ..]) => ([red, green, blue], alpha),
            _ => ([0; 3], 0),
        }
    }
}

/// Pixels, row by row from the top left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Picture {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) channels: Channels,
    pub(crate) samples: Vec<u8>,
}

impl Picture {
    /// Red, green and blue of every pixel over a background.
    pub(crate) fn opaque(&self, background: Colour) -> Vec<u8> {
        let pixels = self.samples.chunks_exact(self.channels.count());
        let over = |pixel| {
            let (colour, alpha) = self.channels.split(pixel);
            [0, 1, 2].map(|index: usize| mix(colour[index], background.0[index], alpha))
        };
        pixels.flat_map(over).collect()
    }

    /// Red, green, blue and alpha of every pixel.
    pub(crate) fn with_alpha(&self) -> Vec<u8> {
        let pixels = self.samples.chunks_exact(self.channels.count());
        let four = |pixel| {
            let ([red, green, blue], alpha) = self.channels.split(pixel);
            [red, green, blue, alpha]
        };
        pixels.flat_map(four).collect()
    }
}

/// `front` over `back`, rounded to the nearest.
fn mix(front: u8, back: u8, alpha: u8) -> u8 {
    let alpha = u32::from(alpha);
    let sum = u32::from(front) * alpha + u32::from(back) * (255 - alpha);
    u8::try_from((sum + 127) / 255).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transparent_pixels_show_the_background() {
        let samples = vec![10, 255, 10, 0, 10, 128];
        let picture = Picture { width: 3, height: 1, channels: Channels::GreyAlpha, samples };
        let opaque = picture.opaque(Colour([255, 1, 10]));
        assert_eq!(opaque, [10, 10, 10, 255, 1, 10, 132, 6, 10]);
        assert_eq!(picture.with_alpha()[8..], [10, 10, 10, 128]);
    }
}
