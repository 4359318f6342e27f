//! Decodes an audio file to 16 kHz mono, piece by piece.
//!
//! Owns: which formats are read, and what is refused before anything is allocated for it.
//! Never: trusts a length that the file states; only what was decoded counts.

use std::io::{Read, Seek};

use pframe_speech::SAMPLE_RATE;
use symphonia::core::audio::GenericAudioBufferRef;
use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::codecs::registry::CodecRegistry;
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream};
use symphonia::core::meta::MetadataOptions;

use super::resample::Resampler;

/// Sampling rates that are taken: telephone to studio.
const RATES: std::ops::RangeInclusive<u32> = 4000..=384_000;
/// Channels that are mixed into one.
const CHANNELS_MAX: usize = 32;
/// Samples that one packet may hold: a second of the highest rate in all channels is far less.
const PACKET_FRAMES_MAX: usize = 1 << 20;
/// Packets in a row without a sound that could be decoded: after that it is no recording.
const BAD_PACKETS_MAX: u32 = 10_000;

/// Why there are no samples, or no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Problem {
    /// The file is not what can be read; in words.
    Unreadable(String),
    /// Whoever takes the samples takes no more.
    Stopped,
}

fn unreadable(what: impl Into<String>) -> Problem {
    Problem::Unreadable(what.into())
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self::Unreadable(match error {
            Error::Unsupported(what) => format!("unsupported: {what}"),
            Error::DecodeError(what) => format!("malformed: {what}"),
            Error::LimitError(what) => format!("a limit of the decoder: {what}"),
            Error::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                "it ends too early".to_owned()
            }
            other => other.to_string(),
        })
    }
}

/// A file to decode.
pub(super) struct Input<R> {
    pub(super) reader: R,
    pub(super) size: u64,
}

impl<R: Read> Read for Input<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.reader.read(buffer)
    }
}

impl<R: Seek> Seek for Input<R> {
    fn seek(&mut self, to: std::io::SeekFrom) -> std::io::Result<u64> {
        self.reader.seek(to)
    }
}

impl<R: Read + Seek + Send + Sync> MediaSource for Input<R> {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.size)
    }
}

/// Decodes the first audio track, mixes its channels into one, and hands out samples at 16 kHz.
///
/// `extension` is only a hint. Packets that are damaged are left out, as players do; a file without any sound that could be
/// decoded is refused.
pub(super) fn decode<R: Read + Seek + Send + Sync + 'static>(
    input: Input<R>,
    extension: &str,
    mut sink: impl FnMut(&[i16]) -> Result<(), Problem>,
) -> Result<(), Problem> {
    let stream = MediaSourceStream::new(
        Box::new(input),
        symphonia::core::io::MediaSourceStreamOptions::default(),
    );
    let mut hint = Hint::new();
    hint.with_extension(extension);
    let (format_options, metadata) = (FormatOptions::default(), MetadataOptions::default());
    let mut format = symphonia::default::get_probe()
        .probe(&hint, stream, format_options, metadata)
        .map_err(|error| match error {
            Error::Unsupported(_) | Error::IoError(_) => {
                unreadable("it is no audio file that is known here")
            }
            other => other.into(),
        })?;
    let mut track = Track::open(&*format)?;
    let mut mixer = Mixer::default();
    let mut sink = |frames: &[f32]| sink(&samples(frames));
    let mut bad_packets = 0;
    loop {
        let packet = match format.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => break,
            // Recordings one behind the other in one Ogg file.
            Err(Error::ResetRequired) => {
                track = Track::open(&*format)?;
                continue;
            }
            // A file that was cut off: what came before it counts.
            Err(_) if mixer.has_sound() => break,
            Err(error) => return Err(error.into()),
        };
        while !format.metadata().is_latest() {
            format.metadata().pop();
        }
        if packet.track_id != track.id {
            continue;
        }
        match track.decoder.decode(&packet) {
            Ok(buffer) => {
                bad_packets = 0;
                mixer.mix(&buffer, &mut sink)?;
            }
            Err(Error::DecodeError(_) | Error::IoError(_)) if bad_packets < BAD_PACKETS_MAX => {
                bad_packets += 1;
            }
            Err(error) => return Err(error.into()),
        }
    }
    mixer.finish(&mut sink)
}

struct Track {
    id: u32,
    decoder: Box<dyn AudioDecoder>,
}

