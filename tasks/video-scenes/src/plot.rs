//! The result as a drawing: for each video the differences over time with the cuts marked, and the histograms.
//!
//! Owns: what is where on the drawing, and its axes.
//! Never: grows with the length of a video: 900 columns of differences, 300 of histograms.

use std::fmt::Write as _;
use std::io::Write as _;

use pframe_guest::{Failure, Output, Partials};

use crate::heat_map::{HeatMap, SCALE_COLOURS, draw_scale};
use crate::parameters::Threshold;
use crate::record::{self, Seen, Step};
use crate::summary::Summary;
use crate::svg::{Anchor, Svg};

const WIDTH: u32 = 1000;
/// The height of the drawing of one video.
const HEIGHT: u32 = 600;
const LEFT: f64 = 70.0;
const PLOT_WIDTH: f64 = 900.0;
const COLUMNS_MAX: u64 = 900;
/// Upper and lower edge of the differences.
const DIFFERENCES: (f64, f64) = (98.0, 270.0);
/// Upper and lower edge of the histograms.
const HISTOGRAMS: (f64, f64) = (334.0, 542.0);
/// The least space between two marks, and between the times of two cuts: what comes sooner is not drawn.
const MARK_WIDTH: f64 = 3.0;
const LABEL_WIDTH: f64 = 64.0;
/// Distances of ticks in seconds; the first that makes few enough.
const TICKS: [f64; 20] = [
    0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0,
    1200.0, 1800.0, 3600.0, 7200.0,
];
const TICKS_MAX: f64 = 12.0;
const SCALE_SQUARE: f64 = 14.0;

const STYLE: &str = "text{font-family:'DejaVu Sans',Verdana,sans-serif;font-size:11px;fill:#333}\
.title{font-size:18px;font-weight:bold;fill:#111}.note{font-size:12px;fill:#555}.head{font-size:12px;font-weight:bold}\
.cut{fill:#b3261e;font-size:10px}path{shape-rendering:crispEdges}\
.edge{fill:none;stroke:#999}.grid{stroke:#e3e3e3}.tick{stroke:#999}\
.threshold{stroke:#555;stroke-dasharray:5 4}.mark{stroke:#b3261e;stroke-dasharray:3 2}";

/// Writes one drawing for all videos, one below the other.
pub(crate) fn write(
    parts: &Partials,
    summaries: &[Summary],
    threshold: Threshold,
    output: &mut Output,
) -> Result<(), Failure> {
    let height = u64::from(HEIGHT) * summaries.len() as u64;
    writeln!(
        output,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\">\n\
         <style>{STYLE}</style>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>"
    )?;
    let mut plots = summaries.iter().map(Plot::new);
    let mut open: Option<Plot> = None;
    let mut top = 0;
    let mut end = |plot: Option<Plot>, output: &mut Output| {
        let Some(plot) = plot else { return Ok(()) };
        let drawing = plot.draw(threshold);
        writeln!(output, "<g transform=\"translate(0 {top})\">\n{}</g>", drawing.as_str())?;
        top += u64::from(HEIGHT);
        Ok::<_, Failure>(())
    };
    record::each(parts, |step| {
        match step {
            Step::Video(_) => end(std::mem::replace(&mut open, plots.next()), output)?,
            Step::Frame(seen) => open.as_mut().into_iter().for_each(|plot| plot.add(seen)),
        }
        Ok(())
    })?;
    end(open, output)?;
    Ok(output.write_all(b"</svg>\n")?)
}

/// The drawing of one video.
struct Plot<'a> {
    summary: &'a Summary,
    /// The largest difference in each column, in pixels.
    differences: Vec<u32>,
    heat_map: HeatMap,
}

impl<'a> Plot<'a> {
    fn new(summary: &'a Summary) -> Self {
        let columns = usize::try_from(summary.frames.min(COLUMNS_MAX)).unwrap_or(1);
        Self { summary, differences: vec![0; columns], heat_map: HeatMap::new(summary) }
    }

