//! How an image fits into a box.
//!
//! Owns: the part of the image that is seen, and the size that it gets.
//! Never: enlarges.

use crate::parameters::Fit;

/// A width and a height in pixels.
pub(crate) type Size = (u32, u32);

/// What is done to an image: a part of it is taken and scaled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// The left upper corner of the part.
    pub(crate) corner: (u32, u32),
    /// The size of the part.
    pub(crate) part: Size,
    /// The size that it gets; never larger.
    pub(crate) target: Size,
}

/// Plans for an image of any size but zero.
pub(crate) fn plan(image: Size, r#box: Size, fit: Fit) -> Plan {
    match fit {
        Fit::Contain => contain(image, r#box),
        Fit::Cover => cover(image, r#box),
    }
}

fn contain((width, height): Size, (box_width, box_height): Size) -> Plan {
    let target = if width <= box_width && height <= box_height {
        (width, height)
    } else if is_wider((width, height), (box_width, box_height)) {
        (box_width, share(height, box_width, width).min(box_height))
    } else {
        (share(width, box_height, height).min(box_width), box_height)
    };
    Plan { corner: (0, 0), part: (width, height), target }
}

/// The middle of the image, as much as fills the box. An image that is smaller than the box is only cropped.
fn cover((width, height): Size, (box_width, box_height): Size) -> Plan {
    let target = (width.min(box_width), height.min(box_height));
    let part = if target != (box_width, box_height) {
        target
    } else if is_wider((width, height), target) {
        (share(box_width, height, box_height).clamp(target.0, width), height)
    } else {
        (width, share(box_height, width, box_width).clamp(target.1, height))
    };
    let corner = ((width - part.0) / 2, (height - part.1) / 2);
    Plan { corner, part, target }
}

fn is_wider((width, height): Size, (other_width, other_height): Size) -> bool {
    u64::from(width) * u64::from(other_height) > u64::from(height) * u64::from(other_width)
}

/// `length` x `part` / `whole`, rounded to the nearest, and at least 1.
fn share(length: u32, part: u32, whole: u32) -> u32 {
    let product = u64::from(length) * u64::from(part) + u64::from(whole) / 2;
    u32::try_from(product / u64::from(whole)).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(image: Size, fit: Fit, corner: (u32, u32), part: Size, target: Size) {
        assert_eq!(plan(image, (256, 128), fit), Plan { corner, part, target }, "{image:?}");
    }

    #[test]
    fn contain_keeps_the_whole_image_and_its_shape() {
        let contain = |image, target| check(image, Fit::Contain, (0, 0), image, target);
        contain((100, 100), (100, 100));
        contain((256, 128), (256, 128));
        contain((1000, 1000), (128, 128));
        contain((1000, 100), (256, 26));
        contain((10, 1000), (1, 128));
        contain((65_535, 1), (256, 1));
    }

    #[test]
    fn cover_fills_the_box_from_the_middle() {
        check((1000, 1000), Fit::Cover, (0, 250), (1000, 500), (256, 128));
        check((1000, 200), Fit::Cover, (300, 0), (400, 200), (256, 128));
        check((512, 256), Fit::Cover, (0, 0), (512, 256), (256, 128));
        check((300, 200), Fit::Cover, (0, 25), (300, 150), (256, 128));
    }

    #[test]
    fn cover_does_not_enlarge() {
        check((100, 100), Fit::Cover, (0, 0), (100, 100), (100, 100));
        check((100, 1000), Fit::Cover, (0, 436), (100, 128), (100, 128));
        check((1000, 100), Fit::Cover, (372, 0), (256, 100), (256, 100));
    }
}
