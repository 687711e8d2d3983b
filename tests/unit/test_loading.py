import asyncio
import threading

import pytest

from agent_runtime.errors import MissingDependencyError
from agent_runtime.providers.loading import LoadCancelled, Weights, require


class Maker:
    """Makes "it" in steps; waits for `go` after the first."""

    def __init__(self, *, failures=0):
        self.calls = 0
        self.failures = failures
        self.go = threading.Event()
        self.started = threading.Event()
        self.ended = threading.Event()
        self.cancelled = False
        self.thread = None

    def __call__(self, report):
        self.calls += 1
        self.thread = threading.current_thread()
        try:
            report(0.0)
            self.started.set()
            self.go.wait(10)
            report(0.5)
            if self.failures:
                self.failures -= 1
                raise OSError("the disk is gone")
            return "it"
        except LoadCancelled:
            self.cancelled = True
            raise
        finally:
            self.ended.set()


async def test_all_who_wait_share_one_loading_in_a_thread():
    make = Maker()
    weights = Weights(make)
    progress = []
    waiting = [asyncio.create_task(weights.get(progress.append)), asyncio.create_task(weights.get())]
    await asyncio.to_thread(make.started.wait, 10)
    assert weights.value is None
    make.go.set()
    assert await asyncio.gather(*waiting) == ["it", "it"]
    assert await weights.get(progress.append) == "it"
    assert (make.calls, progress) == (1, [0.0, 0.5, 1.0, 1.0])
    assert make.thread is not threading.main_thread()


async def test_the_last_who_waits_can_stop_it():
    make = Maker()
    weights = Weights(make)
    first, second = asyncio.create_task(weights.get()), asyncio.create_task(weights.get())
    await asyncio.to_thread(make.started.wait, 10)
    first.cancel()
    await asyncio.wait([first])
    second.cancel()
    await asyncio.wait([second])
    make.go.set()
    await asyncio.to_thread(make.ended.wait, 10)
    assert (make.cancelled, weights.value) == (True, None)
    assert await weights.get() == "it"
    assert make.calls == 2


async def test_one_who_leaves_does_not_stop_it_for_the_others():
    make = Maker()
    weights = Weights(make)
    first, second = asyncio.create_task(weights.get()), asyncio.create_task(weights.get())
    await asyncio.to_thread(make.started.wait, 10)
    first.cancel()
    make.go.set()
    assert await second == "it"
    assert not make.cancelled


async def test_a_failure_is_raised_and_tried_again():
    make = Maker(failures=1)
    make.go.set()
    weights = Weights(make)
    with pytest.raises(OSError, match="the disk is gone"):
        await weights.get()
    assert await weights.get() == "it"


def test_what_is_missing_comes_with_the_command():
    with pytest.raises(MissingDependencyError, match=r"the voice is missing: run `pip install .*embedded") as caught:
        require("no_such_module", "the voice")
    assert caught.value.command == "pip install 'agent-console[embedded]'"
