//! `pframe-host transcribe INPUT… -o OUT`
//!
//! Owns: the one-line way from recordings to text or subtitles: a job for each recording, cut by time.
//! Never: does anything that a job file could not say.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use pframe_core::config::Count;
use pframe_core::ids::TenantName;
use pframe_core::job::{
    Chunking, ComponentPlace, Grant, InputRequest, JobFile, JobRequest, RequirementsRequest,
    TaskDeclaration,
};
use pframe_core::units::{CpuCores, parse_duration};
use pframe_speech::BYTES_PER_MS;
use serde_json::json;

use super::arguments::TranscribeArguments;
use super::failure::Failure;
use super::jobs::Jobs;
use super::porch::Porch;
use super::run::{Kept, Watched, go};
use super::shipped::shipped;
use crate::engine::Planned;
use crate::recogniser::{Models, POCKETSPHINX};
use crate::reporter::told::say;

/// The task type.
const TASK: &str = "audio-transcription";
/// The model of whoever asks for none.
const MODEL: &str = "base";
/// Files of a directory that are taken for recordings.
const EXTENSIONS: [&str; 9] = ["wav", "flac", "ogg", "oga", "opus", "mp3", "m4a", "mp4", "aac"];
/// Length of the pieces where nothing is said.
const LENGTH: Duration = Duration::from_mins(10);
/// A handler mostly waits for recognisers: so little of a core is its own.
const OWN_CPU_THOUSANDTHS: u32 = 100;

pub(super) fn transcribe(
    mut porch: Porch,
    arguments: &TranscribeArguments,
) -> Result<ExitCode, Failure> {
    // Who types this command grants it to himself.
    let tenant = porch.config.tenants.entry(TenantName::default_tenant()).or_default();
    tenant.grants.push(Grant::Speech);
    if let Some(threads) = arguments.num_threads {
        porch.config.speech.recognisers = Count::Exactly(threads);
    }
    let model = match &arguments.model {
        Some(model) => model.clone(),
        None => default_model(&porch)?,
    };
    let jobs = jobs(arguments, &model)?;
    go(&porch, &jobs, &arguments.show, Watched::Speech(length), Kept::Taken)
}

/// The best that is there for somebody who asked for none.
fn default_model(porch: &Porch) -> Result<String, Failure> {
    let models = Models::new(&porch.models_dir).list()?;
    let has = |name: &str| models.iter().any(|model| model.name == name);
    if has(MODEL) || !has(POCKETSPHINX) {
        return Ok(MODEL.into());
    }
    say(&format!(
        "note: there is no model `{MODEL}`, `{POCKETSPHINX}` does its work; `pframe-host models add {MODEL} FILE` adds one"
    ));
    Ok(POCKETSPHINX.into())
}

/// How long all recordings are.
fn length(planned: &[Planned]) -> Duration {
    let ms = planned.iter().map(|plan| {
        let mut ends: BTreeMap<u32, u64> = BTreeMap::new();
        for chunk in plan.chunks.iter().flat_map(|chunks| chunks.iter()) {
            let end = ends.entry(chunk.source).or_default();
            *end = (*end).max(chunk.end / BYTES_PER_MS);
        }
        ends.values().sum::<u64>()
    });
    Duration::from_millis(ms.sum())
}

fn jobs(arguments: &TranscribeArguments, model: &str) -> Result<Jobs, Failure> {
    let recordings = recordings(&arguments.inputs)?;
    let targets = targets(&recordings, arguments)?;
    let task: pframe_core::ids::TaskName = TASK.parse().expect("a valid name");
    let component = shipped(&task)?;
    let length = match arguments.chunk_size.as_deref().map(parse_duration).transpose() {
        Ok(length) => length.unwrap_or(LENGTH),
        Err(error) => return Err(Failure::Usage(format!("`--chunk-size`: {error}"))),
    };
    let format = format(arguments)?;
    let mut jobs = Vec::new();
    for (index, (recording, target)) in recordings.iter().zip(targets).enumerate() {
        let id = format!("transcribe-{}", index + 1).parse().expect("a valid id");
        let path = utf8(recording)?.to_owned();
        let mut job = JobRequest::new(id, task.clone(), InputRequest::Files(vec![path.into()]));
        job.parameters = json!({
            "model_size": model,
            "language": arguments.language,
            "device": arguments.device,
            "word_times": arguments.word_times,
            "format": format,
            "fallback": arguments.fallback,
        });
        job.chunking = Some(Chunking::Time { length });
        job.grants = vec![Grant::Speech];
        job.requirements = RequirementsRequest {
            cpu: Some(CpuCores(OWN_CPU_THOUSANDTHS)),
            ..RequirementsRequest::default()
        };
        job.limits.timeout = Some(Duration::from_hours(24));
        job.output = target.as_deref().map(utf8).transpose()?.map(str::to_owned);
        jobs.push(job);
    }
    let component = ComponentPlace::File(utf8(&component)?.to_owned());
    let declaration = TaskDeclaration { component, sha256: None };
    let file = JobFile { tasks: [(task, declaration)].into(), jobs, remarks: Vec::new() };
    let (path, base_dir) = (PathBuf::from("transcribe"), PathBuf::from("."));
    Ok(Jobs { path, file, base_dir, text: Vec::new() })
}

fn utf8(path: &Path) -> Result<&str, Failure> {
    path.to_str().ok_or_else(|| Failure::Usage(format!("`{}` is not UTF-8", path.display())))
}

