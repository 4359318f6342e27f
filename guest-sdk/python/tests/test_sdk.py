"""The SDK on chunks that a test holds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from componentize_py_types import Err
from wit_world.imports import output as host_output
from wit_world.imports import types

import pframe_guest
from pframe_guest.chunk import Bytes, Partials


class FakeChunk:
    """What the host hands over. Reads are as the contract has them, and at most `piece` bytes long."""

    def __init__(self, data: bytes, media_type: str | None = None) -> None:
        self.data, self.kind = data, media_type

    def size(self) -> int:
        return len(self.data)

    def read(self, offset: int, length: int) -> bytes:
        if offset > len(self.data):
            raise Err(types.ReadError_OutOfRange())
        if length > 1 << 20:
            raise Err(types.ReadError_TooLong())
        return self.data[offset : offset + length]

    def job_id(self) -> str:
        return "job"

    def index(self) -> int:
        return 0

    def count(self) -> int:
        return 1

    def attempt(self) -> int:
        return 1

    def source(self) -> str:
        return "novel.txt"

    def media_type(self) -> str | None:
        return self.kind

    def span(self) -> types.Span:
        return types.Span(0, len(self.data), types.Unit.BYTES)


class FakeSource:
    def __init__(self, data: bytes) -> None:
        self.size, self.read = FakeChunk(data).size, FakeChunk(data).read

    def name(self) -> str:
        return "novel.txt"

    def media_type(self) -> str | None:
        return "text/plain"


class FakePartials:
    def __init__(self, *parts: bytes) -> None:
        self.parts = parts

    def count(self) -> int:
        return len(self.parts)

    def size(self, index: int) -> int:
        return len(self.parts[index])

    def read(self, index: int, offset: int, length: int) -> bytes:
        return self.parts[index][offset : offset + length]


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    pieces: list[bytes] = []
    monkeypatch.setattr(host_output, "write", pieces.append)
    return pieces


def chunk(data: bytes) -> pframe_guest.Chunk:
    return pframe_guest.Chunk(FakeChunk(data))  # type: ignore[arg-type]


def of(data: bytes) -> Bytes:
    return Bytes(len(data), FakeChunk(data).read)


@pytest.mark.parametrize("length", [1, 2, 3, 5, 1 << 20])
def test_lines_are_whole_wherever_a_block_ends(length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data = b"one\r\n\ntwo\n\xff\nthree"
    blocks = Bytes.blocks
    monkeypatch.setattr(Bytes, "blocks", lambda self: blocks(self, length))
    assert list(of(data).lines()) == [b"one", b"", b"two", b"\xff", b"three"]
    assert b"".join(of(data).lines(keepends=True)) == data
    assert list(of(b"a\r\n\nb").lines(keepends=True)) == [b"a\r\n", b"\n", b"b"]
    assert list(of(b"").lines()) == []
    assert list(of(b"\n").lines()) == [b""]


def test_text_that_is_none_is_the_inputs_fault() -> None:
    assert list(of("ä\nb\n".encode()).text_lines()) == ["ä", "b"]
    with pytest.raises(pframe_guest.InvalidInput, match="line 2 is not UTF-8"):
        list(of(b"a\n\xff\n").text_lines())
    with pytest.raises(pframe_guest.InvalidInput, match="not UTF-8 at byte 1"):
        of(b"a\xff").text()
    with pytest.raises(pframe_guest.InvalidInput, match="not JSON"):
        of(b"{").json()
    assert of(b'{"a": 1}').json() == {"a": 1}


def test_reads_are_bounded_and_their_failures_have_a_kind() -> None:
    assert of(b"abcdef").read_at(2, 3) == b"cde"
    with pytest.raises(pframe_guest.Permanent, match="byte 9 lies beyond the end"):
        of(b"abc").read_at(9)
    with pytest.raises(pframe_guest.Permanent, match="more than 1048576 bytes"):
        of(b"abc").read_at(0, 2 << 20)

    def broken(offset: int, length: int) -> bytes:
        raise Err(types.ReadError_Io("the disk is gone"))

    with pytest.raises(pframe_guest.Transient, match="the disk is gone"):
        Bytes(3, broken).read_all()


def test_a_chunk_says_where_it_is_from() -> None:
    one = chunk(b"abc")
    assert (one.source, one.index, one.count, one.size) == ("novel.txt", 0, 1, 3)
    assert one.span == pframe_guest.Span(0, 3, False)


def test_output_is_collected_and_handed_over_in_pieces(written: list[bytes]) -> None:
    output = pframe_guest.Output()
    for _ in range(1000):
        output.write("x" * 100)
    output.write(b"y" * (3 << 20))
    output.write_json({"a": "ä"})
    output.flush()
    assert b"".join(written) == b"x" * 100_000 + b"y" * (3 << 20) + '{"a": "ä"}\n'.encode()
    assert max(map(len, written)) <= 1 << 20
    assert len(written) < 10


class Words(pframe_guest.Handler):
    def handle(
        self, chunk: pframe_guest.Chunk, parameters: dict[str, Any], output: pframe_guest.Output
    ) -> None:
        match parameters.get("do"):
            case "transient":
                raise pframe_guest.Transient("later")
            case "invalid":
                chunk.json()
            case "crash":
                raise KeyError("nothing")
            case _:
                output.write(chunk.text().upper())


def run(parameters: dict[str, Any]) -> types.Failure | None:
    try:
        Words().run(FakeChunk(b"abc"), json.dumps(parameters))  # type: ignore[arg-type]
    except Err as error:
        return error.value  # type: ignore[no-any-return]
    return None


def test_failures_are_told_in_the_contracts_words(
    written: list[bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run({}) is None and written == [b"ABC"]
    assert run({"do": "transient"}) == types.Failure_Transient("later")
    assert isinstance(run({"do": "invalid"}), types.Failure_InvalidInput)
    assert capsys.readouterr().err == ""
    assert run({"do": "crash"}) == types.Failure_Permanent("KeyError: 'nothing'")
    assert "in handle" in capsys.readouterr().err


class Sum(pframe_guest.Collector):
    def merge(
        self, parts: Partials, parameters: dict[str, Any], output: pframe_guest.Output
    ) -> None:
        output.write(str(sum(int(line) for part in parts for line in part.lines())))


def test_a_collector_reads_every_part(written: list[bytes]) -> None:
    Sum().finish(FakePartials(b"1\n2\n", b"", b"30"), "{}")  # type: ignore[arg-type]
    assert written == [b"33"]
    with pytest.raises(IndexError):
        Partials(FakePartials(b""))[1]  # type: ignore[arg-type]


class Lines(pframe_guest.Chunker):
    def split(
        self, source: pframe_guest.Source, parameters: dict[str, Any]
    ) -> Iterator[pframe_guest.Span]:
        assert (source.name, source.media_type) == ("novel.txt", "text/plain")
        start = 0
        for line in source.lines(keepends=True):
            yield pframe_guest.Span(start, start + len(line))
            start += len(line)
        match parameters.get("then"):
            case "json":
                source.json()
            case "fraction":
                yield pframe_guest.Span(start, start / 2)  # type: ignore[arg-type]
            case "negative":
                yield pframe_guest.Span(-1, start)
            case "time":
                yield pframe_guest.Span(0, 5, is_time=True)


def cut(parameters: dict[str, Any]) -> list[types.Span] | types.Failure:
    try:
        return Lines().cut(FakeSource(b"one\r\ntwo\nx"), json.dumps(parameters))  # type: ignore[arg-type]
    except Err as error:
        return error.value  # type: ignore[no-any-return]


def test_a_chunker_yields_spans_and_fails_as_a_handler_does(
    written: list[bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    places = [(0, 5), (5, 9), (9, 10)]
    spans = [types.Span(start, end, types.Unit.BYTES) for start, end in places]
    assert cut({}) == spans
    assert cut({"then": "time"}) == [*spans, types.Span(0, 5, types.Unit.MILLISECONDS)]
    assert isinstance(cut({"then": "json"}), types.Failure_InvalidInput)
    assert cut({"then": "negative"}) == types.Failure_Permanent("a span cannot start or end at -1")
    assert capsys.readouterr().err == ""
    assert cut({"then": "fraction"}) == types.Failure_Permanent(
        "TypeError: 'float' object cannot be interpreted as an integer"
    )
    assert "in _position" in capsys.readouterr().err
    assert written == []
