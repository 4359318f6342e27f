"""A handler that calls one function. Runs in the component; `entry` is written beside it."""

import base64
import json
import sys
import traceback

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import output
from wit_world.imports.types import (
    Failure_InvalidInput,
    Failure_Permanent,
    Failure_Transient,
)

from entry import entry
from parallel_framework import TryAgain

#: Bytes of one read or write at most, as the contract says.
PIECE = 1 << 20
BYTES = (bytes, bytearray, memoryview)


class Handler(exports.Handler):
    def run(self, chunk, parameters):
        data, parameters = decoded(chunk), json.loads(parameters)
        is_framed = parameters.pop("$framed", False)
        try:
            result = entry(data, parameters)
        except TryAgain as error:
            raise Err(Failure_Transient(str(error) or "the function asked for another attempt"))
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            raise Err(Failure_Permanent(f"{type(error).__name__}: {error}"))
        write(framed(result) if is_framed else encoded(result))


def decoded(chunk):
    """Text, the value of JSON, or bytes, as the media type says."""
    data = b"".join(chunk.read(at, PIECE) for at in range(0, chunk.size(), PIECE))
    kind = chunk.media_type() or ""
    try:
        if kind == "application/json":
            return json.loads(data)
        if kind.startswith("text/"):
            return data.decode()
    except ValueError as error:
        raise Err(Failure_InvalidInput(f"{chunk.source()} is not {kind}: {error}"))
    return data


def framed(result):
    """A record that says what kind the result is (RFC 7464)."""
    if isinstance(result, BYTES):
        record = {"bytes": base64.b64encode(result).decode()}
    else:
        record = {"json": result}
    return b"\x1e" + to_json(record) + b"\n"


def encoded(result):
    """Bytes and text as they are, anything else as a line of JSON."""
    if isinstance(result, BYTES):
        return bytes(result)
    return result.encode() if isinstance(result, str) else to_json(result) + b"\n"


def to_json(value):
    try:
        return json.dumps(value).encode()
    except (TypeError, ValueError) as error:
        raise Err(Failure_Permanent(f"what the function returned has no JSON form: {error}"))


def write(data):
    for at in range(0, len(data), PIECE):
        output.write(data[at : at + PIECE])