/// Files as they are; of directories the audio files in them, in the order of their names.
fn recordings(inputs: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut recordings = Vec::new();
    for input in inputs {
        if !input.is_dir() {
            recordings.push(input.clone());
            continue;
        }
        let entries = std::fs::read_dir(input)
            .map_err(|error| Failure::Usage(format!("`{}`: {error}", input.display())))?;
        let mut found: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        found.retain(|path| path.is_file() && is_audio(path));
        if found.is_empty() {
            let known = EXTENSIONS.join(", ");
            let what = format!("`{}` has no audio files ({known})", input.display());
            return Err(Failure::Usage(what));
        }
        found.sort();
        recordings.extend(found);
    }
    Ok(recordings)
}

fn is_audio(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|it| EXTENSIONS.contains(&it.to_ascii_lowercase().as_str()))
}

/// What is asked for, else what the name of the output says, else plain text.
fn format(arguments: &TranscribeArguments) -> Result<String, Failure> {
    const FORMATS: [&str; 4] = ["txt", "srt", "vtt", "json"];
    let of_name = || {
        let output = arguments.output.as_deref().filter(|output| !output.is_dir())?;
        output.extension()?.to_str().map(str::to_ascii_lowercase)
    };
    match arguments.format.clone().or_else(of_name) {
        None => Ok("txt".into()),
        Some(known) if FORMATS.contains(&known.as_str()) => Ok(known),
        Some(other) => Err(Failure::Usage(format!(
            "`.{other}` is no form of a transcript: txt, srt, vtt or json; `--format` says which"
        ))),
    }
}

/// Where each transcript goes: the file that was named, or one for each recording in the directory that was named.
fn targets(
    recordings: &[PathBuf],
    arguments: &TranscribeArguments,
) -> Result<Vec<Option<PathBuf>>, Failure> {
    let format = format(arguments)?;
    match (&arguments.output, recordings) {
        (None, [_]) => Ok(vec![None]),
        (None, several) => {
            let what = format!("{} recordings need `-o DIRECTORY`", several.len());
            Err(Failure::Usage(what))
        }
        (Some(output), [_]) if !output.is_dir() && !ends_with_slash(output) => {
            Ok(vec![Some(output.clone())])
        }
        (Some(output), several) => {
            if output.is_file() {
                let (count, shown) = (several.len(), output.display());
                let what = format!("{count} recordings need a directory, and `{shown}` is a file");
                return Err(Failure::Usage(what));
            }
            in_directory(output, several, &format)
        }
    }
}

fn ends_with_slash(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().ends_with(b"/")
}

fn in_directory(
    directory: &Path,
    recordings: &[PathBuf],
    format: &str,
) -> Result<Vec<Option<PathBuf>>, Failure> {
    let mut taken: BTreeMap<PathBuf, &Path> = BTreeMap::new();
    let mut targets = Vec::new();
    for recording in recordings {
        let stem = recording.file_stem().unwrap_or_default().to_string_lossy();
        let target = directory.join(format!("{stem}.{format}"));
        if let Some(other) = taken.insert(target.clone(), recording) {
            let (one, two, shown) = (other.display(), recording.display(), target.display());
            return Err(Failure::Usage(format!("`{one}` and `{two}` would both become `{shown}`")));
        }
        targets.push(Some(target));
    }
    Ok(targets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(
        inputs: &[&str],
        output: Option<&str>,
        format: Option<&str>,
    ) -> TranscribeArguments {
        TranscribeArguments {
            inputs: inputs.iter().map(PathBuf::from).collect(),
            output: output.map(PathBuf::from),
            format: format.map(str::to_owned),
            ..TranscribeArguments::for_tests()
        }
    }

    fn places(inputs: &[&str], output: Option<&str>, format: Option<&str>) -> String {
        let arguments = arguments(inputs, output, format);
        match targets(&arguments.inputs, &arguments) {
            Ok(targets) => {
                let shown = targets.iter().map(|target| match target {
                    Some(path) => path.display().to_string(),
                    None => "stdout".into(),
                });
                shown.collect::<Vec<_>>().join(" ")
            }
            Err(Failure::Usage(what)) => format!("error: {what}"),
            Err(_) => "another failure".into(),
        }
    }

    #[test]
    fn each_transcript_has_a_place_of_its_own() {
        let seen = [
            places(&["a.mp3"], None, None),
            places(&["a.mp3"], Some("out.srt"), None),
            places(&["a.mp3"], Some("no-such-folder/"), Some("vtt")),
            places(&["x/a.mp3", "y/b.wav"], Some("no-such-folder"), Some("srt")),
            places(&["x/a.mp3", "y/a.wav"], Some("no-such-folder"), None),
            places(&["a.mp3", "b.mp3"], None, None),
            places(&["a.mp3"], Some("out.doc"), None),
        ];
        let expect = expect_test::expect![[r#"
            stdout
            out.srt
            no-such-folder/a.vtt
            no-such-folder/a.srt no-such-folder/b.srt
            error: `x/a.mp3` and `y/a.wav` would both become `no-such-folder/a.txt`
            error: 2 recordings need `-o DIRECTORY`
            error: `.doc` is no form of a transcript: txt, srt, vtt or json; `--format` says which"#]];
        expect.assert_eq(&seen.join("\n"));
    }
}
