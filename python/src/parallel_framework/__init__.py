"""Jobs in, results out: every task type is a WebAssembly component in a sandbox of its own.

    engine = ParallelExecutionEngine()

    @engine.register_task("shout")
    def shout(data, parameters):
        return data.upper() + parameters["mark"]

    handle = engine.submit_job(Job("one", "shout", {"text": "hello"}, {"mark": "!"}))
    print(handle.wait_for_completion().output)
"""

from pframe_host.errors import FunctionRefused, HostGone, JobFailed, JobRefused, PframeError

from .engine import ParallelExecutionEngine, TaskHandler
from .handles import BatchHandle, JobHandle, JobResult
from .job import Job, JobState

__all__ = [
    "BatchHandle",
    "FunctionRefused",
    "HostGone",
    "Job",
    "JobFailed",
    "JobHandle",
    "JobRefused",
    "JobResult",
    "JobState",
    "ParallelExecutionEngine",
    "PframeError",
    "TaskHandler",
    "TryAgain",
]


class TryAgain(Exception):
    """Raised in a registered function: something was in the way for now, and another attempt may succeed."""
