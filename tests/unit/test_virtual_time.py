"""Virtual time itself."""

from __future__ import annotations

import asyncio
import time

import pytest

from agent_runtime.testing import EPOCH, VirtualClock, VirtualTimeError, run_virtual


def test_time_jumps_and_is_exact() -> None:
    async def scenario() -> list[float]:
        loop = asyncio.get_running_loop()
        told = []
        for _ in range(30):
            await asyncio.sleep(0.1)
            told.append(loop.time())
        return told

    began = time.monotonic()
    assert run_virtual(scenario()) == [round(0.1 * n, 9) for n in range(1, 31)]
    assert time.monotonic() - began < 2.0


def test_the_clock_is_the_loops() -> None:
    async def scenario() -> None:
        clock = VirtualClock()
        rung: list[float] = []
        clock.call_at(2.5, lambda: rung.append(clock.now()))
        await clock.sleep(3.0)
        assert rung == [2.5]
        assert clock.wall() == EPOCH + 3.0

    run_virtual(scenario())


def test_waiting_for_nothing_is_told() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        for handle in list(loop._scheduled):  # type: ignore[attr-defined]
            handle.cancel()
        await loop.create_future()

    with pytest.raises((VirtualTimeError, TimeoutError)):
        run_virtual(scenario())


def test_a_test_that_hangs_ends() -> None:
    async def scenario() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(TimeoutError):
        run_virtual(scenario(), timeout=5.0)


def test_threads_are_refused() -> None:
    async def scenario() -> None:
        with pytest.raises(VirtualTimeError, match="would run in a thread"):
            await asyncio.to_thread(print)

    run_virtual(scenario())


def test_another_thread_is_refused() -> None:
    import threading

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        told: list[BaseException] = []

        def speak() -> None:
            try:
                loop.call_soon_threadsafe(print)
            except VirtualTimeError as error:
                told.append(error)

        thread = threading.Thread(target=speak)
        thread.start()
        thread.join()
        assert len(told) == 1

    run_virtual(scenario())


def test_a_task_that_is_left_over_is_named() -> None:
    async def scenario() -> None:
        leftover = asyncio.create_task(asyncio.sleep(100), name="forgotten")
        await asyncio.sleep(0)
        assert not leftover.done()

    with pytest.raises(VirtualTimeError, match="forgotten"):
        run_virtual(scenario())
