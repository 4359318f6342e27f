"""From a function to a component: its source, what it uses of its module, and `componentize-py`."""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pframe_host.errors import FunctionRefused

from .job import Job
from .source import source_of

if TYPE_CHECKING:
    from .engine import TaskHandler

#: What runs in the component, beside the function: `app.py`, and the WIT package.
_GUEST = Path(__file__).parent / "guest"
#: The parameter by which `app.py` is asked for results that say what kind they are.
FRAMED = "$framed"
#: Begins each of them (RFC 7464): JSON has no such character.
_RECORD = b"\x1e"
#: Seconds that a build may take.
_BUILD_PATIENCE = 300
#: Lines of the builder's complaint that are repeated.
_LAST_WORDS = 15


def build(function: Callable[[Any, Any], Any]) -> Path:
    """The component of a function; built once for the same source."""
    source = source_of(function)
    version = importlib.metadata.version("componentize-py")
    guest = sorted(path for path in _GUEST.iterdir() if path.is_file())
    digest = hashlib.sha256(version.encode())
    for part in [source.encode(), *(path.read_bytes() for path in guest)]:
        digest.update(len(part).to_bytes(8, "big") + part)
    cached = _cache() / f"{digest.hexdigest()}.wasm"
    if not cached.is_file():
        cached.parent.mkdir(parents=True, exist_ok=True)
        _componentize(function.__name__, source, guest, cached)
    return cached


def prepare(job: Job, _: TaskHandler) -> Job:
    """Asks for results that say what kind they are, where they come back; those that go to a file are plain."""
    if job.output is None:
        job.parameters = {**job.parameters, FRAMED: True}
    return job


def decode(result: bytes) -> Any:
    """What the function returned, for one chunk; a list of that for several."""
    if not result.startswith(_RECORD):
        return result
    values = [_value(json.loads(record)) for record in result.split(_RECORD)[1:]]
    return values[0] if len(values) == 1 else values


def _value(record: dict[str, Any]) -> Any:
    ((kind, value),) = record.items()
    return base64.b64decode(value) if kind == "bytes" else value


def _cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "pframe-host" / "functions"


def _componentize(name: str, source: str, guest: list[Path], target: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="pframe-function-") as folder:
        place = Path(folder)
        for path in guest:
            shutil.copy(path, place)
        (place / "function.py").write_text(source)
        (place / "entry.py").write_text(f"from function import {name} as entry\n")
        run = "import sys, componentize_py; sys.exit(componentize_py.script())"
        command = [sys.executable, "-c", run, "--wit-path", "task.wit", "--world", "task"]
        command += ["componentize", "app", "--python-path", ".", "--output", "component.wasm"]
        try:
            built = subprocess.run(
                command,
                cwd=place,
                env={**os.environ, "RUST_BACKTRACE": "0"},  # its own frames say nothing to users
                capture_output=True,
                text=True,
                timeout=_BUILD_PATIENCE,
            )
        except subprocess.TimeoutExpired:
            raise FunctionRefused(f"`{name}` took more than {_BUILD_PATIENCE} s to build") from None
        if built.returncode != 0:
            lines = (built.stderr + built.stdout).strip().splitlines()[-_LAST_WORDS:]
            raise FunctionRefused(f"`{name}` cannot be built:\n" + "\n".join(lines))
        # Whole or not at all: another process may build the same.
        arrived = target.with_suffix(f".{os.getpid()}")
        shutil.copy(place / "component.wasm", arrived)
        os.replace(arrived, target)

