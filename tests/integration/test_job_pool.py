"""Jobs in real processes: one goes wrong, is ended and told of, and its neighbours don't notice."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from agent_runtime.errors import JobProcessError
from agent_runtime.events.codec import loads
from agent_runtime.worker.job import JobExecutorType
from agent_runtime.worker.plan import JobPlan, PoolOptions
from agent_runtime.worker.pool import (
    JobEnded,
    JobEvent,
    JobMetrics,
    JobPool,
    JobStarted,
    MemoryWarning,
    PoolFailed,
    ProcessDied,
    ProcessReady,
)
from tests.support import jobs
from tests.support.room import until

KINDS = pytest.mark.parametrize("kind", list(JobExecutorType))
linux = pytest.mark.skipif(sys.platform != "linux", reason="what a process has in memory is read in /proc")


class Told(list[JobEvent]):
    """What a pool told."""

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self if isinstance(event, kind)]

    def ended(self, job_id: str) -> Callable[[], list[JobEnded]]:
        return lambda: [event for event in self.of(JobEnded) if event.job_id == job_id]


@contextlib.asynccontextmanager
async def pool(plan: JobPlan | None = None, **options: Any) -> AsyncIterator[tuple[JobPool, Told]]:
    told = Told()
    given: dict[str, Any] = {"num_idle_processes": 1, **options}
    made = JobPool(plan or JobPlan(jobs.entrypoint, jobs.set_up), PoolOptions(**given), on_event=told.append)
    try:
        yield made, told
    finally:
        await made.aclose(timeout=10.0)


async def came(found: Callable[[], list[Any]], what: str) -> list[Any]:
    """What is found once something is."""
    await until(found, what)
    return found()


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def resident_of(pid: int) -> float:
    """Megabytes in memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def lines(file: Path) -> list[str]:
    """What a job wrote, without its process's id."""
    return [line.partition(" ")[2] for line in file.read_text().splitlines()] if file.exists() else []


@KINDS
async def test_a_job_runs_in_a_process_that_was_ready_and_ends_with_its_callbacks(
    kind: JobExecutorType, tmp_path: Path
) -> None:
    async with pool(executor_type=kind) as (some, told):
        await some.start()
        ready = told.of(ProcessReady)[0].pid
        file = tmp_path / "log"
        await some.launch(jobs.info(f"end:{file}", job_id="AJ"))
        (ended,) = await came(told.ended("AJ"), "the end")
        assert ended.error is None
        assert told.of(JobStarted) == [JobStarted("AJ", ready)]
        assert lines(file) == ["ready: made ready", "over: all is said"]
        assert (int(file.read_text().split()[0]) == os.getpid()) == (kind is JobExecutorType.THREAD)
        await until(lambda: some.ready == 1, "another in its place")
        assert some.jobs == ()


async def test_as_many_wait_as_were_asked_for() -> None:
    async with pool(num_idle_processes=2) as (some, told):
        await some.start()
        await until(lambda: some.ready == 2, "both")
        await asyncio.sleep(0.3)  # a third one would be ready by now
        assert len(told.of(ProcessReady)) == 2


@KINDS
@pytest.mark.parametrize(
    ("what", "error"),
    [
        ("raise", r"ValueError: no such order \(jobs.py:\d+\)"),
        ("nothing", r"the entrypoint returned without joining its room: await ctx.connect\(\)"),
    ],
)
async def test_an_entrypoint_that_goes_wrong_is_told(kind: JobExecutorType, what: str, error: str) -> None:
    async with pool(executor_type=kind, num_idle_processes=0) as (some, told):
        await some.start()
        await some.launch(jobs.info(what, job_id="AJ"))
        (ended,) = await came(told.ended("AJ"), "the end")
        assert ended.error is not None
        assert re.match(error, ended.error), ended.error


