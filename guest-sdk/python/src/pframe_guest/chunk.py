"""What a task reads: its chunk, the source that it cuts, or what earlier calls wrote."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from componentize_py_types import Err
from wit_world.imports import input as contract
from wit_world.imports import types

from .failures import Failure, InvalidInput, Permanent, Transient

#: Bytes of one read at most, as the contract says.
PIECE_BYTES_MAX = 1 << 20


@dataclass(frozen=True)
class Span:
    """A half-open range of a source, in bytes, or in milliseconds of a recording."""

    start: int
    end: int
    is_time: bool = False


class Bytes:
    """Bytes that the host holds; read a piece at a time, in any order."""

    def __init__(self, size: int, read: Callable[[int, int], bytes]) -> None:
        #: How many there are.
        self.size = size
        self._read = read

    def read_at(self, offset: int, length: int = PIECE_BYTES_MAX) -> bytes:
        """Up to `length` bytes, at most 1 MiB, from `offset`; fewer only where the end comes first."""
        try:
            return self._read(offset, length)
        except Err as error:
            raise _failure(error.value, offset) from None

    def blocks(self, length: int = PIECE_BYTES_MAX) -> Iterator[bytes]:
        """All of it, so many bytes at a time."""
        for offset in range(0, self.size, length):
            yield self.read_at(offset, length)

    def lines(self, keepends: bool = False) -> Iterator[bytes]:
        """Its lines without their ends (`\\n` or `\\r\\n`); a last line without an end counts. Bytes: nothing is lost where
        the text is not UTF-8. With `keepends` the lengths of the lines add up to offsets."""
        rest = bytearray()
        for block in self.blocks():
            start = 0
            while (end := block.find(b"\n", start)) >= 0:
                line = block[start:end]
                if rest:
                    line = bytes(rest) + line
                    rest.clear()
                if keepends:
                    yield line + b"\n"
                else:
                    yield line[:-1] if line.endswith(b"\r") else line
                start = end + 1
            rest += block[start:]
        if rest:
            yield bytes(rest)

    def text_lines(self) -> Iterator[str]:
        """Its lines as text; what is not UTF-8 is an `InvalidInput` that names the line."""
        for number, line in enumerate(self.lines(), 1):
            try:
                yield line.decode()
            except UnicodeDecodeError as error:
                raise InvalidInput(f"line {number} is not UTF-8: {error.reason}") from None

    def read_all(self) -> bytes:
        """All of it in memory."""
        return b"".join(self.blocks())

    def text(self) -> str:
        """All of it as text."""
        try:
            return self.read_all().decode()
        except UnicodeDecodeError as error:
            raise InvalidInput(f"the text is not UTF-8 at byte {error.start}") from None

    def json(self) -> Any:
        """All of it as the value of JSON."""
        try:
            return json.loads(self.read_all())
        except ValueError as error:
            raise InvalidInput(f"the data is not JSON: {error}") from None


class Chunk(Bytes):
    """One slice of one input: what a handler works on."""

    def __init__(self, chunk: contract.Chunk) -> None:
        super().__init__(chunk.size(), chunk.read)
        #: The job that it belongs to.
        self.job_id = chunk.job_id()
        #: Its place among the chunks of its job, from 0.
        self.index = chunk.index()
        #: How many chunks the job has.
        self.count = chunk.count()
        #: Which try this is, from 1.
        self.attempt = chunk.attempt()
        #: The name of the source that it was cut from.
        self.source = chunk.source()
        #: Such as `text/plain`, where the host knows it.
        self.media_type = chunk.media_type()
        span = chunk.span()
        #: Where it lies in its source.
        self.span = Span(span.start, span.end, span.unit == types.Unit.MILLISECONDS)


class Source(Bytes):
    """One whole input: what a chunker cuts."""

    def __init__(self, source: contract.Source) -> None:
        super().__init__(source.size(), source.read)
        #: Its name for people; not a path to open.
        self.name = source.name()
        #: Such as `text/plain`, where the host knows it.
        self.media_type = source.media_type()


class Partials:
    """What earlier calls wrote, in the order of the chunks: what a collector works on."""

    def __init__(self, partials: contract.Partials) -> None:
        self._partials = partials

    def __len__(self) -> int:
        return self._partials.count()

    def __iter__(self) -> Iterator[Bytes]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> Bytes:
        if not 0 <= index < len(self):
            raise IndexError(f"there are {len(self)} parts")
        read = lambda offset, length: self._partials.read(index, offset, length)  # noqa: E731
        return Bytes(self._partials.size(index), read)


def _failure(error: types.ReadError, offset: int) -> Failure:
    if isinstance(error, types.ReadError_InputChanged):
        return Permanent("the input is no longer what it was when the job was accepted")
    if isinstance(error, types.ReadError_Io):
        return Transient(f"reading at byte {offset}: {error.value}")
    if isinstance(error, types.ReadError_TooLong):
        return Permanent(f"more than {PIECE_BYTES_MAX} bytes were asked for at once")
    return Permanent(f"byte {offset} lies beyond the end")
