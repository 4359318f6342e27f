//! The whole task as a host runs it, natively, against a plain reference.

#![expect(clippy::unwrap_used, reason = "a test may")]

use std::io::{Cursor, Read};

use image::codecs::jpeg::JpegEncoder;
use image::codecs::webp::WebPEncoder;
use image::{DynamicImage, GenericImageView, ImageEncoder, ImageFormat, Rgb, Rgba};
use image_thumbnail::ImageThumbnail;
use pframe_guest::Failure;
use pframe_guest::testing::{Bytes, combine, finish, job, run, run_on};
use serde_json::Value;

/// An image that differs everywhere and changes slowly.
fn gradient(width: u32, height: u32) -> DynamicImage {
    let ramp = |at: u32, length: u32| u8::try_from(at * 255 / length.max(2)).unwrap();
    image::RgbImage::from_fn(width, height, |x, y| Rgb([ramp(x, width), ramp(y, height), 128]))
        .into()
}

fn file(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// The line of a record, and its bytes.
fn record(file: &[u8], parameters: &str) -> (Value, Vec<u8>) {
    let record = run::<ImageThumbnail>(file, parameters).unwrap();
    let line = record.iter().position(|byte| *byte == b'\n').unwrap();
    (serde_json::from_slice(&record[..line]).unwrap(), record[line + 1..].to_vec())
}

fn thumbnail(file: &[u8], parameters: &str) -> DynamicImage {
    image::load_from_memory(&record(file, parameters).1).unwrap()
}

fn refusal(file: &[u8], parameters: &str) -> String {
    match run::<ImageThumbnail>(file, parameters).unwrap_err() {
        Failure::Invalid(message) => message,
        other @ (Failure::Transient(_) | Failure::Permanent(_)) => panic!("{other:?}"),
    }
}

/// The files of an archive, as a program that knows nothing of this task reads it.
fn files(archive: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = tar::Archive::new(archive);
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        assert_eq!(entry.header().mtime().unwrap(), 0);
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        (entry.path().unwrap().to_str().unwrap().to_owned(), bytes)
    });
    entries.collect()
}

#[test]
fn every_format_becomes_a_thumbnail_within_the_box() {
    let image = gradient(640, 480);
    for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP] {
        let (head, bytes) = record(&file(&image, format), "{}");
        let expect = r#"{"source":"test","width":640,"height":480,"thumbnail_width":256,"thumbnail_height":192,"format":"jpeg","bytes":N}"#;
        let expect = expect.replace('N', &bytes.len().to_string());
        assert_eq!(head, serde_json::from_str::<Value>(&expect).unwrap());
        assert_eq!(image::guess_format(&bytes).unwrap(), ImageFormat::Jpeg);
        let small = image::load_from_memory(&bytes).unwrap().to_rgb8();
        let Rgb([red, green, _]) = *small.get_pixel(128, 48);
        assert!(red.abs_diff(128) < 4 && green.abs_diff(64) < 4, "{format:?}: {red} {green}");
    }
}

