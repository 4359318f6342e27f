//! Thumbnails and scenes are those that ImageMagick and ffmpeg find, however the work is cut.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

use pframe_core::fault::Code;
use pframe_core::job::Chunking;
use pframe_core::units::ByteSize;
use pframe_host::Job;
use pframe_tests::guest;
use pframe_tests::house::{House, files_job, task, with_parameters};
use serde_json::{Value, json};
use tempfile::tempdir;

/// A house that knows the two tasks.
static HOUSE: LazyLock<House> = LazyLock::new(|| {
    let house = House::with(|builder| builder);
    for name in ["image_thumbnail", "video_scenes"] {
        house.engine.register_task(&task(name), &guest(name)).expect("the guest is sound");
    }
    house
});

fn tool(folder: &Path, program: &str, arguments: &str) -> Output {
    let mut command = Command::new(program);
    command.current_dir(folder).args(arguments.split_whitespace()).stdin(Stdio::null());
    command
        .output()
        .expect("ImageMagick, ffmpeg, librsvg2-bin and tar: `cargo xtask test` sees to it")
}

/// Runs a program whose arguments hold no spaces, in a folder, and returns what it printed.
#[track_caller]
fn run(folder: &Path, program: &str, arguments: &str) -> String {
    let output = tool(folder, program, arguments);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program} {arguments}: {errors}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn ffmpeg(folder: &Path, arguments: &str) {
    run(folder, "ffmpeg", &format!("-nostdin -loglevel error -y {arguments}"));
}

fn convert(folder: &Path, arguments: &str) {
    run(folder, "convert", arguments);
}

/// What a handler says about an input that it refuses.
fn refusal(job: Job) -> String {
    let fault = HOUSE.run(job).fault();
    assert_eq!(fault.code, Code::Invalid, "{fault}");
    fault.guest_message.unwrap().to_string()
}

fn thumbnails(folder: &Path, pattern: &str, parameters: Value) -> Job {
    with_parameters(files_job("image_thumbnail", [&folder.join(pattern)]), parameters)
}

/// The size of an image in the words of ImageMagick.
fn size(folder: &Path, file: &str) -> String {
    run(folder, "identify", &format!("-format %wx%h {file}"))
}

/// Runs a job, unpacks its archive into `out`, and returns its files in order.
fn unpack(folder: &Path, job: Job) -> Vec<String> {
    fs::write(folder.join("out.tar"), HOUSE.run(job).bytes()).unwrap();
    fs::create_dir_all(folder.join("out")).unwrap();
    run(folder, "tar", "-xf out.tar -C out");
    run(folder, "tar", "-tf out.tar").lines().map(str::to_owned).collect()
}

/// The likeness of two images in dB.
fn likeness(folder: &Path, one: &str, other: &str) -> f64 {
    let output = tool(folder, "compare", &format!("-metric PSNR {one} {other} null:"));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    text.split_whitespace().next().unwrap().parse().unwrap_or_else(|_| panic!("{text}"))
}

/// A marker that says in EXIF how an image is turned, put behind the first marker of a JPEG.
fn turn(file: &Path, orientation: u8) {
    let mut bytes = fs::read(file).unwrap();
    let mut marker =
        b"\xff\xe1\0\x22Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    marker.extend([orientation, 0, 0, 0, 0, 0, 0]);
    bytes.splice(2..2, marker);
    fs::write(file, bytes).unwrap();
}

