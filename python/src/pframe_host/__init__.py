"""Where the program `pframe-host` is, how to speak with it, and how it fails."""

from .errors import FunctionRefused, HostGone, JobFailed, JobRefused, PframeError
from .host import Host
from .program import find_program

__all__ = [
    "FunctionRefused",
    "Host",
    "HostGone",
    "JobFailed",
    "JobRefused",
    "PframeError",
    "find_program",
]