#[test]
fn a_png_thumbnail_is_the_exact_average() {
    let image = image::GrayImage::from_fn(4, 2, |x, y| {
        image::Luma([if y == 0 { 10 } else { u8::try_from(x).unwrap() * 20 }])
    });
    let file = file(&image.into(), ImageFormat::Png);
    let small = thumbnail(&file, r#"{"width": 2, "format": "png"}"#);
    let pixels: Vec<u8> = small.to_luma8().into_raw();
    assert_eq!(pixels, [10, 30], "(10 + 10 + 0 + 20) / 4 and (10 + 10 + 40 + 60) / 4");
}

#[test]
fn nothing_is_enlarged_and_cover_fills_the_box() {
    let size = |width, height, parameters| {
        thumbnail(&file(&gradient(width, height), ImageFormat::Png), parameters).dimensions()
    };
    assert_eq!(size(40, 30, "{}"), (40, 30));
    assert_eq!(size(1, 1, "{}"), (1, 1));
    assert_eq!(size(3000, 2, "{}"), (256, 1));
    let cover = r#"{"width": 100, "height": 50, "fit": "cover"}"#;
    assert_eq!(size(400, 400, cover), (100, 50));
    assert_eq!(size(40, 400, cover), (40, 50));
}

#[test]
fn transparency_stays_in_png_and_shows_the_background_in_jpeg() {
    let image =
        image::RgbaImage::from_fn(64, 64, |x, _| Rgba([200, 0, 0, if x < 32 { 255 } else { 0 }]));
    for format in [ImageFormat::Png, ImageFormat::WebP] {
        let file = file(&image.clone().into(), format);
        let png = thumbnail(&file, r#"{"format": "png", "width": 32}"#).to_rgba8();
        assert_eq!((png.get_pixel(4, 4).0, png.get_pixel(28, 4).0[3]), ([200, 0, 0, 255], 0));
        let jpeg = thumbnail(&file, r##"{"background": "#0000ff"}"##).to_rgb8();
        let Rgb([red, _, blue]) = *jpeg.get_pixel(56, 32);
        assert!(red < 8 && blue > 247, "{red} {blue}");
    }
}

#[test]
fn sixteen_bits_and_grey_are_read() {
    let wide =
        image::ImageBuffer::from_fn(64, 64, |x, _| image::Luma([u16::try_from(x).unwrap() * 1000]));
    let small = thumbnail(&file(&DynamicImage::ImageLuma16(wide), ImageFormat::Png), "{}");
    assert!(small.to_luma8().get_pixel(32, 9).0[0].abs_diff(124) < 3);
}

/// An Exif block that says nothing but an orientation.
fn exif(orientation: u8) -> Vec<u8> {
    let mut exif = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0]);
    exif
}

#[test]
fn thumbnails_are_upright() {
    // Dark on the left, light on the right; the orientation says where the light side really is.
    let image = image::RgbImage::from_fn(200, 100, |x, _| Rgb([if x < 100 { 0 } else { 255 }; 3]));
    let sides = [
        (1, "right"),
        (2, "left"),
        (3, "left"),
        (4, "right"),
        (5, "bottom"),
        (6, "bottom"),
        (7, "top"),
        (8, "top"),
    ];
    for (orientation, light) in sides {
        let mut jpeg = Vec::new();
        let mut encoder = JpegEncoder::new(&mut jpeg);
        encoder.set_exif_metadata(exif(orientation)).unwrap();
        encoder.encode_image(&image).unwrap();
        let mut webp = Vec::new();
        let mut encoder = WebPEncoder::new_lossless(&mut webp);
        encoder.set_exif_metadata(exif(orientation)).unwrap();
        encoder.encode(&image, 200, 100, image::ExtendedColorType::Rgb8).unwrap();
        for file in [jpeg, webp] {
            let (head, bytes) = record(&file, r#"{"width": 50, "height": 100}"#);
            let small = image::load_from_memory(&bytes).unwrap().to_luma8();
            let (width, height) = small.dimensions();
            assert_eq!(
                (&head["thumbnail_width"], &head["thumbnail_height"]),
                (&width.into(), &height.into())
            );
            let at = |x, y| small.get_pixel(x, y).0[0] > 128;
            let found = match (at(1, 1), at(width - 2, height - 2), width < height) {
                (false, true, true) => "bottom",
                (true, false, true) => "top",
                (false, true, false) => "right",
                (true, false, false) => "left",
                _ => "nowhere",
            };
            assert_eq!(found, light, "orientation {orientation}");
            let original_width = if width < height { 100 } else { 200 };
            assert_eq!((&head["width"], width), (&original_width.into(), 50));
        }
    }
}

#[test]
fn what_is_cut_short_is_refused_wherever_it_ends() {
    for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP] {
        let whole = file(&gradient(60, 60), format);
        // A PNG has all its pixels before its last chunk.
        let needed = if format == ImageFormat::Png { whole.len() - 16 } else { whole.len() - 1 };
        for length in (30..needed).step_by(7) {
            let message = refusal(&whole[..length], "{}");
            assert!(message.starts_with("`test` is cut short"), "{format:?} {length}: {message}");
        }
        for length in 1..30 {
            refusal(&whole[..length], "{}");
        }
    }
}

#[test]
fn what_is_no_image_is_refused() {
    assert_eq!(refusal(b"", "{}"), "`test` is empty");
    assert_eq!(refusal(b"Dear reader", "{}"), "`test` is not a JPEG, PNG or WebP image");
    let mut corrupt = file(&gradient(60, 60), ImageFormat::Png);
    corrupt[60] ^= 0xff;
    let message = refusal(&corrupt, "{}");
    assert!(message.starts_with("`test` cannot be decoded: "), "{message}");
}

#[test]
fn a_bomb_is_refused_by_what_its_header_says() {
    let mut png = file(&gradient(8, 8), ImageFormat::Png);
    png[16..24].copy_from_slice(&[0, 0, 0x40, 0, 0, 0, 0x40, 0]);
    assert_eq!(
        refusal(&png, "{}"),
        "`test` has 16384 x 16384 pixels, together 268435456; at most 100000000"
    );
    png[16..20].copy_from_slice(&[0x7f, 0xff, 0xff, 0xff]);
    assert_eq!(
        refusal(&png, "{}"),
        "`test` has 2147483647 x 16384 pixels; a side has at most 65535"
    );
    let image = file(&gradient(1000, 1000), ImageFormat::WebP);
    let message = refusal(&image, r#"{"decode_mib_max": 7}"#);
    assert!(
        message.starts_with("`test` takes 8 MiB to decode; `decode_mib_max` allows 7 MiB"),
        "{message}"
    );
}

#[test]
fn random_damage_never_panics() {
    for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP] {
        let whole = file(&gradient(40, 30), format);
        for at in 0..whole.len() {
            for flip in [1, 0x80, 0xff] {
                let mut damaged = whole.clone();
                damaged[at] ^= flip;
                let _ = run::<ImageThumbnail>(damaged, "{}");
            }
        }
    }
}

#[test]
fn storage_in_trouble_is_transient() {
    for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP] {
        let whole = file(&gradient(300, 300), format);
        for at in [0, 100, 200] {
            let input = Bytes::new(whole.clone()).in_blocks_of(50).failing_at(at);
            let failure = run_on::<ImageThumbnail>(&input, "{}").unwrap_err();
            assert!(matches!(failure, Failure::Transient(_)), "{format:?}: {failure:?}");
        }
    }
}