    fn add(&mut self, seen: Seen<'_>) {
        let column = seen.number * self.differences.len() as u64 / self.summary.frames.max(1);
        let column = usize::try_from(column).ok().and_then(|it| self.differences.get_mut(it));
        if let Some(column) = column {
            *column = seen.difference.max(*column);
        }
        self.heat_map.add(self.summary, seen);
    }

    fn draw(&self, threshold: Threshold) -> Svg {
        let mut svg = Svg::default();
        self.draw_title(&mut svg, threshold);
        self.draw_differences(&mut svg, threshold);
        self.draw_cuts(&mut svg);
        self.draw_histograms(&mut svg);
        svg
    }

    fn draw_title(&self, svg: &mut Svg, threshold: Threshold) {
        let Summary { video, frames, cuts, .. } = self.summary;
        let stream = &video.stream;
        svg.text("title", (LEFT, 28.0), Anchor::Start, &format!("Scene cuts in {}", video.source));
        let cuts = match cuts.len() {
            1 => "1 cut".to_owned(),
            count => format!("{count} cuts"),
        };
        let note = format!(
            "{} × {} pixels, {} {}, {frames} frames, {cuts} above {}",
            stream.width,
            stream.height,
            decimal(stream.rate.time(1).recip()),
            "frames/s",
            threshold.number()
        );
        svg.text("note", (LEFT, 48.0), Anchor::Start, &note);
    }

    fn draw_differences(&self, svg: &mut Svg, threshold: Threshold) {
        let (top, bottom) = DIFFERENCES;
        let y = |share: f64| bottom - share * (bottom - top);
        let head = "Difference of each frame's luma histogram to the one before (0 alike, 1 nothing in common)";
        svg.text("head", (LEFT, 74.0), Anchor::Start, head);
        for quarter in 0..=4 {
            let share = f64::from(quarter) / 4.0;
            svg.line("grid", (LEFT, y(share)), (LEFT + PLOT_WIDTH, y(share)));
            svg.text("", (LEFT - 7.0, y(share) + 4.0), Anchor::End, &share.to_string());
        }
        svg.upward_text("", (24.0, f64::midpoint(top, bottom)), "difference");
        svg.shape("#4583b8", &self.area(y));
        svg.line(
            "threshold",
            (LEFT, y(threshold.number())),
            (LEFT + PLOT_WIDTH, y(threshold.number())),
        );
        self.draw_time(svg, DIFFERENCES);
    }

    /// The area below the differences.
    fn area(&self, y: impl Fn(f64) -> f64) -> String {
        let pixels = f64::from(self.summary.pixels());
        let columns = f64::from(u32::try_from(self.differences.len()).unwrap_or(u32::MAX));
        let mut path = format!("M{LEFT:.1} {:.1}", y(0.0));
        let mut right = LEFT;
        for difference in &self.differences {
            right += PLOT_WIDTH / columns;
            write!(path, "V{:.1}H{right:.1}", y(f64::from(*difference) / pixels))
                .expect("a string takes everything");
        }
        write!(path, "V{:.1}z", y(0.0)).expect("a string takes everything");
        path
    }

    fn draw_cuts(&self, svg: &mut Svg) {
        let (mut mark_from, mut label_from) = (0.0, 0.0);
        for cut in &self.summary.cuts {
            let time = self.summary.video.stream.rate.time(cut.frame);
            let x = self.x(time);
            if x >= mark_from {
                draw_mark(svg, x);
                mark_from = x + MARK_WIDTH;
            }
            if x >= label_from {
                let label = clock(time, self.summary.duration(), 2);
                svg.text("cut", (x, DIFFERENCES.0 - 7.0), Anchor::Middle, &label);
                label_from = x + LABEL_WIDTH;
            }
        }
    }