async def test_jobs_that_die_or_hang_are_told_and_their_neighbour_goes_on(tmp_path: Path) -> None:
    async with pool(ping_interval=0.3, ping_timeout=3.0) as (some, told):
        await some.start()
        file = tmp_path / "log"
        await some.launch(jobs.info(f"stay:{file}", job_id="neighbour"))
        await some.launch(jobs.info("die", job_id="dead"))
        await some.launch(jobs.info("block", job_id="blocked"))
        (dead,) = await came(told.ended("dead"), "the dead one's end")
        assert dead.error == "the process died: it ended with code 7"
        (blocked,) = await came(told.ended("blocked"), "the blocked one's end")
        assert "its loop was blocked for good, at jobs.py:" in blocked.error
        assert "in _block" in blocked.error
        assert [(job.id, job.room, job.agent_name) for job in some.jobs] == [("neighbour", "kitchen", "cook")]
        await some.terminate("neighbour", "enough")
        assert told.ended("neighbour")() == [JobEnded("neighbour", None)]
        assert lines(file) == ["stays"]


@linux
async def test_a_conversation_goes_on_while_its_neighbours_hang_leak_block_and_are_killed(tmp_path: Path) -> None:
    stuck, file = tmp_path / "stuck", tmp_path / "log"
    limits = {"memory_limit_mb": 120.0, "ping_interval": 0.2, "ping_timeout": 3.0, "initialize_timeout": 3.0}
    async with pool(JobPlan(jobs.entrypoint, functools.partial(jobs.set_up_unless, stuck)), **limits) as (some, told):
        await some.start()
        await some.launch(jobs.info(f"chat:{file}", job_id="neighbour"))
        (chatting,) = await came(lambda: told.of(JobStarted), "the neighbour's start")

        async def answers_go_on() -> None:
            so_far = len(lines(file))
            await until(lambda: len(lines(file)) > so_far + 3, "more answers of the neighbour")

        await answers_go_on()
        await until(lambda: some.ready == 1, "another process")
        stuck.touch()  # the next one to get ready doesn't
        for what, error in (
            ("block", "its loop was blocked for good, at jobs.py:"),
            ("eat:/dev/null", "MB of memory, and its limit is 120 MB"),
            ("stay:/dev/null", "it was ended by signal 9"),
        ):
            await some.launch(jobs.info(what, job_id=what))
            await answers_go_on()
            if what.startswith("stay"):
                os.kill(told.of(JobStarted)[-1].pid, signal.SIGKILL)
            (ended,) = await came(told.ended(what), f"the end of {what}")
            assert error in ended.error
            if what == "block":
                died = await came(lambda: told.of(ProcessDied), "the end of the one that doesn't get ready")
                assert died[0].error.startswith("it wasn't ready after 3 s")
                stuck.unlink()
            await answers_go_on()
        assert [(job.id, job.pid) for job in some.jobs] == [("neighbour", chatting.pid)]
        assert set(lines(file)) == {"answered"}
        await some.terminate("neighbour", "enough")
        assert told.ended("neighbour")() == [JobEnded("neighbour", None)]


async def test_a_job_that_is_killed_from_outside_is_told() -> None:
    async with pool() as (some, told):
        await some.start()
        await some.launch(jobs.info("stay:/dev/null", job_id="AJ"))
        (started,) = await came(lambda: told.of(JobStarted), "the start")
        os.kill(started.pid, signal.SIGKILL)
        (ended,) = await came(told.ended("AJ"), "the end")
        assert ended.error == "the process died: it was ended by signal 9"


@linux
async def test_memory_is_warned_of_and_limited(tmp_path: Path) -> None:
    limits = {"memory_warn_mb": 100.0, "memory_limit_mb": 0.0, "ping_interval": 0.2}
    async with pool(**limits) as (some, told):
        await some.start()
        await some.launch(jobs.info(f"eat:{tmp_path / 'log'}", job_id="AJ"))
        (warning,) = await came(lambda: told.of(MemoryWarning), "the warning")
        assert warning.memory_mb > 150
        assert not told.of(JobEnded)
    async with pool(**limits | {"memory_limit_mb": 120.0}) as (some, told):
        await some.start()
        await some.launch(jobs.info(f"eat:{tmp_path / 'log'}", job_id="AJ"))
        (ended,) = await came(told.ended("AJ"), "the end")
        assert "MB of memory, and its limit is 120 MB" in ended.error


@linux
async def test_a_job_isnt_charged_for_what_all_processes_have() -> None:
    async with pool(ping_interval=0.2) as (some, told):
        await some.start()
        await some.launch(jobs.info("stay:/dev/null", job_id="AJ"))
        (started,) = await came(lambda: told.of(JobStarted), "the start")
        (memory,) = await came(lambda: [job.memory_mb for job in some.jobs if job.memory_mb], "its memory")
        assert memory < 0.8 * resident_of(started.pid)


