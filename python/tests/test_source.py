"""What is taken along of a function's module, and what cannot be."""

from __future__ import annotations

import json
import math
import sys
import types
from dataclasses import dataclass
from typing import Any

import pytest

from parallel_framework import FunctionRefused
from parallel_framework.functions import build, decode
from parallel_framework.source import source_of

try:
    from math import tau
except ImportError:
    tau = 2 * math.pi  # type: ignore[misc]

WORDS = {"a": 1}
WORDS["b"] = 2
UNUSED = open


@dataclass
class Point:
    x: float
    y: float = WORDS["a"]

    def length(self) -> float:
        return math.hypot(self.x, self.y)


def helper(value: float) -> float:
    return Point(value).length() * tau


def uses_much(data: Any, parameters: dict[str, Any]) -> str:
    local = 1
    inner = [helper(number) + local for number in data]
    return json.dumps(inner)


def test_a_function_brings_what_it_uses_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = source_of(uses_much)
    module = types.ModuleType("function")
    monkeypatch.setitem(sys.modules, "function", module)
    exec(source, module.__dict__)
    assert module.uses_much([1.0], {}) == json.dumps([math.hypot(1, 1) * math.tau + 1])
    assert "UNUSED" not in source and "pytest" not in source
    assert "from math import tau" in source


def outer() -> Any:
    def inner(data: Any, parameters: Any) -> None: ...

    return inner


async def waits(data: Any, parameters: Any) -> None: ...


def yields(data: Any, parameters: Any) -> Any:
    yield data


def takes_one(data: Any) -> None: ...


def uses_nothing_known(data: Any, parameters: Any) -> Any:
    return undefined_here(data)  # type: ignore[name-defined]  # noqa: F821


def uses_another_package(data: Any, parameters: Any) -> Any:
    return pytest.approx(data)


def imports_another_package(data: Any, parameters: Any) -> Any:
    import pytest

    return pytest.approx(data)


class Holder:
    def method(self, data: Any, parameters: Any) -> None: ...


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (outer(), "it stands inside of `outer`"),
        (Holder.method, "it stands inside of `Holder`"),
        (Holder().method, "is not a function"),
        (lambda data, parameters: None, "a lambda has no name"),
        (waits, "it is a coroutine"),
        (yields, "it is a coroutine or generator"),
        (takes_one, "takes others"),
        (len, "is not a function"),
        (uses_nothing_known, "uses `undefined_here`, which its module does not define"),
        (uses_another_package, "imports `pytest`, which is not in Python's standard library"),
        (imports_another_package, "imports `pytest`"),
    ],
)
def test_what_cannot_be_taken_along_is_refused_by_name(function: Any, why: str) -> None:
    with pytest.raises(FunctionRefused, match=why):
        source_of(function)


def test_a_function_of_a_prompt_is_refused() -> None:
    scope: dict[str, Any] = {}
    exec("def typed(data, parameters): return data", scope)
    with pytest.raises(FunctionRefused, match="its source cannot be found"):
        source_of(scope["typed"])


def uses_what_no_component_has(data: Any, parameters: Any) -> Any:
    return fcntl.LOCK_EX


import fcntl  # noqa: E402


def test_a_module_that_no_component_has_is_named() -> None:
    with pytest.raises(FunctionRefused, match="(?s)cannot be built.*No module named 'fcntl'"):
        build(uses_what_no_component_has)


def test_results_are_read_back_as_they_were_returned() -> None:
    assert decode(b'\x1e{"json": {"a": 1}}\n') == {"a": 1}
    assert decode(b'\x1e{"json": "1"}\n') == "1"
    assert decode(b'\x1e{"json": null}\n') is None
    assert decode(b'\x1e{"bytes": "/w=="}\n\x1e{"json": 2}\n') == [b"\xff", 2]
    assert decode(b"as the file has it") == b"as the file has it"
