"""What can go wrong, as exceptions; all of them are `PframeError`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class PframeError(Exception):
    """Something went wrong. `str()` of it is for people: what happened, and what to do."""

    def __init__(self, message: str, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        #: Everything that the program said, as it said it.
        self.data: Mapping[str, Any] = data or {}

    @property
    def code(self) -> str | None:
        """The stable code, such as `PF302`; `pframe-host explain PF302` has more."""
        return self.data.get("code")

    @property
    def origin(self) -> str | None:
        """Whose move it is: `job`, `task`, `machine` or `host`."""
        return self.data.get("origin")

    @property
    def advice(self) -> str | None:
        """What to do about it."""
        return self.data.get("advice")


class JobRefused(PframeError):
    """The job, its input or its task type cannot be used. Nothing ran."""


class JobFailed(PframeError):
    """The job was accepted, and ended without a result."""


class FunctionRefused(PframeError):
    """A function cannot become a task type; the message says why."""


class HostGone(PframeError):
    """The program ended, or could not be started."""