    fn draw_histograms(&self, svg: &mut Svg) {
        let (top, bottom) = HISTOGRAMS;
        let each = match self.heat_map.seconds_per_column() {
            1 => "each second".to_owned(),
            seconds => format!("every {seconds} seconds"),
        };
        svg.text("head", (LEFT, 322.0), Anchor::Start, &format!("Luma histogram of {each}"));
        draw_legend(svg);
        let size = (PLOT_WIDTH, bottom - top);
        self.heat_map.draw(svg, (LEFT, top), size, self.summary.duration());
        for luma in [0, 64, 128, 192, 256] {
            let y = bottom - f64::from(luma) / 256.0 * (bottom - top);
            svg.line("tick", (LEFT - 4.0, y), (LEFT, y));
            svg.text("", (LEFT - 7.0, y + 4.0), Anchor::End, &luma.to_string());
        }
        svg.upward_text("", (24.0, f64::midpoint(top, bottom)), "luma");
        self.draw_time(svg, HISTOGRAMS);
        let unit = if self.summary.duration() < 120.0 { "time (s)" } else { "time (min:s)" };
        svg.text("", (LEFT + PLOT_WIDTH / 2.0, bottom + 38.0), Anchor::Middle, unit);
    }

    /// The edge of a part and its ticks.
    fn draw_time(&self, svg: &mut Svg, (top, bottom): (f64, f64)) {
        svg.frame("edge", (LEFT, top), (PLOT_WIDTH, bottom - top));
        let duration = self.summary.duration();
        let is_wide = |step: &f64| duration / step <= TICKS_MAX;
        let step = TICKS.into_iter().find(is_wide).unwrap_or(duration / TICKS_MAX);
        let mut tick = 0;
        while f64::from(tick) * step <= duration {
            let time = f64::from(tick) * step;
            let x = self.x(time);
            svg.line("tick", (x, bottom), (x, bottom + 4.0));
            svg.text("", (x, bottom + 16.0), Anchor::Middle, &clock(time, duration, 2));
            tick += 1;
        }
    }

    fn x(&self, time: f64) -> f64 {
        LEFT + PLOT_WIDTH * time / self.summary.duration()
    }
}

/// A line across the differences with a triangle on top.
fn draw_mark(svg: &mut Svg, x: f64) {
    let (top, bottom) = DIFFERENCES;
    svg.line("mark", (x, top), (x, bottom));
    svg.shape("#b3261e", &format!("M{:.1} {:.1}h8l-4 7z", x - 4.0, top - 4.0));
}

/// What the colours of the histograms mean.
fn draw_legend(svg: &mut Svg) {
    let width = f64::from(SCALE_COLOURS) * SCALE_SQUARE;
    let left = LEFT + PLOT_WIDTH - width - 12.0;
    draw_scale(svg, (left, 302.0), (SCALE_SQUARE, 9.0));
    svg.frame("edge", (left, 302.0), (width, 9.0));
    svg.text("", (left - 12.0, 311.0), Anchor::End, "share of the pixels");
    let decade = f64::from(SCALE_COLOURS / 3) * SCALE_SQUARE;
    for (label, place) in [("0.1 %", 0.0), ("1 %", 1.0), ("10 %", 2.0), ("100 %", 3.0)] {
        svg.text("", (left + place * decade, 323.0), Anchor::Middle, label);
    }
}

/// A time: seconds in a short video, minutes and seconds in a long one.
fn clock(time: f64, duration: f64, decimals: usize) -> String {
    if duration < 120.0 {
        return decimal_of(time, decimals);
    }
    let minutes = (time / 60.0).floor();
    let seconds = decimal_of(time - minutes * 60.0, decimals);
    let is_short = seconds.split('.').next().is_some_and(|whole| whole.len() < 2);
    format!("{minutes}:{}{seconds}", if is_short { "0" } else { "" })
}

fn decimal(number: f64) -> String {
    decimal_of(number, 3)
}

/// So many decimals, without zeros at the end.
fn decimal_of(number: f64, decimals: usize) -> String {
    let text = format!("{number:.decimals$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short() {
        let check = |time, duration, expect| assert_eq!(clock(time, duration, 2), expect);
        check(2.0, 10.0, "2");
        check(2.04, 10.0, "2.04");
        check(62.5, 200.0, "1:02.5");
        check(600.0, 700.0, "10:00");
        check(4210.0, 7200.0, "70:10");
        check(100.0, 119.0, "100");
    }
}
