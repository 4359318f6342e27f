"""A job as it is asked for, and its states."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import timedelta
from enum import Enum
from typing import Any, Union

#: Seconds, or text such as `90s` and `1h 30m`.
Duration = Union[float, str, timedelta]

#: Keys of `input_data` that say where the data is. Those that end in `_file` or `_files` do too.
_SOURCES = ("files", "text", "json", "bytes")


class JobState(str, Enum):
    """The seven states of a job. The last three are ends."""

    PENDING = "pending"
    QUEUED = "queued"
    RUNNING = "running"
    RETRYING = "retrying"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        """True where nothing comes after."""
        return self in (JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED)


@dataclass
class Job:
    """What is to be done. Everything after `parameters` may be left out; the configuration decides then.

    `input_data` names files (`files`, or any key that ends in `_file` or `_files`), or holds the data (`text`,
    `bytes`, `json`). A mapping with other keys is data itself, as JSON.
    """

    #: Unique among the jobs that have not ended.
    id: str
    #: The name under which the task type was registered.
    task_type: str
    input_data: Mapping[str, Any]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    #: Higher goes first; between -1000 and 1000.
    priority: int = 0
    #: For each attempt.
    timeout: Duration | None = None
    #: Accepted for old callers; attempts are counted by the host.
    retry_count: int = 0
    #: Further attempts after failures that may go away.
    max_retries: int | None = None
    #: For the whole job, from acceptance.
    deadline: Duration | None = None
    #: On whose account it runs.
    tenant: str | None = None
    #: Such as `{"strategy": "size", "size": "8MiB"}`.
    chunking: Mapping[str, Any] | None = None
    #: How outputs become one result: `handler`, `concat`, `json-array`, `files` or `none`.
    collect: str | None = None
    #: True takes what ran before on the same input instead of running it again; needs an engine with a `state_dir`.
    cache: bool | None = None
    #: Of each attempt, such as `{"memory": "256MiB", "fuel": "20G"}`.
    limits: Mapping[str, Any] | None = None
    #: Ways out of the sandbox, such as `speech`.
    grants: Sequence[str] = ()
    #: Such as `{"cpu_cores": 2, "memory": "1GiB"}`.
    resource_requirements: Mapping[str, Any] | None = None
    #: `stop`, or `continue` with `max_failed_chunks`.
    on_failure: str | None = None
    max_failed_chunks: int | str | None = None
    #: The file that receives the result; without it the result comes back.
    output: str | os.PathLike[str] | Mapping[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """The job as an entry of a job file; relative paths count from where Python is now."""
        entry: dict[str, Any] = {}
        for each in fields(self):
            value = getattr(self, each.name)
            if value is None or (each.name in ("retry_count", "grants") and not value):
                continue
            entry[each.name] = value
        entry["input_data"] = _input(self.input_data)
        entry["parameters"] = dict(self.parameters)
        entry["grants"] = list(self.grants)
        for name in ("timeout", "deadline"):
            if isinstance(entry.get(name), timedelta):
                entry[name] = entry[name].total_seconds()
        if self.output is not None:
            path = self.output["path"] if isinstance(self.output, Mapping) else self.output
            entry["output"] = {"path": os.path.abspath(path)}
        return entry


def _input(data: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(data, Mapping):
        raise TypeError(f"input_data is a mapping such as {{'text': …}}, not {type(data).__name__}")
    is_source = [key in _SOURCES or key.endswith(("_file", "_files")) for key in data]
    if not any(is_source):
        return {"json": dict(data)}
    return {key: _source(key, value) for key, value in data.items()}


def _source(key: str, value: Any) -> Any:
    if key == "bytes" and isinstance(value, (bytes, bytearray, memoryview)):
        import base64

        return base64.b64encode(value).decode()
    if key in ("text", "json", "bytes"):
        return value
    if isinstance(value, (str, os.PathLike)):
        return os.path.abspath(value)
    return [os.path.abspath(path) for path in value]
