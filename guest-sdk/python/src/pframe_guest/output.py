"""What a task makes."""

from __future__ import annotations

import json
from typing import Any

from componentize_py_types import Err
from wit_world.imports import output as contract
from wit_world.imports import progress

from .failures import Permanent

#: Bytes of one write at most, as the contract says.
PIECE_BYTES_MAX = 1 << 20
#: Small writes are collected up to here: each call of the host costs more than they do.
COLLECTED_BYTES_MAX = 64 << 10


class Output:
    """The result of the running call. It counts only if the call ends well."""

    def __init__(self) -> None:
        self._collected = bytearray()

    def write(self, data: bytes | bytearray | memoryview | str) -> None:
        """Appends bytes, or text as UTF-8."""
        self._collected += data.encode() if isinstance(data, str) else data
        if len(self._collected) >= COLLECTED_BYTES_MAX:
            self.flush()

    def write_json(self, value: Any) -> None:
        """Appends a value as one line of JSON."""
        self.write(json.dumps(value, ensure_ascii=False) + "\n")

    def flush(self) -> None:
        """Hands over what was collected; the end of the call does so too."""
        view = bytes(self._collected)
        self._collected.clear()
        for start in range(0, len(view), PIECE_BYTES_MAX):
            try:
                contract.write(view[start : start + PIECE_BYTES_MAX])
            except Err as error:
                raise Permanent(f"writing: {error.value}") from None


def report_progress(done: float, message: str | None = None) -> None:
    """Says how much of this call is done, from 0 to 1, with a short word for people."""
    progress.report(done, message)