impl Track {
    fn open(format: &dyn FormatReader) -> Result<Self, Problem> {
        let track = format
            .default_track(TrackType::Audio)
            .ok_or_else(|| unreadable("there is no audio track in it"))?;
        let parameters = track.codec_params.as_ref().and_then(|it| it.audio());
        let parameters =
            parameters.ok_or_else(|| unreadable("its audio track has no known codec"))?;
        if let Some(rate) = parameters.sample_rate {
            check_rate(rate)?;
        }
        if let Some(channels) = &parameters.channels {
            check_channels(channels.count())?;
        }
        let options = AudioDecoderOptions::default();
        let decoder =
            codecs().make_audio_decoder(parameters, &options).map_err(|error| match error {
                Error::Unsupported(_) => unreadable("its codec is not known here"),
                other => other.into(),
            })?;
        Ok(Self { id: track.id, decoder })
    }
}

/// All that symphonia decodes by itself, and Opus.
fn codecs() -> CodecRegistry {
    let mut codecs = CodecRegistry::new();
    symphonia::default::register_enabled_codecs(&mut codecs);
    #[cfg(feature = "opus")]
    codecs.register_audio_decoder::<symphonia_adapter_libopus::OpusDecoder>();
    codecs
}

fn check_rate(rate: u32) -> Result<(), Problem> {
    let (least, most) = (RATES.start(), RATES.end());
    let what = || format!("a sampling rate of {rate} Hz; {least} to {most} Hz are taken");
    RATES.contains(&rate).then_some(()).ok_or_else(|| unreadable(what()))
}

fn check_channels(count: usize) -> Result<(), Problem> {
    let what = || format!("{count} channels; 1 to {CHANNELS_MAX} are taken");
    (1..=CHANNELS_MAX).contains(&count).then_some(()).ok_or_else(|| unreadable(what()))
}

/// Mixes all channels into one and brings it to 16 kHz.
#[derive(Default)]
struct Mixer {
    interleaved: Vec<f32>,
    mixed: Vec<f32>,
    /// From the first packet on, with its rate.
    resampler: Option<(u32, Resampler)>,
}

impl Mixer {
    fn has_sound(&self) -> bool {
        self.resampler.is_some()
    }

    fn mix(
        &mut self,
        buffer: &GenericAudioBufferRef<'_>,
        sink: &mut impl FnMut(&[f32]) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        let (rate, channels) = (buffer.spec().rate(), buffer.spec().channels().count());
        if buffer.frames() == 0 {
            return Ok(());
        }
        check_rate(rate)?;
        check_channels(channels)?;
        if buffer.frames() > PACKET_FRAMES_MAX {
            return Err(unreadable(format!("a packet of {} samples", buffer.frames())));
        }
        buffer.copy_to_vec_interleaved(&mut self.interleaved);
        self.mixed.clear();
        #[expect(clippy::cast_precision_loss, reason = "at most 32 channels")]
        let share = 1.0 / channels as f32;
        let frames = self.interleaved.chunks_exact(channels);
        self.mixed.extend(frames.map(|frame| frame.iter().sum::<f32>() * share));
        match &mut self.resampler {
            Some((known, resampler)) if *known == rate => resampler.feed(&self.mixed, sink),
            Some((known, _)) => {
                Err(unreadable(format!("its sampling rate changes from {known} to {rate} Hz")))
            }
            none => {
                let resampler = Resampler::new(rate).map_err(unreadable)?;
                none.insert((rate, resampler)).1.feed(&self.mixed, sink)
            }
        }
    }

    fn finish(self, sink: &mut impl FnMut(&[f32]) -> Result<(), Problem>) -> Result<(), Problem> {
        match self.resampler {
            Some((_, resampler)) => resampler.finish(sink),
            None => Err(unreadable("there is no sound in it that could be decoded")),
        }
    }
}

/// To 16 bits, by the nearest step; what is louder than full scale is cut off, and what is no number is silence.
#[expect(clippy::cast_possible_truncation, reason = "clamped; `as` turns what is no number into 0")]
fn samples(frames: &[f32]) -> Vec<i16> {
    let sample = |frame: &f32| (frame * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16;
    frames.iter().map(sample).collect()
}

const _: () = assert!(*RATES.start() < SAMPLE_RATE && SAMPLE_RATE < *RATES.end());
