"""A running `pframe-host serve --stdio`: JSON-RPC 2.0, a message a line."""

from __future__ import annotations

import json
import logging
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import IO, Any

from .errors import HostGone, PframeError
from .program import find_program

log = logging.getLogger("pframe_host")

#: Seconds that the program gets to end once nobody asks anything.
_CLOSE_PATIENCE = 5.0
#: Lines of its stderr that are repeated when it dies.
_LAST_WORDS = 20


class Host:
    """The program, for as long as this object is open. Any thread may ask."""

    def __init__(
        self, arguments: Sequence[str] = (), on_ended: Callable[[Mapping[str, Any]], None] | None = None
    ) -> None:
        """Starts it. `arguments` follow `serve --stdio`; `on_ended` hears of each job that has ended."""
        command = [str(find_program()), "serve", "--stdio", *arguments]
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                # Ctrl-C is for Python, which ends the program by closing its stdin.
                start_new_session=True,
            )
        except OSError as error:
            raise HostGone(f"`{command[0]}` cannot be started: {error.strerror}") from error
        self._on_ended = on_ended
        self._lock = threading.Lock()
        self._waiting: dict[int, Future[Any]] = {}
        self._next_id = 1
        self._gone: HostGone | None = None
        self._last_words: deque[str] = deque(maxlen=_LAST_WORDS)
        self._listener = threading.Thread(target=self._talk, daemon=True)
        self._listener.start()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def ask(self, method: str, **params: Any) -> Any:
        """Asks, and waits for the answer. A refusal is a `PframeError`, a program that died a `HostGone`."""
        future: Future[Any] = Future()
        with self._lock:
            if self._gone is not None:
                raise self._gone
            number = self._next_id
            self._next_id += 1
            self._waiting[number] = future
            message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
            try:
                stdin = _pipe(self._process.stdin)
                stdin.write(json.dumps(message).encode() + b"\n")
                stdin.flush()
            except (OSError, ValueError):
                pass  # The reader finds out why, and tells all who wait.
        return future.result()

    def close(self) -> None:
        """Ends the program, and what it still runs with it."""
        with self._lock:
            try:
                _pipe(self._process.stdin).close()
            except OSError:
                pass
        try:
            self._process.wait(_CLOSE_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if threading.current_thread() is not self._reader:
            self._reader.join(_CLOSE_PATIENCE)

    @property
    def gone(self) -> HostGone | None:
        """Why there is no program any more."""
        return self._gone

    def _talk(self) -> None:
        for line in _pipe(self._process.stderr):
            text = line.decode(errors="replace").rstrip()
            self._last_words.append(text)
            log.info("%s", text)

    def _read(self) -> None:
        for line in _pipe(self._process.stdout):
            message = json.loads(line)
            if "method" in message:
                if message["method"] == "ended" and self._on_ended is not None:
                    self._on_ended(message["params"])
                continue
            with self._lock:
                future = self._waiting.pop(message["id"], None)
            if future is None:
                continue
            error = message.get("error")
            if error is None:
                future.set_result(message["result"])
            else:
                future.set_exception(PframeError(error["message"], error.get("data")))
        self._mourn()

    def _mourn(self) -> None:
        code = self._process.wait()
        self._listener.join(_CLOSE_PATIENCE)
        words = "\n".join(self._last_words)
        gone = HostGone(f"`pframe-host` ended with exit code {code}" + (f":\n{words}" if words else ""))
        with self._lock:
            self._gone = gone
            waiting = list(self._waiting.values())
            self._waiting.clear()
        for future in waiting:
            future.set_exception(gone)
        if self._on_ended is not None:
            self._on_ended({})


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None, "all three were asked for"
    return pipe
