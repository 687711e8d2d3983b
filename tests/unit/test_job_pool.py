"""A pool of jobs whose processes do what the test says, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from agent_runtime.errors import JobProcessError
from agent_runtime.testing import run_virtual
from agent_runtime.worker import pool as pools
from agent_runtime.worker.assignment import RunningJobInfo
from agent_runtime.worker.executor import ExecutorState
from agent_runtime.worker.plan import JobPlan, PoolOptions
from agent_runtime.worker.pool import JobPool, PoolFailed, ProcessReady
from tests.support import jobs


class FakeExecutor:
    """A process that takes `fates`, one each: seconds until it is ready, or until it fails, with why."""

    fates: Iterator[tuple[float, str | None]]
    made: list[FakeExecutor]

    def __init__(self, *_: object, **__: object) -> None:
        self.state = ExecutorState.STARTING
        self.info: RunningJobInfo | None = None
        self.pid: int | None = len(self.made)
        self.memory_mb, self.started_at = None, 0.0
        self.over = asyncio.get_running_loop().create_future()
        self.made.append(self)

    async def start(self) -> None:
        seconds, problem = next(self.fates)
        await asyncio.sleep(seconds)
        if problem is not None:
            self.state = ExecutorState.OVER
            raise JobProcessError(problem)
        self.state = ExecutorState.READY

    def run(self, info: RunningJobInfo) -> None:
        self.info, self.state = info, ExecutorState.RUNNING

    def end(self, reason: str) -> None:
        self.state = ExecutorState.OVER
        if not self.over.done():
            self.over.set_result(None)

    kill = end

    async def wait(self) -> str | None:
        error: str | None = await asyncio.shield(self.over)
        return error


@pytest.fixture
def fate(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """What becomes of the processes, in their order; the last stands for all that come after."""
    monkeypatch.setattr(pools, "JobExecutor", FakeExecutor)
    monkeypatch.setattr(pools, "warm_up", lambda options: None)

    def set_fates(*fates: tuple[float, str | None]) -> None:
        def forever() -> Iterator[tuple[float, str | None]]:
            yield from fates
            while True:
                yield fates[-1]

        FakeExecutor.fates, FakeExecutor.made = forever(), []

    return set_fates


def run(scenario: Callable[[JobPool, list[Any]], Any], idle: int = 0) -> None:
    async def whole() -> None:
        told: list[Any] = []
        pool = JobPool(JobPlan(jobs.entrypoint), PoolOptions(num_idle_processes=idle), on_event=told.append)
        await scenario(pool, told)
        await pool.aclose(timeout=1.0)

    run_virtual(whole())


def test_one_process_that_dies_takes_no_other_job_with_it(fate: Callable[..., None]):
    fate((1.0, "no memory"), (2.0, None))

    async def scenario(pool: JobPool, told: list[Any]) -> None:
        launches = [asyncio.create_task(pool.launch(jobs.info())) for _ in range(2)]
        results = await asyncio.gather(*launches, return_exceptions=True)
        assert [str(result) for result in results] == ["no memory", "None"]
        assert len(pool.jobs) == 1

    run(scenario)


def test_a_launch_waits_for_the_process_that_is_still_coming(fate: Callable[..., None]):
    fate((1.0, "no memory"), (3.0, None))

    async def scenario(pool: JobPool, told: list[Any]) -> None:
        starting = asyncio.create_task(pool.start())
        await asyncio.sleep(0.5)
        await pool.launch(jobs.info())  # two are on their way, and the first dies
        assert asyncio.get_running_loop().time() == pytest.approx(3.0, abs=1.5)
        await starting

    run(scenario, idle=1)


def test_processes_that_die_come_again_later_and_later_and_then_no_more(fate: Callable[..., None]):
    fate((0.0, "no model"))

    async def scenario(pool: JobPool, told: list[Any]) -> None:
        with pytest.raises(JobProcessError, match="no model"):
            await pool.start()
        await asyncio.sleep(60)
        assert [event for event in told if isinstance(event, PoolFailed)]
        assert len(FakeExecutor.made) == 6
        with pytest.raises(JobProcessError, match="failed 6 times"):
            await pool.launch(jobs.info())

    run(scenario, idle=1)


def test_a_pool_that_closes_starts_nothing_more(fate: Callable[..., None]):
    fate((0.0, "no model"))

    async def scenario(pool: JobPool, told: list[Any]) -> None:
        with pytest.raises(JobProcessError):
            await pool.start()
        await asyncio.sleep(0.1)  # the third is waited for, half a second
        began = len(FakeExecutor.made)
        await pool.aclose(timeout=5.0)
        assert not [event for event in told if isinstance(event, ProcessReady)]
        assert len(FakeExecutor.made) == began
        with pytest.raises(RuntimeError, match="takes no job"):
            await pool.launch(jobs.info())

    run(scenario, idle=1)