async def test_a_setup_function_that_fails_is_told_and_not_called_for_ever() -> None:
    async with pool(JobPlan(jobs.entrypoint, jobs.set_up_badly)) as (some, told):
        with pytest.raises(JobProcessError, match=r"RuntimeError: the model isn't there \(jobs.py:\d+\)"):
            await some.start()
        await until(lambda: told.of(PoolFailed), "the end of it")
        assert len(told.of(ProcessDied)) == 6
        with pytest.raises(JobProcessError, match="failed 6 times within 60 s; the last time: RuntimeError"):
            await some.launch(jobs.info("stay:/dev/null"))


async def test_a_file_that_cannot_be_run_is_refused_at_once() -> None:
    plan = JobPlan(jobs.entrypoint, jobs.set_up_a_file_that_cannot_be_run)
    async with pool(plan, num_idle_processes=2) as (some, told):
        with pytest.raises(JobProcessError, match=r"^my_agent\.py:3: invalid syntax$"):
            await some.start()
        assert [failed.error for failed in told.of(PoolFailed)] == ["my_agent.py:3: invalid syntax"]
        with pytest.raises(JobProcessError, match="invalid syntax"):
            await some.launch(jobs.info("stay:/dev/null"))
        await until(lambda: not some._tasks, "the end of the other process")
        assert len(told.of(ProcessDied)) == 2
        assert len(told.of(PoolFailed)) == 1


async def test_a_setup_function_that_never_returns_is_told() -> None:
    async with pool(JobPlan(jobs.entrypoint, jobs.set_up_for_ever), initialize_timeout=0.5) as (some, _):
        with pytest.raises(
            JobProcessError, match=r"it wasn't ready after 0.5 s: what does the setup function wait for\?"
        ):
            await some.start()


async def test_functions_that_no_process_can_find_are_named() -> None:
    async def inner(job: object) -> None: ...

    async with pool(JobPlan(inner)) as (some, _):
        with pytest.raises(JobProcessError, match=r"define it at the top of a module.*inner"):
            await some.start()


@KINDS
async def test_a_jobs_conversation_is_watched_counted_and_asked(kind: JobExecutorType, tmp_path: Path) -> None:
    plan = JobPlan(jobs.entrypoint, jobs.set_up, jobs.session_over)
    async with pool(plan, executor_type=kind) as (some, told):
        await some.start()
        file, seen = tmp_path / "log", list[bytes]()
        await some.launch(jobs.info(f"talk:{file}", job_id="AJ"))
        stop = some.watch("AJ", seen.append)
        (ended,) = await came(told.ended("AJ"), "the end")
        assert ended.error is None
        events = [loads(line) for part in seen for line in part.decode().splitlines()]
        assert events[0].data.type == "session_started"
        assert "Soup is on." in b"".join(seen).decode()
        assert "session over" in lines(file)
        counted = {sample[1] for event in told.of(JobMetrics) for sample in event.samples}
        assert "agent_turn_seconds" in counted or "agent_llm_tokens" in counted
        stop()
        with pytest.raises(KeyError):
            some.watch("AJ", seen.append)


@linux
async def test_nothing_is_left_of_a_worker_that_is_killed(tmp_path: Path) -> None:
    file = tmp_path / "log"
    command = [sys.executable, "-m", "tests.support.pool_owner", str(file)]
    with tempfile.TemporaryDirectory() as folder:  # a short path: sockets' are limited
        environment = os.environ | {"TMPDIR": folder}
        worker = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, env=environment)
        await kill_owner(worker)
        assert not [name for name in os.listdir(folder) if name.startswith("agent-models-")]
    assert "over: the worker is gone" in lines(file)


async def kill_owner(worker: asyncio.subprocess.Process) -> None:
    assert worker.stdout is not None
    pids = [int(pid) for pid in (await worker.stdout.readline()).split()]
    assert len(pids) == 2
    assert all(map(alive, pids))
    worker.kill()
    await worker.wait()
    await until(lambda: not any(map(alive, pids)), "the end of its processes")
