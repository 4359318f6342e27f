"""What a component exports. The module that `componentize-py` is given has a class of the same name for each."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable
from typing import Any

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import input as contract
from wit_world.imports import types

from .chunk import Chunk, Partials
from .failures import Failure, InvalidInput, Transient
from .output import Output


class Handler(exports.Handler):
    """The work on one chunk. Write `class Handler(pframe_guest.Handler)` with a method `handle`."""

    def handle(self, chunk: Chunk, parameters: dict[str, Any], output: Output) -> None:
        """Works on the chunk and writes what came out."""
        raise NotImplementedError("write `def handle(self, chunk, parameters, output)`")

    def run(self, chunk: contract.Chunk, parameters: str) -> None:
        _call(lambda output: self.handle(Chunk(chunk), json.loads(parameters), output))


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
        _call(lambda output: self.merge(Partials(parts), json.loads(parameters), output))

    def finish(self, parts: contract.Partials, parameters: str) -> None:
        _call(lambda output: self.conclude(Partials(parts), json.loads(parameters), output))


def _call(work: Callable[[Output], None]) -> None:
    """Runs the work, and says in the contract's words how it failed."""
    output = Output()
    try:
        work(output)
        output.flush()
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