#[test]
fn thumbnails_are_like_those_of_imagemagick() {
    let folder = tempdir().unwrap();
    let folder = folder.path();
    let base = "-seed 3 -size 1200x800 plasma:red-blue -attenuate 0.2 +noise Gaussian -depth 8";
    convert(folder, &format!("{base} base.png"));
    let files = [
        ("a.jpg", "-quality 92"),
        ("b.jpg", "-quality 92 -interlace JPEG -sampling-factor 2x2"),
        ("c.jpg", "-colorspace Gray"),
        ("d.png", "-depth 16"),
        ("e.png", "-interlace PNG"),
        ("f.png", "-colors 64"),
        ("g.webp", "-quality 90"),
        ("h.webp", "-define webp:lossless=true"),
        ("i.jpg", "-resize 200x100"),
        ("j.jpg", "-crop 1200x20+0+0"),
        ("k.jpg", ""),
        ("l.jpg", ""),
    ];
    for (file, options) in files {
        convert(folder, &format!("base.png {options} {file}"));
    }
    turn(&folder.join("k.jpg"), 6);
    turn(&folder.join("l.jpg"), 3);
    fs::remove_file(folder.join("base.png")).unwrap();
    let job = thumbnails(folder, "?.*", json!({ "format": "png" }));
    assert_eq!(unpack(folder, job).len(), files.len() + 2);
    for (file, _) in files {
        let ours = format!("out/thumbnails/{}.png", &file[..1]);
        convert(folder, &format!("{file} -auto-orient -thumbnail 256x256> -depth 8 theirs.png"));
        assert_eq!(size(folder, &ours), size(folder, "theirs.png"), "{file}");
        let alike = likeness(folder, &ours, "theirs.png");
        assert!(alike > 38.0, "{file}: {alike} dB");
    }
}

#[test]
fn many_images_go_through_the_tree_in_order() {
    let folder = tempdir().unwrap();
    let folder = folder.path();
    convert(folder, "-size 32x32 gradient:red-blue -duplicate 149 image-%03d.png");
    let files = unpack(folder, thumbnails(folder, "image-*.png", json!({})));
    let names = (0..150).map(|number| format!("thumbnails/image-{number:03}.jpg"));
    let sheets = (1..=3).map(|number| format!("contact-sheet-{number:04}.jpg"));
    let expect: Vec<_> = names.chain(sheets).chain(["manifest.json".into()]).collect();
    assert_eq!(files, expect);
    let manifest = fs::read_to_string(folder.join("out/manifest.json")).unwrap();
    assert_eq!(manifest.matches("\n{\"file\":\"thumbnails/image-").count(), 150);
    let sheet = thumbnails(folder, "image-*.png", json!({ "result": "contact-sheet" }));
    fs::write(folder.join("sheet.jpg"), HOUSE.run(sheet).bytes()).unwrap();
    assert_eq!(size(folder, "sheet.jpg"), "2192x2024", "13 columns and 12 rows of 160 pixels");
}

#[test]
fn a_large_image_takes_the_memory_that_readme_says() {
    let folder = tempdir().unwrap();
    let folder = folder.path();
    convert(folder, "-size 5000x4000 gradient:red-blue plain.jpg");
    convert(folder, "plain.jpg -interlace JPEG -sampling-factor 2x2 scans.jpg");
    for (file, mib_max) in [("plain.jpg", 58 + 8), ("scans.jpg", 115 + 8)] {
        let peak = HOUSE.run(thumbnails(folder, file, json!({}))).report.memory_peak;
        assert!(peak < ByteSize::mib(mib_max), "{file}: {peak}");
    }
    let message = refusal(thumbnails(folder, "scans.jpg", json!({ "decode_mib_max": 100 })));
    assert!(message.contains("`decode_mib_max` allows 100 MiB"), "{message}");
}

fn scenes(video: &Path, parameters: Value) -> Job {
    let job = with_parameters(files_job("video_scenes", [video]), parameters);
    Job { chunking: Some(Chunking::Custom), ..job }
}

/// Five scenes with cuts after 2, 5, 6.6 and 9 seconds.
fn five_scenes(folder: &Path) -> PathBuf {
    let arguments = "-f lavfi -t 2 -i testsrc2=s=160x120:r=25 -f lavfi -t 3 -i mandelbrot=s=160x120:r=25 \
        -f lavfi -t 1.6 -i color=gray:s=160x120:r=25 -f lavfi -t 2.4 -i smptebars=s=160x120:r=25 \
        -f lavfi -t 2 -i rgbtestsrc=s=160x120:r=25 -filter_complex concat=n=5,format=yuv420p five.y4m";
    ffmpeg(folder, arguments);
    folder.join("five.y4m")
}

