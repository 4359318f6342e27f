"""Write a handler for pframe-host in Python.

    import pframe_guest

    class Handler(pframe_guest.Handler):
        def handle(self, chunk, parameters, output):
            output.write(f"{sum(1 for _ in chunk.lines())}\\n")

Built by `componentize-py` (README.md). Everything that a handler is given comes through `chunk`, everything that it makes
leaves through `output`.
"""

from .chunk import Chunk, Partials, Source, Span
from .failures import Failure, InvalidInput, Permanent, Transient
from .output import Output, report_progress
from .task import Chunker, Collector, Handler

__all__ = [
    "Chunk",
    "Chunker",
    "Collector",
    "Failure",
    "Handler",
    "InvalidInput",
    "Output",
    "Partials",
    "Permanent",
    "Source",
    "Span",
    "Transient",
    "report_progress",
]
