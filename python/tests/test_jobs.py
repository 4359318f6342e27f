"""Jobs of a registered function: states, data, ends."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from parallel_framework import (
    HostGone,
    Job,
    JobFailed,
    JobRefused,
    JobState,
    ParallelExecutionEngine,
    TryAgain,
)

GREETING = "hello"


def greet(name: str) -> str:
    return f"{GREETING}, {name}"


def exercise(data: Any, parameters: dict[str, Any]) -> Any:
    """Everything that the tests want done, in one function: a component takes a while to compile."""
    what = parameters.get("do", "echo")
    if what == "echo":
        return {"kind": type(data).__name__, "data": data}
    if what == "greet":
        return greet(data)
    if what == "upper":
        return data.upper()
    if what == "reverse":
        return bytes(reversed(data))
    if what == "raise":
        raise ValueError("seven is no prime")
    if what == "try again":
        raise TryAgain("not yet")
    if what == "read a file":
        with open(parameters["path"]) as file:
            return file.read()
    if what == "environment":
        import os

        return dict(os.environ)
    if what == "random":
        import random

        return random.SystemRandom().random()
    if what == "fill memory":
        return len(b"x" * (1 << 40))
    if what == "return nonsense":
        return object()
    if what == "loop":
        while True:
            pass
    raise AssertionError(what)


@pytest.fixture
def engine(engine: ParallelExecutionEngine) -> Iterator[ParallelExecutionEngine]:
    engine.register_task("custom_processing")(exercise)
    yield engine


def job(do: str, data: Any = None, id: str = "one", **more: Any) -> Job:
    given = {"text": "abc"} if data is None else data
    parameters = {"do": do, **more.pop("parameters", {})}
    return Job(id, "custom_processing", given, parameters, **more)


def test_data_comes_as_its_kind_and_goes_as_what_was_returned(
    engine: ParallelExecutionEngine,
) -> None:
    def output(given: Job) -> Any:
        return engine.submit_job(given).wait_for_completion().output

    assert output(job("echo", {"text": "ä"})) == {"kind": "str", "data": "ä"}
    assert output(job("echo", {"json": [1, 2]})) == {"kind": "list", "data": [1, 2]}
    assert output(job("echo", {"numbers": [1], "name": "x"})) == {
        "kind": "dict",
        "data": {"numbers": [1], "name": "x"},
    }
    assert output(job("reverse", {"bytes": b"\xff\x00\x01"})) == b"\x01\x00\xff"
    assert output(job("upper")) == "ABC"
    assert output(job("upper", {"text": "1\n2\n"})) == "1\n2\n"
    assert output(job("greet", {"text": "you"})) == "hello, you"
    Path("notes.txt").write_text("one two")
    assert output(job("upper", {"files": ["notes.txt"]})) == "ONE TWO"
    assert output(job("upper", {"text_file": Path("notes.txt")})) == "ONE TWO"
    Path("data.bin").write_bytes(b"\x01\x02")
    assert output(job("reverse", {"files": "data.bin"})) == b"\x02\x01"


def test_results_of_several_chunks_come_in_their_order(engine: ParallelExecutionEngine) -> None:
    for name in "cab":
        Path(f"{name}.txt").write_text(name)
    result = engine.submit_job(job("echo", {"files": ["*.txt"]})).wait_for_completion()
    assert [one["data"] for one in result.output] == ["a", "b", "c"]
    assert result.figures["chunks"] == 3


def test_what_ran_before_is_taken_where_a_job_asks_for_that(tmp_path: Path) -> None:
    with ParallelExecutionEngine(state_dir=tmp_path / "state") as engine:
        engine.register_task("custom_processing")(exercise)
        results = [
            engine.submit_job(job("random", id=id, cache=cache)).wait_for_completion().output
            for id, cache in [("one", True), ("two", True), ("three", None)]
        ]
    assert results[0] == results[1] != results[2], "random bytes are seeded by the job"


def test_a_cache_needs_a_place(engine: ParallelExecutionEngine) -> None:
    with pytest.raises(JobRefused, match="needs a state directory"):
        engine.submit_job(job("echo", cache=True))


def test_a_result_can_be_written_to_a_file(engine: ParallelExecutionEngine) -> None:
    result = engine.submit_job(job("upper", output="result.txt")).wait_for_completion()
    assert result.output_path == Path("result.txt").absolute()
    assert Path("result.txt").read_text() == "ABC" == result.text
    lines = engine.submit_job(job("echo", {"json": 1}, output="out.json")).wait_for_completion()
    assert lines.json() == {"kind": "int", "data": 1}


def test_what_a_function_raises_is_in_the_error(engine: ParallelExecutionEngine) -> None:
    result = engine.submit_job(job("raise")).wait_for_completion()
    assert (result.state, result.success) == (JobState.FAILED, False)
    assert result.error is not None
    assert result.error.code == "PF310"
    assert "ValueError: seven is no prime" in str(result.error)
    # The traceback, with the function's own name.
    assert "in exercise" in str(result.error)
    with pytest.raises(JobFailed):
        result.output


def test_only_try_again_is_tried_again(engine: ParallelExecutionEngine) -> None:
    once = engine.submit_job(job("raise", max_retries=2)).wait_for_completion()
    assert once.figures["attempts"] == 1
    Path("pframe.yaml").write_text("parallel_processing: { retry_policy: { base_delay: 0.01 } }")
    with ParallelExecutionEngine(config_path="pframe.yaml") as quick:
        quick.register_task("custom_processing")(exercise)
        thrice = quick.submit_job(job("try again", max_retries=2)).wait_for_completion()
    assert thrice.figures["attempts"] == 3
    assert thrice.error is not None and thrice.error.code == "PF309"
    assert "not yet" in str(thrice.error)


def test_the_sandbox_holds(engine: ParallelExecutionEngine) -> None:
    Path("secret.txt").write_text("secret")
    path = str(Path("secret.txt").absolute())
    peek = engine.submit_job(job("read a file", parameters={"path": path})).wait_for_completion()
    assert peek.error is not None
    assert "secret" not in str(peek.error).replace("secret.txt", "")
    assert engine.submit_job(job("environment")).wait_for_completion().output == {}
    full = engine.submit_job(job("fill memory")).wait_for_completion()
    assert not full.success
    late = engine.submit_job(job("loop", timeout=0.5)).wait_for_completion()
    assert late.error is not None and late.error.code == "PF303"
    burnt = engine.submit_job(job("loop", limits={"fuel": "2G"})).wait_for_completion()
    assert burnt.error is not None and burnt.error.code == "PF302"
    assert engine.submit_job(job("upper")).wait_for_completion().output == "ABC"


def test_what_has_no_json_form_is_an_error(engine: ParallelExecutionEngine) -> None:
    result = engine.submit_job(job("return nonsense")).wait_for_completion()
    assert "no JSON form" in str(result.error)


def test_a_job_can_be_cancelled_and_followed(engine: ParallelExecutionEngine) -> None:
    handle = engine.submit_job(job("loop", priority=5))
    with pytest.raises(TimeoutError, match="job one has not ended"):
        handle.wait_for_completion(timeout=0.2)
    assert handle.state is JobState.RUNNING
    assert not handle.state.is_terminal
    with pytest.raises(JobRefused, match="`one` is there already"):
        engine.submit_job(job("upper"))
    assert engine.cancel_job("one")
    result = handle.wait_for_completion(timeout=10)
    assert (result.state, handle.state) == (JobState.CANCELLED, JobState.CANCELLED)
    assert not engine.cancel_job("one")
    assert not engine.cancel_job("nobody")
    # The name is free again.
    assert engine.submit_job(job("upper")).wait_for_completion().output == "ABC"


def test_a_batch_is_watched_until_all_have_ended(engine: ParallelExecutionEngine) -> None:
    jobs = [job("echo", {"json": number}, id=f"job-{number}") for number in range(20)]
    batch = engine.submit_batch([*jobs, job("raise", id="bad")])
    seen: list[float] = []
    engine.monitor_progress(batch, seen.append, interval=0.01)
    assert seen == sorted(seen) and seen[-1] == 1.0
    results = batch.wait_for_completion()
    assert [result.output["data"] for result in results[:20]] == list(range(20))
    assert [result.success for result in results] == [True] * 20 + [False]
    assert list(engine.monitor_progress(batch.jobs[0])) == [1.0, 1.0]


def test_a_batch_is_refused_as_a_whole(engine: ParallelExecutionEngine) -> None:
    with pytest.raises(JobRefused, match="nowhere.txt") as refused:
        engine.submit_batch([job("upper", id="a"), job("upper", {"files": "nowhere.txt"}, id="b")])
    assert refused.value.origin == "job"
    assert engine.submit_job(job("upper", id="a")).wait_for_completion().success


def test_what_is_wrong_with_a_job_is_said_all_at_once(engine: ParallelExecutionEngine) -> None:
    with pytest.raises(JobRefused) as refused:
        engine.submit_job(job("upper", chunking={"strategy": "sizes"}, limits={"memory": "5"}))
    problems = refused.value.data["problems"]
    assert [problem["at"] for problem in problems] == [
        "jobs[0].chunking.strategy",
        "jobs[0].limits.memory",
    ]
    with pytest.raises(JobRefused, match="`nothing`; known are `custom-processing`"):
        engine.submit_job(Job("one", "nothing", {"text": ""}))
    with pytest.raises(TypeError, match="input_data is a mapping"):
        engine.submit_job(Job("one", "custom_processing", "abc"))  # type: ignore[arg-type]


def test_task_types_are_listed_under_the_names_they_were_given(
    engine: ParallelExecutionEngine,
) -> None:
    assert engine.list_task_types() == ["custom_processing"]
    handler = engine.get_handler("custom-processing")
    assert (handler.name, handler.function) == ("custom_processing", exercise)
    assert "pframe:task/handler@0.1.0" in handler.exports
    with pytest.raises(KeyError, match="no task type `nothing`; there are custom_processing"):
        engine.get_handler("nothing")


def test_a_host_that_is_killed_ends_every_wait(engine: ParallelExecutionEngine) -> None:
    handle = engine.submit_job(job("loop"))
    process = engine._host._process
    threading.Timer(0.3, lambda: os.kill(process.pid, signal.SIGKILL)).start()
    result = handle.wait_for_completion(timeout=20)
    assert isinstance(result.error, HostGone)
    with pytest.raises(HostGone, match="exit code -9"):
        engine.submit_job(job("upper", id="two"))


def test_an_engine_that_is_closed_leaves_no_process(engine: ParallelExecutionEngine) -> None:
    handle = engine.submit_job(job("loop"))
    process = engine._host._process
    started = time.monotonic()
    engine.close()
    assert process.returncode == 0
    assert time.monotonic() - started < 4
    assert not handle.wait_for_completion(timeout=5).success


def test_a_configuration_that_is_wrong_is_said_at_the_start() -> None:
    Path("bad.yaml").write_text("parallel_processing: { max_workers: many }")
    with pytest.raises(HostGone, match="bad.yaml:1:39.*max_workers|bad.yaml:1:\\d+"):
        ParallelExecutionEngine(config_path="bad.yaml")
