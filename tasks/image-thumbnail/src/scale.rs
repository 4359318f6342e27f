//! Makes a picture smaller.
//!
//! Owns: the filter: every pixel is the average of exactly the area that it covers, pixels at its edges counting for the
//! share of them that lies within. Colours count by their opacity, so nothing that is invisible shines through.
//! Never: rounds before the end. All sums are integers, so every machine makes the same bytes.
//!
//! In units of 1/target of a source pixel, source pixel `s` covers `s * target .. (s + 1) * target` and target pixel `t`
//! covers `t * source .. (t + 1) * source`; weights are the lengths that two such ranges share. A sum is at most
//! 255 * 255 * the pixels of the source, far below 2^64.

use crate::fit::Plan;
use crate::picture::{Channels, Picture};

/// The most samples of a pixel.
const CHANNELS_MAX: usize = 4;

/// Takes the part of the plan and scales it.
pub(crate) fn scale(picture: &Picture, plan: &Plan) -> Picture {
    let samples = match picture.channels {
        Channels::Grey => scaled::<1>(picture, plan),
        Channels::GreyAlpha => scaled::<2>(picture, plan),
        Channels::Colour => scaled::<3>(picture, plan),
        Channels::ColourAlpha => scaled::<CHANNELS_MAX>(picture, plan),
    };
    let (width, height) = plan.target;
    Picture { width, height, channels: picture.channels, samples }
}

fn scaled<const N: usize>(picture: &Picture, plan: &Plan) -> Vec<u8> {
    let (width, height) = (plan.part.0 as usize, plan.part.1 as usize);
    let (target_width, target_height) = (plan.target.0 as usize, plan.target.1 as usize);
    let area = (width * height) as u64;
    let mut samples = Vec::with_capacity(target_width * target_height * N);
    let mut row_sums = vec![[0; N]; target_width];
    let mut sums = vec![[0; N]; target_width];
    for y in 0..height {
        add_row(part_row::<N>(picture, plan, y), width, &mut row_sums);
        let (first, second) = weights(y, height, target_height);
        add(&mut sums, &row_sums, first);
        if (y + 1) * target_height >= (samples.len() / (target_width * N) + 1) * height {
            samples.extend(sums.iter().flat_map(|sum| averaged(*sum, area)));
            sums.fill([0; N]);
            add(&mut sums, &row_sums, second);
        }
    }
    samples
}

/// How much of source pixel `index` lies in the target pixel where it begins, and how much in the next one.
fn weights(index: usize, source: usize, target: usize) -> (u64, u64) {
    let (start, end) = (index * target, (index + 1) * target);
    let border = (start / source + 1) * source;
    ((end.min(border) - start) as u64, end.saturating_sub(border) as u64)
}

/// One row of the part, as samples.
fn part_row<'a, const N: usize>(picture: &'a Picture, plan: &Plan, y: usize) -> &'a [[u8; N]] {
    let row = (plan.corner.1 as usize + y) * picture.width as usize + plan.corner.0 as usize;
    let (pixels, _) = picture.samples.as_chunks::<N>();
    &pixels[row..row + plan.part.0 as usize]
}

/// The sums of one row: each pixel of the target over the stretch that it covers.
fn add_row<const N: usize>(row: &[[u8; N]], width: usize, sums: &mut [[u64; N]]) {
    let target = sums.len();
    let mut carried = [0; N];
    let mut x = 0;
    for (index, sum) in sums.iter_mut().enumerate() {
        *sum = carried;
        // Those that lie within as a whole, whose weight is the same.
        let whole_end = (index + 1) * width / target;
        let mut whole = [0; N];
        for pixel in &row[x..whole_end] {
            add_pixel(&mut whole, opacity_weighted(*pixel), 1);
        }
        add_pixel(sum, whole, target as u64);
        x = whole_end;
        carried = [0; N];
        if let Some(pixel) = row.get(x).filter(|_| x * target < (index + 1) * width) {
            let (first, second) = weights(x, width, target);
            add_pixel(sum, opacity_weighted(*pixel), first);
            add_pixel(&mut carried, opacity_weighted(*pixel), second);
            x += 1;
        }
    }
}

fn add<const N: usize>(sums: &mut [[u64; N]], row: &[[u64; N]], weight: u64) {
    for (sum, pixel) in sums.iter_mut().zip(row) {
        add_pixel(sum, *pixel, weight);
    }
}

fn add_pixel<const N: usize>(sum: &mut [u64; N], pixel: [u64; N], weight: u64) {
    for (sum, sample) in sum.iter_mut().zip(pixel) {
        *sum += sample * weight;
    }
}

