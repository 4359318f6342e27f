//! Pieces of SVG.
//!
//! Owns: how text, lines and shapes are written, and that no name breaks out of its text.
//! Never: knows what is drawn.

use std::fmt::Write;

/// Where a text is anchored.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

impl Anchor {
    fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Middle => "middle",
            Self::End => "end",
        }
    }
}

/// SVG that grows.
#[derive(Debug, Default)]
pub(crate) struct Svg {
    text: String,
}

impl Svg {
    /// What was drawn.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// A text of a class, with its anchor on the baseline.
    pub(crate) fn text(&mut self, class: &str, at: (f64, f64), anchor: Anchor, text: &str) {
        let ((x, y), anchor, text) = (at, anchor.word(), escaped(text));
        self.push(format_args!(
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>\n"
        ));
    }

    /// A text that is read from below, its middle at a point.
    pub(crate) fn upward_text(&mut self, class: &str, at: (f64, f64), text: &str) {
        let ((x, y), text) = (at, escaped(text));
        self.push(format_args!(
            "<text class=\"{class}\" transform=\"translate({x:.1} {y:.1}) rotate(-90)\" text-anchor=\"middle\">{text}</text>\n"
        ));
    }

    /// A straight line.
    pub(crate) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let ((x, y), (to_x, to_y)) = (from, to);
        self.push(format_args!(
            "<path class=\"{class}\" d=\"M{x:.1} {y:.1}L{to_x:.1} {to_y:.1}\"/>\n"
        ));
    }

    /// A shape of one colour.
    pub(crate) fn shape(&mut self, colour: &str, path: &str) {
        self.push(format_args!("<path fill=\"{colour}\" d=\"{path}\"/>\n"));
    }

    /// A rectangle that is only an edge.
    pub(crate) fn frame(&mut self, class: &str, (x, y): (f64, f64), (width, height): (f64, f64)) {
        self.push(format_args!(
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>\n"
        ));
    }

    fn push(&mut self, piece: std::fmt::Arguments<'_>) {
        self.text.write_fmt(piece).expect("a string takes everything");
    }
}

/// The path of a rectangle.
pub(crate) fn rectangle(path: &mut String, (x, y): (f64, f64), (width, height): (f64, f64)) {
    write!(path, "M{x:.1} {y:.1}h{width:.1}v{height:.1}h-{width:.1}z")
        .expect("a string takes everything");
}

/// Text as it stands in a document; control characters are not allowed there at all.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            it if it.is_control() || matches!(it, '\u{fffe}' | '\u{ffff}') => {
                escaped.push(char::REPLACEMENT_CHARACTER);
            }
            it => escaped.push(it),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_break_out_of_its_text() {
        let mut svg = Svg::default();
        svg.text("a", (1.0, 2.25), Anchor::End, "</text>&\u{1b}é");
        let expect = "<text class=\"a\" x=\"1.0\" y=\"2.2\" text-anchor=\"end\">&lt;/text&gt;&amp;\u{fffd}é</text>\n";
        assert_eq!(svg.as_str(), expect);
    }
}
