"""The task type `audio_transcription`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from parallel_framework import Job, ParallelExecutionEngine, TaskHandler

AUDIO_TRANSCRIPTION = "audio_transcription"
#: A handler mostly waits for recognisers: so little of a core is its own.
_OWN_CPU_CORES = 0.1


@dataclass(frozen=True)
class Transcript:
    """What was said in a recording."""

    text: str
    #: Each has `start` and `end` in seconds, and `text`; with `word_times` also `words`.
    segments: Sequence[dict[str, Any]]
    #: Of the speech, where the recogniser knows it.
    language: str | None
    #: The model that did the work.
    model: str
    #: The model that was asked for and is not there, where `fallback` let another do its work.
    fallback_from: str | None


def register_transcription_tasks(engine: ParallelExecutionEngine) -> None:
    """Registers `audio_transcription`, the handler that ships with the program.

    Its jobs take `input_data={"audio_file": …}` (or `files`) and the parameters `model_size`, `language`, `chunk_size`,
    `device`, `word_times`, `fallback` and `format`. Without a `format` the result's `output` is a `Transcript`, else text:
    `txt`, `srt`, `vtt` or `json`.
    """
    engine.register_component(AUDIO_TRANSCRIPTION, prepare=_prepare, decode=_decode)


def _prepare(job: Job, handler: TaskHandler) -> Job:
    parameters = {"format": "json", **job.parameters}
    length = parameters.pop("chunk_size", None)
    if job.chunking is None and (length is not None or handler.chunking is None):
        job.chunking = {"strategy": "time"} if length is None else {"strategy": "time", "length": length}
    if job.resource_requirements is None:
        job.resource_requirements = {"cpu_cores": _OWN_CPU_CORES}
    job.parameters = parameters
    job.grants = [*job.grants, "speech"]
    return job


def _decode(result: bytes) -> Any:
    text = result.decode()
    try:
        value = json.loads(text)
    except ValueError:
        return text
    several = isinstance(value, list)
    transcripts = [_transcript(one) for one in (value if several else [value])]
    return transcripts if several else transcripts[0]


def _transcript(value: dict[str, Any]) -> Transcript:
    return Transcript(
        value["text"],
        value["segments"],
        value.get("language"),
        value["model"],
        value.get("fallback_from"),
    )
