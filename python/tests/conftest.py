"""What the tests share: a home of their own, something spoken, a model that knows nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from parallel_framework import ParallelExecutionEngine

#: Who says what, one after the other.
SENTENCES = [
    ("slt", "The boat went down the river before the sun was up."),
    ("rms", "He gave the old man a piece of bread and a cup of milk."),
    ("slt", "In the morning the children went to school in the village."),
    ("rms", "The doctor said that the water was not good to drink."),
]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Models and state of nobody else; the current directory is empty. The cache stays: building takes long."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home/data"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home/state"))
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work


@pytest.fixture
def engine() -> Iterator[ParallelExecutionEngine]:
    with ParallelExecutionEngine() as engine:
        yield engine


@pytest.fixture(scope="session")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording as people have them."""
    folder = tmp_path_factory.mktemp("speech")
    parts = []
    for number, (voice, sentence) in enumerate(SENTENCES):
        parts.append(folder / f"{number}.wav")
        subprocess.run(["flite", "-voice", voice, "-t", sentence, "-o", parts[-1]], check=True)
    inputs = [word for part in parts for word in ("-i", str(part))]
    recording = folder / "audio.mp3"
    joined = f"concat=n={len(parts)}:v=0:a=1"
    command = ["ffmpeg", "-loglevel", "error", *inputs, "-filter_complex", joined, str(recording)]
    subprocess.run(command, check=True)
    return recording


@pytest.fixture
def audio(speech: Path, home: Path) -> Path:
    """The recording, as `audio.mp3` in the current directory."""
    return Path(shutil.copy(speech, home / "audio.mp3"))


@pytest.fixture(scope="session")
def whisper_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of Whisper with random weights: it loads, and hears nonsense."""
    model = tmp_path_factory.mktemp("model") / "ggml-base.bin"
    subprocess.run([os.environ["WHISPER_MODEL_WRITER"], str(model)], check=True)
    return model
