"""Models that are not there, formats, and what the configuration says."""

from __future__ import annotations

from pathlib import Path

import pytest

import transcriber
from parallel_framework import Job, JobFailed, JobRefused, ParallelExecutionEngine
from transcribe.tasks import Transcript, register_transcription_tasks


def job(**parameters: object) -> Job:
    return Job("talk", "audio_transcription", {"audio_file": "audio.mp3"}, parameters)


def test_a_model_that_is_not_there_is_an_error_that_names_the_command(
    audio: Path, engine: ParallelExecutionEngine
) -> None:
    register_transcription_tasks(engine)
    result = engine.submit_job(job(model_size="large-v3")).wait_for_completion()
    assert not result.success
    with pytest.raises(JobFailed, match="no such model: `large-v3`.*pframe-host models add"):
        result.output
    with pytest.raises(transcriber.TranscriptionError, match="pframe-host models add"):
        transcriber.transcribe_parallel("audio.mp3", "out.txt", model="large-v3")
    assert not Path("out.txt").exists()


def test_with_fallback_pocketsphinx_does_the_work_and_the_result_says_so(
    audio: Path, engine: ParallelExecutionEngine
) -> None:
    register_transcription_tasks(engine)
    asked = job(model_size="large-v3", fallback=True, word_times=True)
    transcript = engine.submit_job(asked).wait_for_completion().output
    assert isinstance(transcript, Transcript)
    assert (transcript.model, transcript.fallback_from) == ("pocketsphinx", "large-v3")
    assert "river" in transcript.text
    words = [word for segment in transcript.segments for word in segment["words"]]
    assert [word["start"] for word in words] == sorted(word["start"] for word in words)

    done = transcriber.transcribe_parallel("audio.mp3", "out.srt", model="large-v3", fallback=True)
    assert done.fallback_from == "large-v3"
    assert done.text.startswith("1\n00:00:0")
    assert done.output_file == Path("out.srt").absolute()


def test_a_form_that_is_asked_for_comes_as_text(
    audio: Path, engine: ParallelExecutionEngine
) -> None:
    register_transcription_tasks(engine)
    asked = job(model_size="pocketsphinx", format="vtt", chunk_size="5s")
    handle = engine.submit_job(asked)
    assert handle.wait_for_completion().output.startswith("WEBVTT\n")
    assert handle.wait_for_completion().figures["chunks"] > 1


def test_the_configuration_cuts_where_a_job_says_nothing(audio: Path) -> None:
    Path("pframe.yaml").write_text(
        "job_types: { audio_transcription: { chunk_strategy: time_based, chunk_size: 5s } }"
    )
    with ParallelExecutionEngine() as engine:
        register_transcription_tasks(engine)
        result = engine.submit_job(job(model_size="pocketsphinx")).wait_for_completion()
    assert result.figures["chunks"] > 1


def test_what_is_no_recording_is_refused_before_anything_runs(
    engine: ParallelExecutionEngine,
) -> None:
    register_transcription_tasks(engine)
    Path("audio.mp3").write_text("this is no recording")
    with pytest.raises(JobRefused, match="PF110.*") as refused:
        engine.submit_job(job(model_size="pocketsphinx"))
    assert refused.value.code == "PF110"
    Path("audio.mp3").unlink()
    with pytest.raises(JobRefused, match="there is no such file|No such file"):
        engine.submit_job(job(model_size="pocketsphinx"))
    with pytest.raises(transcriber.TranscriptionError, match="audio.mp3"):
        transcriber.transcribe_parallel("audio.mp3", "out.txt")