#[test]
fn the_archive_holds_thumbnails_sheets_and_a_manifest() {
    let images: Vec<_> =
        (1..=70).map(|side| file(&gradient(side, side), ImageFormat::Png)).collect();
    let chunks: Vec<_> = images.iter().map(Vec::as_slice).collect();
    let files = files(&job::<ImageThumbnail>(&chunks, r#"{"width": 20}"#).unwrap());
    let names: Vec<_> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names[..2], ["thumbnails/test.jpg", "thumbnails/test-2.jpg"]);
    assert_eq!(
        names[69..],
        [
            "thumbnails/test-70.jpg",
            "contact-sheet-0001.jpg",
            "contact-sheet-0002.jpg",
            "manifest.json"
        ]
    );
    let size = |index: usize| image::load_from_memory(&files[index].1).unwrap().dimensions();
    assert_eq!(
        (size(0), size(69), size(70), size(71)),
        ((1, 1), (20, 20), (1352, 1352), (1016, 176))
    );
    let manifest: Value = serde_json::from_slice(&files[72].1).unwrap();
    let expect = r#"{"file": "thumbnails/test-67.jpg", "width": 20, "height": 20, "source": "test", "source_width": 67,
        "source_height": 67, "sheet": "contact-sheet-0002.jpg", "row": 1, "column": 3}"#;
    assert_eq!(manifest["thumbnails"][66], serde_json::from_str::<Value>(expect).unwrap());
}

#[test]
fn the_result_does_not_depend_on_how_records_were_combined() {
    let parts: Vec<_> = (1..=9)
        .map(|side| {
            run::<ImageThumbnail>(file(&gradient(side * 9, 20), ImageFormat::Png), "{}").unwrap()
        })
        .collect();
    for parameters in ["{}", r#"{"result": "contact-sheet"}"#] {
        let whole = finish::<ImageThumbnail>(&parts, parameters).unwrap();
        for size in [2, 4, 9] {
            let combined: Vec<_> = parts
                .chunks(size)
                .map(|it| combine::<ImageThumbnail>(it, parameters).unwrap())
                .collect();
            assert_eq!(finish::<ImageThumbnail>(&combined, parameters).unwrap(), whole);
        }
    }
}

#[test]
fn a_contact_sheet_shows_the_thumbnails_in_order() {
    let plain =
        |colour| file(&image::RgbImage::from_pixel(300, 300, Rgb(colour)).into(), ImageFormat::Png);
    let images = [[255, 0, 0], [0, 255, 0], [0, 0, 255]].map(plain);
    let chunks: Vec<_> = images.iter().map(Vec::as_slice).collect();
    let sheet =
        job::<ImageThumbnail>(&chunks, r##"{"result": "contact-sheet", "background": "#000000"}"##)
            .unwrap();
    let sheet = image::load_from_memory(&sheet).unwrap().to_rgb8();
    assert_eq!(sheet.dimensions(), (344, 344));
    let brightest = |x, y| {
        let Rgb(colour) = *sheet.get_pixel(x, y);
        (0..3).find(|index| colour[*index] > 200)
    };
    let found = [(88, 88), (256, 88), (88, 256), (256, 256), (3, 3)].map(|(x, y)| brightest(x, y));
    assert_eq!(found, [Some(0), Some(1), Some(2), None, None]);
}

#[test]
fn a_damaged_part_is_a_permanent_failure() {
    let part = run::<ImageThumbnail>(file(&gradient(9, 9), ImageFormat::Png), "{}").unwrap();
    for damaged in [&part[1..], &part[..part.len() - 1]] {
        let failure = finish::<ImageThumbnail>(&[damaged.to_vec()], "{}").unwrap_err();
        assert_eq!(failure, Failure::permanent("part 0 is damaged at byte 0"));
    }
}
