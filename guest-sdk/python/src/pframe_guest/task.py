"""What a component exports. The module that `componentize-py` is given has a class of the same name for each."""

from __future__ import annotations

import json
import operator
import sys
import traceback
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import input as contract
from wit_world.imports import types

from .chunk import Chunk, Partials, Source, Span
from .failures import Failure, InvalidInput, Permanent, Transient
from .output import Output

Result = TypeVar("Result")


class Handler(exports.Handler):
    """The work on one chunk. Write `class Handler(pframe_guest.Handler)` with a method `handle`."""

    def handle(self, chunk: Chunk, parameters: dict[str, Any], output: Output) -> None:
        """Works on the chunk and writes what came out."""
        raise NotImplementedError("write `def handle(self, chunk, parameters, output)`")

    def run(self, chunk: contract.Chunk, parameters: str) -> None:
        _write(lambda output: self.handle(Chunk(chunk), json.loads(parameters), output))


class Chunker:
    """Custom cuts, for `chunking: { strategy: custom }`. Write `class Chunker(pframe_guest.Chunker)` with a method `split`."""

    def split(self, source: Source, parameters: dict[str, Any]) -> Iterable[Span]:
        """Cuts the source: in order, none empty, none over another. What lies between them is left out on purpose."""
        raise NotImplementedError("write `def split(self, source, parameters)`")

    def cut(self, source: contract.Source, parameters: str) -> list[types.Span]:
        return _call(
            lambda: [_told(span) for span in self.split(Source(source), json.loads(parameters))]
        )


class Collector:
    """From many results to one. Write `class Collector(pframe_guest.Collector)` with `merge`, and `conclude` if the result has
    another form than its parts."""

    def merge(self, parts: Partials, parameters: dict[str, Any], output: Output) -> None:
        """Turns several parts into one of the same kind; associative."""
        raise NotImplementedError("write `def merge(self, parts, parameters, output)`")

    def conclude(self, parts: Partials, parameters: dict[str, Any], output: Output) -> None:
        """Turns the parts that are left into the result of the job."""
        self.merge(parts, parameters, output)

    def combine(self, parts: contract.Partials, parameters: str) -> None:
        _write(lambda output: self.merge(Partials(parts), json.loads(parameters), output))

    def finish(self, parts: contract.Partials, parameters: str) -> None:
        _write(lambda output: self.conclude(Partials(parts), json.loads(parameters), output))


def _write(work: Callable[[Output], None]) -> None:
    """Runs work that has a result, and hands over the rest of it."""

    def whole() -> None:
        output = Output()
        work(output)
        output.flush()

    _call(whole)


def _call(work: Callable[[], Result]) -> Result:
    """Runs the work, and says in the contract's words how it failed."""
    try:
        return work()
    except Failure as failure:
        raise Err(_word(failure)(str(failure))) from None
    except Exception as error:
        traceback.print_exc(file=sys.stderr)
        raise Err(types.Failure_Permanent(f"{type(error).__name__}: {error}")) from None


def _word(failure: Failure) -> type[Any]:
    if isinstance(failure, InvalidInput):
        return types.Failure_InvalidInput
    if isinstance(failure, Transient):
        return types.Failure_Transient
    return types.Failure_Permanent


def _told(span: Span) -> types.Span:
    """A span in the contract's words. The host says which ones it refuses."""
    unit = types.Unit.MILLISECONDS if span.is_time else types.Unit.BYTES
    return types.Span(_position(span.start), _position(span.end), unit)


def _position(value: int) -> int:
    """A place in a source, if it is one that the contract has a word for."""
    position = operator.index(value)
    if 0 <= position < 1 << 64:
        return position
    raise Permanent(f"a span cannot start or end at {position}")