/// The samples, colours multiplied by the opacity where there is one.
fn opacity_weighted<const N: usize>(pixel: [u8; N]) -> [u64; N] {
    let wide = pixel.map(u64::from);
    match N {
        2 | CHANNELS_MAX => {
            let alpha = wide[N - 1];
            let mut weighted = wide.map(|sample| sample * alpha);
            weighted[N - 1] = alpha;
            weighted
        }
        _ => wide,
    }
}

/// From sums over an area to samples, rounded to the nearest.
fn averaged<const N: usize>(sums: [u64; N], area: u64) -> [u8; N] {
    let divisor = match N {
        2 | CHANNELS_MAX => sums[N - 1],
        _ => area,
    };
    let mut samples = sums.map(|sum| rounded(sum, divisor));
    if N == 2 || N == CHANNELS_MAX {
        samples[N - 1] = rounded(sums[N - 1], area);
    }
    samples
}

fn rounded(sum: u64, divisor: u64) -> u8 {
    let quotient = (sum + divisor / 2).checked_div(divisor).unwrap_or(0);
    u8::try_from(quotient).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn channels(count: usize) -> Channels {
        [Channels::Grey, Channels::GreyAlpha, Channels::Colour, Channels::ColourAlpha][count - 1]
    }

    /// The length that two ranges share.
    fn shared(one: usize, one_length: usize, other: usize, other_length: usize) -> f64 {
        let start = (one * one_length).max(other * other_length);
        let end = ((one + 1) * one_length).min((other + 1) * other_length);
        u32::try_from(end.saturating_sub(start)).map_or(f64::NAN, f64::from)
    }

    /// The reference: the definition, pixel by pixel, in floats.
    fn reference(picture: &Picture, plan: &Plan, x: usize, y: usize) -> Vec<f64> {
        let count = picture.channels.count();
        let has_alpha = count.is_multiple_of(2);
        let mut sums = vec![0.0; count];
        let (mut weights, mut areas) = (0.0, 0.0);
        let (width, height) = (plan.part.0 as usize, plan.part.1 as usize);
        for source_y in 0..height {
            for source_x in 0..width {
                let at = (source_y + plan.corner.1 as usize) * picture.width as usize;
                let at = (at + source_x + plan.corner.0 as usize) * count;
                let pixel = &picture.samples[at..at + count];
                let area = shared(source_x, plan.target.0 as usize, x, width)
                    * shared(source_y, plan.target.1 as usize, y, height);
                let opacity = if has_alpha { f64::from(pixel[count - 1]) } else { 1.0 };
                for (sum, sample) in sums.iter_mut().zip(pixel) {
                    *sum += f64::from(*sample) * area * opacity;
                }
                weights += area * opacity;
                areas += area;
            }
        }
        for sum in &mut sums {
            *sum = if weights == 0.0 { 0.0 } else { *sum / weights };
        }
        if has_alpha {
            sums[count - 1] = weights / areas;
        }
        sums
    }

    /// A picture of up to 19 x 19 pixels, a part of it and a smaller size.
    fn cases() -> impl Strategy<Value = (Picture, Plan)> {
        let sample = prop_oneof![Just(0_u8), any::<u8>()];
        let samples = proptest::collection::vec(sample, 19 * 19 * CHANNELS_MAX);
        (1_usize..5, 1_u32..20, 1_u32..20, any::<[u32; 4]>(), samples).prop_map(
            |(count, width, height, [left, top, target_width, target_height], mut samples)| {
                samples.truncate((width * height) as usize * count);
                let corner = (left % width, top % height);
                let part = (width - corner.0, height - corner.1);
                let target = (target_width % part.0 + 1, target_height % part.1 + 1);
                let picture = Picture { width, height, channels: channels(count), samples };
                (picture, Plan { corner, part, target })
            },
        )
    }

    proptest! {
        #[test]
        fn every_pixel_is_the_average_of_its_area((picture, plan) in cases()) {
            let small = scale(&picture, &plan);
            let count = picture.channels.count();
            prop_assert_eq!(small.samples.len(), (plan.target.0 * plan.target.1) as usize * count);
            for (index, pixel) in small.samples.chunks(count).enumerate() {
                let (x, y) = (index % plan.target.0 as usize, index / plan.target.0 as usize);
                for (found, expect) in pixel.iter().zip(reference(&picture, &plan, x, y)) {
                    prop_assert!((f64::from(*found) - expect).abs() < 0.501, "{found} {expect}");
                }
            }
        }
    }

    #[test]
    fn what_is_not_scaled_stays_the_same() {
        let samples: Vec<u8> = (0..48).collect();
        let picture = Picture { width: 4, height: 4, channels: Channels::Colour, samples };
        let plan = Plan { corner: (0, 0), part: (4, 4), target: (4, 4) };
        assert_eq!(scale(&picture, &plan), picture);
    }
}
