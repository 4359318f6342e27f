"""The engine: task types, jobs, and the program that runs them."""

from __future__ import annotations

import atexit
import os
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, TypeVar

from pframe_host.errors import HostGone, JobRefused, PframeError
from pframe_host.host import Host

from . import functions
from .handles import BatchHandle, JobHandle, Watcher
from .job import Job

Function = TypeVar("Function", bound=Callable[[Any, Any], Any])


@dataclass(frozen=True)
class TaskHandler:
    """A task type and the component behind it."""

    name: str
    #: Identity of the component; empty for one of the configuration that no job has used yet.
    sha256: str = ""
    #: Interfaces that the component imports.
    imports: Sequence[str] = ()
    #: Interfaces that it exports.
    exports: Sequence[str] = ()
    #: The function that it was built from.
    function: Callable[[Any, Any], Any] | None = None
    #: How the configuration cuts the inputs of this task type, if it says.
    chunking: Mapping[str, Any] | None = None
    #: Fills in what jobs of this type need and did not say.
    prepare: Callable[[Job, TaskHandler], Job] | None = field(default=None, repr=False)
    #: Makes of the result's bytes what `JobResult.output` gives.
    decode: Callable[[bytes], Any] | None = field(default=None, repr=False)


class ParallelExecutionEngine:
    """Runs jobs, each attempt in a sandbox. Usable from any thread, and in a `with` statement."""

    def __init__(
        self,
        config_path: str | os.PathLike[str] | None = None,
        *,
        state_dir: str | os.PathLike[str] | None = None,
        max_workers: int | None = None,
    ) -> None:
        """Starts the program.

        `config_path` names a configuration file; without it the usual places are looked at. With `state_dir` what is
        done stays done there; without it nothing outlives the engine.
        """
        arguments = ["--allow", "speech"]  # a job has to ask for it as well
        if config_path is not None:
            arguments += ["--config", os.fspath(config_path)]
        if state_dir is not None:
            arguments += ["--state-dir", os.fspath(state_dir)]
        if max_workers is not None:
            arguments += ["--max-workers", str(max_workers)]
        self._jobs: dict[str, JobHandle] = {}
        self._lock = threading.Lock()
        self._handlers: dict[str, TaskHandler] = {}
        self._host = Host(arguments, self._hear)
        self._host.ask("tasks")  # what is wrong with the configuration is said here
        _engines.add(self)

    def __enter__(self) -> ParallelExecutionEngine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the engine, and what it still runs with it."""
        self._host.close()

    def register_task(self, name: str) -> Callable[[Function], Function]:
        """Makes a module-level function `f(data, parameters)` a task type.

        A component is built from its source, with what it uses of its module, and cached by digest: the function never
        runs in this process or in the host, but in a sandbox. `data` is text, the value of JSON, or bytes, as the
        input's media type says; what it returns is the result's `output`. In a file that a job names, bytes and text
        stand as they are, anything else as a line of JSON for each chunk.
        """

        def register(function: Function) -> Function:
            component = functions.build(function)
            self.register_component(
                name,
                component,
                function=function,
                prepare=functions.prepare,
                decode=functions.decode,
            )
            return function

        return register

    def register_component(
        self,
        name: str,
        component: str | os.PathLike[str] | None = None,
        *,
        function: Callable[[Any, Any], Any] | None = None,
        prepare: Callable[[Job, TaskHandler], Job] | None = None,
        decode: Callable[[bytes], Any] | None = None,
    ) -> TaskHandler:
        """Registers a component's file, or, without one, the handler of this name that ships with the program."""
        asked = {"name": name}
        if component is not None:
            asked["component"] = os.path.abspath(component)
        described = self._ask("register", **asked)
        handler = TaskHandler(
            name,
            described["sha256"],
            described["imports"],
            described["exports"],
            function,
            described["chunking"],
            prepare,
            decode,
        )
        with self._lock:
            self._handlers[_plain(name)] = handler
        return handler

    def list_task_types(self) -> list[str]:
        """Names of all task types: those that were registered, and those of the configuration."""
        return sorted(self._known())

    def get_handler(self, task_type: str) -> TaskHandler:
        """The handler of a task type; a `KeyError` says which there are."""
        known = self._known()
        for name, handler in known.items():
            if _plain(name) == _plain(task_type):
                return handler
        raise KeyError(f"no task type `{task_type}`; there are {', '.join(sorted(known)) or 'none'}")

    def submit_job(self, job: Job) -> JobHandle:
        """Submits a job. One that cannot be accepted is a `JobRefused`, and nothing runs."""
        return self.submit_batch([job]).jobs[0]

    def submit_batch(self, jobs: Sequence[Job]) -> BatchHandle:
        """Submits jobs; none of them if one is refused."""
        jobs = [self._prepared(job) for job in jobs]
        entries = [job.to_json() for job in jobs]
        handles = []
        for job, entry in zip(jobs, entries):
            handler = self._handlers.get(_plain(job.task_type))
            output = entry.get("output", {}).get("path")
            decode = handler.decode if handler else None
            handles.append(JobHandle(self._host, job, output, decode))
        with self._lock:
            for handle in handles:
                running = self._jobs.get(handle.id)
                if running is not None:
                    raise JobRefused(f"job `{handle.id}` is there already and has not ended")
            self._jobs.update((handle.id, handle) for handle in handles)
        try:
            self._ask("submit", file={"version": 1, "jobs": entries})
        except BaseException:
            with self._lock:
                for handle in handles:
                    self._jobs.pop(handle.id, None)
            raise
        return BatchHandle(handles)

    def monitor_progress(
        self,
        watched: JobHandle | BatchHandle | str,
        callback: Watcher | None = None,
        interval: float = 1.0,
    ) -> Iterator[float]:
        """Calls `callback` with the progress of a job or batch until it ends; without one, yields it."""
        handle = self._handle(watched) if isinstance(watched, str) else watched
        return handle.monitor_progress(callback, interval)

    def cancel_job(self, job: JobHandle | str) -> bool:
        """Ends a job; false where it has ended before."""
        if isinstance(job, JobHandle):
            return job.cancel()
        with self._lock:
            handle = self._jobs.get(job)
        return handle.cancel() if handle else False

    def _handle(self, job_id: str) -> JobHandle:
        with self._lock:
            handle = self._jobs.get(job_id)
        if handle is None:
            raise KeyError(f"no job `{job_id}` is running")
        return handle

    def _known(self) -> dict[str, TaskHandler]:
        with self._lock:
            known = {handler.name: handler for handler in self._handlers.values()}
            seen = set(self._handlers)
        for task in self._ask("tasks"):
            if _plain(task["name"]) not in seen:
                known[task["name"]] = TaskHandler(
                    task["name"], task.get("sha256", ""), task.get("imports", ()), task.get("exports", ())
                )
        return known

    def _prepared(self, job: Job) -> Job:
        handler = self._handlers.get(_plain(job.task_type))
        return handler.prepare(replace(job), handler) if handler and handler.prepare else job

    def _ask(self, method: str, **params: Any) -> Any:
        try:
            return self._host.ask(method, **params)
        except HostGone:
            raise
        except PframeError as error:
            raise JobRefused(str(error), error.data) from None

    def _hear(self, ending: Mapping[str, Any]) -> None:
        """A job ended; without one all did."""
        with self._lock:
            if ending:
                handle = self._jobs.pop(ending["job"], None)
                handles = [] if handle is None else [handle]
            else:
                handles = list(self._jobs.values())
                self._jobs.clear()
        for handle in handles:
            handle._end(ending or None)


def _plain(name: str) -> str:
    """`-` and `_` are equal in names of task types."""
    return name.replace("_", "-")


#: Closed when Python ends, so that no program is left behind.
_engines: weakref.WeakSet[ParallelExecutionEngine] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    for engine in list(_engines):
        engine.close()
