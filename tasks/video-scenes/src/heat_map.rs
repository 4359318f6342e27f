//! The histograms of a video over time, as a map of colours.
//!
//! Owns: the columns, and the scale: a quarter of a decade for each colour.
//! Never: has more than 300 columns, however long the video is.

use crate::frame::{BINS, Frame};
use crate::record::Seen;
use crate::summary::Summary;
use crate::svg::{Svg, rectangle};

const COLUMNS_MAX: u64 = 300;
/// A share of at least so many of 100,000 pixels has the first colour, the second, …
const SHARES: [u64; 12] =
    [100, 178, 316, 562, 1_000, 1_778, 3_162, 5_623, 10_000, 17_783, 31_623, 56_234];
/// From hardly any to nearly all pixels: blues, light to dark, told apart in grey too.
const COLOURS: [&str; 12] = [
    "#edf3fa", "#dbe8f4", "#c8dcee", "#b2cee6", "#98bedd", "#7cacd2", "#5f98c6", "#4583b8",
    "#306da7", "#1f5794", "#12417c", "#082b5c",
];

/// The histograms of all columns.
#[derive(Debug)]
pub(crate) struct HeatMap {
    seconds_per_column: u64,
    columns: Vec<Column>,
}

#[derive(Clone, Debug)]
struct Column {
    bins: [u64; BINS],
    pixels: u64,
}

impl HeatMap {
    /// Columns for a video of so many frames.
    pub(crate) fn new(summary: &Summary) -> Self {
        let seconds = summary.video.stream.rate.second(summary.frames.saturating_sub(1)) + 1;
        let seconds_per_column = seconds.div_ceil(COLUMNS_MAX);
        let columns = usize::try_from(seconds.div_ceil(seconds_per_column)).unwrap_or(1);
        Self { seconds_per_column, columns: vec![Column { bins: [0; BINS], pixels: 0 }; columns] }
    }

    /// How many seconds a column stands for.
    pub(crate) fn seconds_per_column(&self) -> u64 {
        self.seconds_per_column
    }

    /// Adds a frame.
    pub(crate) fn add(&mut self, summary: &Summary, seen: Seen<'_>) {
        let column = summary.video.stream.rate.second(seen.number) / self.seconds_per_column;
        let column = usize::try_from(column).ok().and_then(|index| self.columns.get_mut(index));
        if let Some(column) = column {
            column.add(seen.frame);
        }
    }

    /// Draws the map; `seconds` is what its width stands for.
    pub(crate) fn draw(&self, svg: &mut Svg, corner: (f64, f64), size: (f64, f64), seconds: f64) {
        let mut paths = [const { String::new() }; COLOURS.len()];
        let mut left = 0.0;
        let mut end = 0;
        for column in &self.columns {
            end += self.seconds_per_column;
            let right = (size.0 * number(end) / seconds).min(size.0);
            let across = (corner.0 + left, right - left);
            column.draw(&mut paths, across, corner.1, size.1);
            left = right;
        }
        for (colour, path) in COLOURS.iter().zip(&paths).filter(|(_, path)| !path.is_empty()) {
            svg.shape(colour, path);
        }
    }
}

/// Draws the scale: one square for each colour, so many pixels wide.
pub(crate) fn draw_scale(svg: &mut Svg, (x, y): (f64, f64), (width, height): (f64, f64)) {
    let mut left = x;
    for colour in COLOURS {
        let mut path = String::new();
        rectangle(&mut path, (left, y), (width, height));
        svg.shape(colour, &path);
        left += width;
    }
}

/// How many colours the scale has.
pub(crate) const SCALE_COLOURS: u32 = 12;

impl Column {
    fn add(&mut self, frame: &Frame) {
        for (sum, bin) in self.bins.iter_mut().zip(frame.bins) {
            *sum += u64::from(bin);
            self.pixels += u64::from(bin);
        }
    }

    /// Neighbouring bins of one colour are one rectangle.
    fn draw(&self, paths: &mut [String], (x, width): (f64, f64), top: f64, height: f64) {
        let bin_height = height / number(BINS as u64);
        let colours: Vec<_> = self.bins.iter().map(|bin| self.colour(*bin)).collect();
        let mut bin = 0;
        for run in colours.chunk_by(|one, two| one == two) {
            bin += run.len() as u64;
            if let Some(colour) = run[0] {
                let y = top + height - bin_height * number(bin);
                rectangle(
                    &mut paths[colour],
                    (x, y),
                    (width, bin_height * number(run.len() as u64)),
                );
            }
        }
    }

    /// The last colour that the share reaches; `None` where it is next to nothing.
    fn colour(&self, bin: u64) -> Option<usize> {
        let share = u128::from(bin) * 100_000;
        SHARES
            .iter()
            .rposition(|least| share > 0 && share >= u128::from(*least) * u128::from(self.pixels))
    }
}

#[expect(clippy::cast_precision_loss, reason = "a place on a drawing")]
fn number(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_of_a_decade_is_a_colour() {
        let column = Column { bins: [0; BINS], pixels: 100_000 };
        let colours = [0, 99, 100, 177, 178, 1_000, 99_999, 100_000].map(|bin| column.colour(bin));
        let expect = [None, None, Some(0), Some(0), Some(1), Some(4), Some(11), Some(11)];
        assert_eq!(colours, expect);
    }
}
