"""How a job is followed, and what came of it."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pframe_host.errors import HostGone, JobFailed, PframeError
from pframe_host.host import Host

from .job import Job, JobState

#: Hears how far the work is, from 0 to 1.
Watcher = Callable[[float], None]


@dataclass(frozen=True)
class JobResult:
    """How a job ended. `output` of one that did not complete raises what went wrong."""

    job_id: str
    state: JobState
    #: Why there is no result.
    error: PframeError | None
    #: Attempts, times, memory and fuel, as `pframe-host status --json` names them.
    figures: Mapping[str, Any]
    #: Where the result was written, if the job named a file.
    output_path: Path | None
    _bytes: bytes | None = field(repr=False)
    _decode: Callable[[bytes], Any] | None = field(repr=False)

    @property
    def success(self) -> bool:
        """True where the job completed, and its result is there."""
        return self.error is None

    @property
    def output(self) -> Any:
        """The result: what a registered function returned, a `Transcript`, or bytes of other task types."""
        return self._decode(self.raw) if self._decode else self.raw

    @property
    def raw(self) -> bytes:
        """The result as the handler wrote it."""
        if self.error is not None:
            raise self.error
        if self._bytes is not None:
            return self._bytes
        assert self.output_path is not None, "a result comes back, or stands in a file"
        return self.output_path.read_bytes()

    @property
    def text(self) -> str:
        """The result as text, UTF-8."""
        return self.raw.decode()

    def json(self) -> Any:
        """The result, which is JSON."""
        return json.loads(self.raw)


class JobHandle:
    """A job that was accepted."""

    def __init__(
        self, host: Host, job: Job, output: str | None, decode: Callable[[bytes], Any] | None
    ) -> None:
        self.job = job
        self._host = host
        self._output_path = Path(output) if output else None
        self._decode = decode
        self._ended = threading.Event()
        self._ending: Mapping[str, Any] | None = None
        self._result: JobResult | None = None

    def __repr__(self) -> str:
        return f"<JobHandle {self.id}>"

    @property
    def id(self) -> str:
        """The job's id."""
        return self.job.id

    @property
    def state(self) -> JobState:
        """The state as recorded."""
        if self._ending is not None:
            return self.wait_for_completion().state
        return JobState(self.status()["state"])

    @property
    def progress(self) -> float:
        """How far the job is, from 0 to 1."""
        if self._ended.is_set():
            return 1.0
        return float(self.status()["progress"])

    def status(self) -> Mapping[str, Any]:
        """Everything known of the job, as `pframe-host status --json` names it."""
        answer: Mapping[str, Any] = self._host.ask("status", job=self.id)
        return answer

    def explain(self) -> str | None:
        """Why the job waits; `None` where it does not."""
        answer: str | None = self._host.ask("explain", job=self.id)["explanation"]
        return answer

    def cancel(self) -> bool:
        """Asks for the end; false where the job has ended."""
        return bool(self._host.ask("cancel", job=self.id)["cancelled"])

    def wait_for_completion(self, timeout: float | None = None) -> JobResult:
        """Waits for the end, however the job ends. After `timeout` seconds that is a `TimeoutError`; the job goes on."""
        if not self._ended.wait(timeout):
            raise TimeoutError(f"job {self.id} has not ended after {timeout} s")
        if self._result is None:
            self._result = self._conclude()
        return self._result

    def monitor_progress(self, callback: Watcher | None = None, interval: float = 1.0) -> Iterator[float]:
        """Calls `callback` with the progress each `interval` seconds until the job ends; without one, yields it."""
        return _watch(self, self._ended.wait, callback, interval)

    def _end(self, ending: Mapping[str, Any] | None) -> None:
        """Hears the end; `None` where the program ended before the job."""
        self._ending = ending
        self._ended.set()

    def _conclude(self) -> JobResult:
        if self._ending is None:
            error: PframeError = self._host.gone or HostGone("`pframe-host` has ended")
            return self._without_result(JobState.FAILED, error, {})
        state = JobState(self._ending["state"])
        figures = self._ending["status"] or {}
        fault = self._ending["fault"]
        if fault is not None:
            return self._without_result(state, JobFailed(fault["text"], fault), figures)
        content = None
        if self._output_path is None:
            try:
                content = base64.b64decode(self._host.ask("result", job=self.id)["bytes"])
            except PframeError as gone:
                return self._without_result(state, gone, figures)
        return JobResult(self.id, state, None, figures, self._output_path, content, self._decode)

    def _without_result(
        self, state: JobState, error: PframeError, figures: Mapping[str, Any]
    ) -> JobResult:
        return JobResult(self.id, state, error, figures, None, None, None)


class BatchHandle:
    """Jobs that were accepted together."""

    def __init__(self, jobs: Sequence[JobHandle]) -> None:
        #: One handle for each job, in order.
        self.jobs = list(jobs)

    def __len__(self) -> int:
        return len(self.jobs)

    def __iter__(self) -> Iterator[JobHandle]:
        return iter(self.jobs)

    @property
    def progress(self) -> float:
        """How far all jobs are, from 0 to 1."""
        return sum(job.progress for job in self.jobs) / max(len(self.jobs), 1)

    def cancel(self) -> None:
        """Asks for the end of all that have not ended."""
        for job in self.jobs:
            job.cancel()

    def wait_for_completion(self, timeout: float | None = None) -> list[JobResult]:
        """Waits for all, `timeout` seconds in all; the results are in the order of the jobs."""
        if not self._wait(timeout):
            ended = sum(job._ended.is_set() for job in self.jobs)
            raise TimeoutError(f"{ended} of {len(self.jobs)} jobs have ended after {timeout} s")
        return [job.wait_for_completion() for job in self.jobs]

    def monitor_progress(self, callback: Watcher | None = None, interval: float = 1.0) -> Iterator[float]:
        """Calls `callback` with the progress each `interval` seconds until all have ended; without one, yields it."""
        return _watch(self, self._wait, callback, interval)

    def _wait(self, timeout: float | None) -> bool:
        until = None if timeout is None else time.monotonic() + timeout
        for job in self.jobs:
            left = None if until is None else max(until - time.monotonic(), 0)
            if not job._ended.wait(left):
                return False
        return True


def _watch(
    watched: JobHandle | BatchHandle,
    wait: Callable[[float | None], bool],
    callback: Watcher | None,
    interval: float,
) -> Iterator[float]:
    def shares() -> Iterator[float]:
        while True:
            yield watched.progress
            if wait(interval):
                yield 1.0
                return

    if callback is None:
        return shares()
    for share in shares():
        callback(share)
    return iter(())
