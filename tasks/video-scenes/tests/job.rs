//! The whole task as a host runs it, natively, against a plain reference.

#![expect(clippy::unwrap_used, reason = "a test may")]
#![expect(clippy::cast_precision_loss, reason = "far below 2^53")]

use std::ops::Range;

use pframe_guest::testing::{Bytes, combine, cut, finish, run_on};
use pframe_guest::{Failure, Unit};
use proptest::prelude::*;
use serde_json::{Value, json};
use video_scenes::VideoScenes;

/// A colour space, and how many bytes a frame has in it.
type ColourSpace = (&'static str, fn(usize, usize) -> usize);

const COLOUR_SPACES: [ColourSpace; 6] = [
    ("420jpeg", |width, height| width * height + 2 * width.div_ceil(2) * height.div_ceil(2)),
    ("411", |width, height| width * height + 2 * width.div_ceil(4) * height),
    ("422", |width, height| width * height + 2 * width.div_ceil(2) * height),
    ("444", |width, height| 3 * width * height),
    ("444alpha", |width, height| 4 * width * height),
    ("mono", |width, height| width * height),
];

/// A video and what it is made of.
#[derive(Clone, Debug)]
struct Video {
    width: usize,
    height: usize,
    colour_space: &'static str,
    rate: (u64, u64),
    /// The luma of each frame.
    luma: Vec<Vec<u8>>,
    file: Vec<u8>,
}

impl Video {
    /// Frames of these values of luma; the chroma is noise. Every third frame line has a parameter.
    fn new(size: (usize, usize), colour: usize, rate: (u64, u64), luma: Vec<Vec<u8>>) -> Self {
        let (width, height) = size;
        let (colour_space, frame_bytes) = COLOUR_SPACES[colour];
        let header = format!(
            "YUV4MPEG2 W{width} H{height} F{}:{} It A1:1 C{colour_space} XTEST\n",
            rate.0, rate.1
        );
        let mut file = header.into_bytes();
        for (number, luma) in luma.iter().enumerate() {
            file.extend(if number % 3 == 2 { &b"FRAME Ipp\n"[..] } else { b"FRAME\n" });
            file.extend(luma);
            let chroma = frame_bytes(width, height) - luma.len();
            file.extend((0..chroma).map(|at| u8::try_from(at * 37 % 251).unwrap()));
        }
        Self { width, height, colour_space, rate, luma, file }
    }

    /// Scenes of one luma each, so many frames long.
    fn scenes(scenes: &[(u8, usize)]) -> Self {
        let frame = |luma: u8| vec![luma; 6];
        let luma = scenes.iter().flat_map(|(luma, frames)| vec![frame(*luma); *frames]);
        Self::new((3, 2), 0, (25, 1), luma.collect())
    }

    /// The reference: the definition, for the whole video at once.
    fn expect(&self, threshold: f64, min_scene_frames: usize) -> Value {
        let pixels = self.width * self.height;
        let histogram = |luma: &[u8]| {
            let mut bins = vec![0_u64; 64];
            for value in luma {
                bins[usize::from(value / 4)] += 1;
            }
            bins
        };
        let histograms: Vec<_> = self.luma.iter().map(|luma| histogram(luma)).collect();
        let mut cuts = Vec::new();
        let mut scene = 0;
        for number in 1..histograms.len() {
            let pairs = histograms[number].iter().zip(&histograms[number - 1]);
            let moved: u64 = pairs.map(|(one, two)| one.saturating_sub(*two)).sum();
            let difference = moved as f64 / pixels as f64;
            if difference > threshold && number - scene >= min_scene_frames {
                scene = number;
                let time = number as f64 * self.rate.1 as f64 / self.rate.0 as f64;
                cuts.push(json!({ "frame": number, "time_seconds": six(time), "difference": six(difference) }));
            }
        }
        let mut seconds: Vec<(u64, Vec<usize>)> = Vec::new();
        for number in 0..self.luma.len() {
            let second = number as u64 * self.rate.1 / self.rate.0;
            match seconds.last_mut() {
                Some((last, frames)) if *last == second => frames.push(number),
                _ => seconds.push((second, vec![number])),
            }
        }
        let describe = |(second, frames): &(u64, Vec<usize>)| {
            let luma: u64 =
                frames.iter().flat_map(|it| &self.luma[*it]).map(|it| u64::from(*it)).sum();
            let sums = (0..64).map(|bin| frames.iter().map(|it| histograms[*it][bin]).sum::<u64>());
            json!({
                "second": second, "frames": frames.len(),
                "mean_luma": six(luma as f64 / (frames.len() * pixels) as f64),
                "histogram": sums.collect::<Vec<_>>(),
            })
        };
        let frames = self.luma.len();
        json!({
            "source": "test", "width": self.width, "height": self.height, "colour_space": self.colour_space,
            "interlacing": "top-field-first", "frame_rate": format!("{}/{}", self.rate.0, self.rate.1),
            "frames": frames, "duration_seconds": six(frames as f64 * self.rate.1 as f64 / self.rate.0 as f64),
            "cuts": cuts, "seconds": seconds.iter().map(describe).collect::<Vec<_>>(),
        })
    }
}

fn six(number: f64) -> f64 {
    (number * 1e6).round() / 1e6
}

/// Where a video is cut.
fn spans(file: &[u8], parameters: &str) -> Vec<Range<usize>> {
    let spans = cut::<VideoScenes>(&Bytes::new(file), parameters).unwrap();
    let range = |span: &pframe_guest::Span| {
        assert_eq!(span.unit, Unit::Bytes);
        usize::try_from(span.start).unwrap()..usize::try_from(span.end).unwrap()
    };
    spans.iter().map(range).collect()
}

/// What the chunks of a video write. A native test cannot say where a chunk begins, so the place is put in.
fn parts(file: &[u8], parameters: &str, block: usize) -> Vec<Vec<u8>> {
    let part = |span: Range<usize>| {
        let chunk = Bytes::new(&file[span.clone()]).in_blocks_of(block);
        let part = run_on::<VideoScenes>(&chunk, parameters).unwrap();
        let line = part.iter().position(|byte| *byte == b'\n').unwrap();
        let mut head: Value = serde_json::from_slice(&part[..line]).unwrap();
        head["start"] = json!(span.start);
        head["luma_end"] = json!(head["luma_end"].as_u64().unwrap() + span.start as u64);
        [head.to_string().as_bytes(), &part[line..]].concat()
    };
    spans(file, parameters).into_iter().map(part).collect()
}

fn result(file: &[u8], parameters: &str) -> Vec<u8> {
    finish::<VideoScenes>(&parts(file, parameters, 1 << 20), parameters).unwrap()
}

fn value(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

fn videos() -> impl Strategy<Value = Video> {
    let luma = prop_oneof![any::<[u8; 2]>(), Just([0, 255]), Just([70, 82])];
    let frames = proptest::collection::vec((luma, any::<u8>()), 1..30);
    (1_usize..9, 1_usize..7, 0..COLOUR_SPACES.len(), 0_usize..4, frames).prop_map(
        |(width, height, colour, rate, frames)| {
            let rate = [(25, 1), (3, 1), (30_000, 1001), (1, 4)][rate];
            // Two values in a pattern, so that neighbouring frames are more or less alike.
            let luma = |([one, two], pattern): ([u8; 2], u8)| {
                (0..width * height)
                    .map(|at| if pattern >> (at % 8) & 1 == 0 { one } else { two })
                    .collect()
            };
            Video::new((width, height), colour, rate, frames.into_iter().map(luma).collect())
        },
    )
}

proptest! {
    #[test]
    fn the_result_is_the_reference_however_the_video_is_cut(
        video in videos(), chunk_frames in 1_u32..12, min_scene_frames in 1_usize..5, tree in 1_usize..5, block in 1_usize..100,
    ) {
        let parameters = json!({ "chunk_frames": chunk_frames, "threshold": 0.3, "min_scene_frames": min_scene_frames }).to_string();
        let expect = video.expect(0.3, min_scene_frames);
        let parts = parts(&video.file, &parameters, block);
        prop_assert_eq!(parts.len(), video.luma.len().div_ceil(chunk_frames as usize));
        let combined: Vec<_> = parts.chunks(tree).map(|it| combine::<VideoScenes>(it, &parameters).unwrap()).collect();
        prop_assert_eq!(value(&finish::<VideoScenes>(&combined, &parameters).unwrap()), expect.clone());
        let whole = run_on::<VideoScenes>(&Bytes::new(video.file), &parameters).unwrap();
        prop_assert_eq!(value(&finish::<VideoScenes>(&[whole], &parameters).unwrap()), expect);
    }
}

#[test]
fn chunks_leave_out_the_last_chroma() {
    let video = Video::scenes(&[(1, 5)]);
    let header = video.file.len() - 5 * (6 + 10) - 4;
    let spans = spans(&video.file, r#"{"chunk_frames": 2}"#);
    let frame = |number: usize| header + number * 16 + if number > 2 { 4 } else { 0 };
    assert_eq!(spans, [0..frame(1) + 12, frame(2)..frame(3) + 12, frame(4)..frame(4) + 12]);
}

#[test]
fn cuts_are_where_the_luma_changes() {
    let video = Video::scenes(&[(10, 30), (200, 30), (90, 5), (10, 40)]);
    let found = value(&result(&video.file, "{}"));
    let cuts: Vec<_> = found["cuts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["time_seconds"].as_f64().unwrap())
        .collect();
    assert_eq!(cuts, [1.2, 2.4], "the scene of five frames is too short to end");
}

#[test]
fn a_picture_that_says_frame_does_not_mislead_in_silence() {
    let text = b"FRAME\nFRAME\nFRAME\n".to_vec();
    let plain = vec![7; 18];
    for luma in [vec![plain.clone(), text.clone(), text.clone(), text.clone()], vec![plain, text]] {
        for colour in 0..COLOUR_SPACES.len() {
            let video = Video::new((6, 3), colour, (25, 1), luma.clone());
            for chunk_frames in 1..4 {
                let parameters =
                    json!({ "chunk_frames": chunk_frames, "threshold": 0.5 }).to_string();
                let parts = parts(&video.file, &parameters, 1 << 20);
                match finish::<VideoScenes>(&parts, &parameters) {
                    Ok(found) => assert_eq!(value(&found), video.expect(0.5, 12)),
                    Err(failure) => {
                        let is_told = failure.message().contains("hold the text `FRAME`");
                        assert!(is_told, "{failure}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_frame_may_begin_at_the_border_of_a_block() {
    // 2^20 - 1 pixels: the second `FRAME` of a chunk begins with the last byte of the first block after its line.
    let luma = [10, 20, 30, 40].map(|luma| vec![luma; 1025 * 1023]);
    let video = Video::new((1025, 1023), 5, (1, 1), luma.into());
    assert_eq!(value(&result(&video.file, r#"{"chunk_frames": 2}"#)), video.expect(0.5, 12));
}

#[test]
fn several_videos_are_several_lines_and_one_drawing() {
    let (one, two) = (Video::scenes(&[(1, 3)]), Video::scenes(&[(2, 30), (99, 30)]));
    let parts = [parts(&one.file, "{}", 9), parts(&two.file, r#"{"chunk_frames": 7}"#, 9)].concat();
    let found = String::from_utf8(finish::<VideoScenes>(&parts, "{}").unwrap()).unwrap();
    let found: Vec<_> = found.lines().map(|line| value(line.as_bytes())).collect();
    assert_eq!(found, [one.expect(0.5, 12), two.expect(0.5, 12)]);
    let svg =
        String::from_utf8(finish::<VideoScenes>(&parts, r#"{"result": "svg"}"#).unwrap()).unwrap();
    assert_eq!(
        (svg.matches("Scene cuts in test").count(), svg.matches("class=\"mark\"").count()),
        (2, 1)
    );
    assert!(svg.starts_with("<svg ") && svg.ends_with("</g>\n</svg>\n"));
}

#[test]
fn what_is_no_whole_video_is_refused() {
    let refusal = |file: &[u8]| {
        let failure = cut::<VideoScenes>(&Bytes::new(file), "{}").unwrap_err();
        let Failure::Invalid(message) = &failure else { panic!("{failure:?}") };
        message.clone()
    };
    let video = Video::scenes(&[(1, 3)]).file;
    let header = video.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let not_y4m = "`test`: not a Y4M video (`YUV4MPEG2`)";
    assert!(refusal(b"").starts_with(not_y4m));
    assert!(refusal(b"RIFF....AVI ").starts_with(not_y4m));
    assert_eq!(refusal(&video[..header]), "`test`: the video has no frames");
    let short = "`test`: frame 2 (counted from 0) is cut short: 9 of its 10 bytes are there";
    assert_eq!(refusal(&video[..video.len() - 1]), short);
    assert_eq!(
        refusal(&video[..video.len() - 15]),
        "`test`: frame 2 (counted from 0) is cut short within its first line"
    );
    let mut damaged = video.clone();
    damaged[header + 16] = b'f';
    let expect = format!(
        "`test`: frame 1 (counted from 0) does not begin with `FRAME` at byte {}",
        header + 16
    );
    assert_eq!(refusal(&damaged), expect);
    let deep = b"YUV4MPEG2 W2 H2 F25:1 C420p10\nFRAME\n";
    assert!(refusal(deep).starts_with("`test`: the colour space `420p10` is not supported"));
    assert!(
        refusal(&[b"YUV4MPEG2 ", &[b'X'; 5000][..]].concat())
            .contains("does not end within 4096 bytes")
    );
}

#[test]
fn a_chunk_that_was_not_cut_at_frames_is_refused() {
    let video = Video::scenes(&[(1, 9)]).file;
    let failure = run_on::<VideoScenes>(&Bytes::new(&video[100..]), "{}").unwrap_err();
    assert!(matches!(failure, Failure::Invalid(message) if message.contains("strategy: custom")));
}

#[test]
fn a_missing_chunk_is_not_passed_over() {
    let video = Video::scenes(&[(1, 9)]).file;
    let mut parts = parts(&video, r#"{"chunk_frames": 3}"#, 99);
    parts.remove(1);
    let failure = finish::<VideoScenes>(&parts, "{}").unwrap_err();
    assert!(failure.message().starts_with("`test`: the chunk before byte"), "{failure}");
    let failure = finish::<VideoScenes>(&parts[1..], "{}").unwrap_err();
    assert!(matches!(failure, Failure::Permanent(_)), "{failure:?}");
}

#[test]
fn storage_in_trouble_is_transient() {
    let video = Bytes::new(Video::scenes(&[(1, 9)]).file).failing_at(100);
    let failures = [
        run_on::<VideoScenes>(&video, "{}").unwrap_err(),
        cut::<VideoScenes>(&video, "{}").unwrap_err(),
    ];
    for failure in failures {
        assert!(matches!(failure, Failure::Transient(_)), "{failure:?}");
    }
}

#[test]
fn a_damaged_part_is_a_permanent_failure() {
    let part = run_on::<VideoScenes>(&Bytes::new(Video::scenes(&[(1, 9)]).file), "{}").unwrap();
    for damaged in [&part[1..], &part[..part.len() - 1]] {
        let failure = finish::<VideoScenes>(&[damaged.to_vec()], "{}").unwrap_err();
        assert_eq!(failure, Failure::permanent("part 0 is damaged"));
    }
}
