"""Transcription in one call, as the script of old had it.

    import transcriber

    transcriber.transcribe_parallel(input_file="audio.mp3", output_file="output.txt", num_threads=4)
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from pframe_host.errors import HostGone, PframeError
from pframe_host.program import find_program

__all__ = ["Transcription", "TranscriptionError", "transcribe_parallel"]


class TranscriptionError(PframeError):
    """There is no transcript; the message says why, and what to do."""


@dataclass(frozen=True)
class Transcription:
    """What came of a recording."""

    #: Where the transcript stands.
    output_file: Path
    #: The model that was asked for and is not there, where `fallback` let PocketSphinx do its work.
    fallback_from: str | None
    #: What the program remarked.
    notes: list[str]

    @property
    def text(self) -> str:
        """The transcript."""
        return self.output_file.read_text()


def transcribe_parallel(
    input_file: str | os.PathLike[str],
    output_file: str | os.PathLike[str],
    num_threads: int = 4,
    *,
    model: str | None = None,
    language: str | None = None,
    format: str | None = None,
    chunk_size: str | float | None = None,
    device: str = "auto",
    word_times: bool = False,
    fallback: bool = False,
    show_progress: bool = False,
) -> Transcription:
    """Writes what is said in a recording to a file, and returns once it stands there as a whole.

    Without a `model` it is `base`, or `pocketsphinx` where no `base` was added; one that is asked for and not there is
    an error, unless `fallback` lets PocketSphinx do its work. Without a `format` the output's name decides: txt, srt,
    vtt or json. `num_threads` windows of speech are recognised at once. A call that was interrupted goes on where it
    was when it is made again. With `show_progress` the program draws on this process's stderr.
    """
    source, target = Path(input_file).absolute(), Path(output_file).absolute()
    state = _state_dir(source, target)
    command = [str(find_program()), "transcribe", str(source), "--output", str(target)]
    command += ["--num-threads", str(num_threads), "--device", device, "--state-dir", str(state)]
    options = {"--model": model, "--language": language, "--format": format, "--chunk-size": chunk_size}
    for name, value in options.items():
        if value is not None:
            command += [name, str(value)]
    switches = {"--word-times": word_times, "--fallback": fallback, "--quiet": not show_progress}
    command += [name for name, is_on in switches.items() if is_on]
    missing = _missing(model) if fallback else None
    stderr = None if show_progress else subprocess.PIPE
    try:
        ended = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=stderr)
    except OSError as error:
        raise HostGone(f"`{command[0]}` cannot be started: {error.strerror}") from error
    talk = (ended.stderr or b"").decode(errors="replace").strip().splitlines()
    notes = [line for line in talk if line.startswith("note: ")]
    if ended.returncode != 0:
        said = "\n".join(line for line in talk if line not in notes)
        raise TranscriptionError(said or f"`pframe-host` ended with exit code {ended.returncode}")
    shutil.rmtree(state, ignore_errors=True)
    return Transcription(target, missing, notes)


def _missing(model: str | None) -> str | None:
    """The model, if it is asked for and not there."""
    if model is None:
        return None
    command = [str(find_program()), "models", "list", "--json"]
    listed = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    there = {one["name"] for one in json.loads(listed)}
    return None if model in there else model


def _state_dir(source: Path, target: Path) -> Path:
    """Each pair of files has its own, so that calls at the same time are not in each other's way."""
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    key = hashlib.sha256(f"{source}\0{target}".encode()).hexdigest()[:16]
    return Path(home) / "pframe-host" / "transcriber" / key