#[test]
fn cuts_are_where_ffmpeg_finds_them_however_the_video_is_cut() {
    let folder = tempdir().unwrap();
    let video = five_scenes(folder.path());
    let output = tool(folder.path(), "ffmpeg", "-nostdin -i five.y4m -vf scdet=t=7 -f null -");
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    let times = log.lines().filter_map(|line| line.split_once("lavfi.scd.time: "));
    let times: Vec<f64> = times.map(|(_, time)| time.trim().parse().unwrap()).collect();
    assert_eq!(times, [2.0, 5.0, 6.6, 9.0], "{log}");
    let whole = HOUSE.run(scenes(&video, json!({ "chunk_frames": 1_000_000 })));
    assert_eq!(whole.report.chunks, 1);
    let whole = whole.text();
    let found: Value = serde_json::from_str(&whole).unwrap();
    let cuts = found["cuts"].as_array().unwrap().iter();
    assert_eq!(cuts.map(|cut| cut["time_seconds"].as_f64().unwrap()).collect::<Vec<_>>(), times);
    assert_eq!((&found["frames"], &found["duration_seconds"]), (&json!(275), &json!(11.0)));
    for chunk_frames in [1, 2, 49, 50, 51, 274] {
        let end = HOUSE.run(scenes(&video, json!({ "chunk_frames": chunk_frames })));
        assert_eq!(end.report.chunks, 275_u32.div_ceil(chunk_frames));
        assert!(end.report.memory_peak < ByteSize::mib(8), "{}", end.report.memory_peak);
        assert_eq!(end.text(), whole, "{chunk_frames} frames in a chunk");
    }
    let plot = HOUSE.run(scenes(&video, json!({ "result": "svg" }))).bytes();
    fs::write(folder.path().join("plot.svg"), plot).unwrap();
    run(folder.path(), "rsvg-convert", "plot.svg -o plot.png");
    assert_eq!(size(folder.path(), "plot.png"), "1000x600");
}

#[test]
fn histograms_are_those_of_the_raw_file_in_every_colour_space() {
    for format in ["yuv420p", "yuv422p", "yuv444p", "yuv411p", "gray"] {
        let folder = tempdir().unwrap();
        let folder = folder.path();
        ffmpeg(folder, &format!("-f lavfi -t 3 -i testsrc=s=51x37:r=10 -pix_fmt {format} a.y4m"));
        ffmpeg(folder, "-i a.y4m -f rawvideo a.yuv");
        let raw = fs::read(folder.join("a.yuv")).unwrap();
        let frames: Vec<_> = raw.chunks(raw.len() / 30).map(|frame| &frame[..51 * 37]).collect();
        let end = HOUSE.run(scenes(&folder.join("a.y4m"), json!({ "chunk_frames": 7 })));
        let found: Value = serde_json::from_str(&end.text()).unwrap();
        for (second, frames) in frames.chunks(10).enumerate() {
            let mut bins = [0_u64; 64];
            frames.concat().iter().for_each(|luma| bins[usize::from(luma / 4)] += 1);
            assert_eq!(
                found["seconds"][second]["histogram"],
                json!(bins.to_vec()),
                "{format} {second}"
            );
        }
    }
}

#[test]
fn what_cannot_be_read_is_invalid_and_says_why() {
    let folder = tempdir().unwrap();
    let folder = folder.path();
    let video = "-f lavfi -t 1 -i testsrc=s=64x48 -pix_fmt";
    ffmpeg(folder, &format!("{video} yuv420p10le -strict -1 deep.y4m"));
    ffmpeg(folder, &format!("{video} yuv420p short.y4m"));
    for file in ["a.jpg", "b.png", "c.webp"] {
        convert(folder, &format!("-size 300x300 plasma: -depth 8 {file}"));
    }
    for file in ["short.y4m", "a.jpg", "b.png", "c.webp"] {
        let bytes = fs::read(folder.join(file)).unwrap();
        fs::write(folder.join(file), &bytes[..bytes.len() - 1000]).unwrap();
    }
    let deep = ("deep.y4m", "the colour space `420p10` is not supported");
    let short = ["short.y4m", "a.jpg", "b.png", "c.webp"].map(|file| (file, "is cut short"));
    for (file, reason) in [&[deep], &short[..]].concat() {
        let job = match file.ends_with("y4m") {
            true => scenes(&folder.join(file), json!({})),
            false => thumbnails(folder, file, json!({})),
        };
        let message = refusal(job);
        assert!(message.contains(file) && message.contains(reason), "{message}");
    }
}
