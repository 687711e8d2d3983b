import asyncio

import pytest

from agent_runtime.testing.virtual_time import in_virtual_time, run_virtual
from agent_runtime.utils.aio import (
    Chan,
    ChanClosed,
    ChanEmpty,
    ChanFull,
    TaskSet,
    cancel_and_wait,
    debounce,
    gracefully_cancel,
    interval,
    itertools,
    tee,
)


def now():
    return asyncio.get_running_loop().time()


class Source:
    """An async iterator that knows whether it was closed; it waits before each item."""

    def __init__(self, *steps, wait=0.0):
        self.steps, self.wait, self.closed, self.asked = list(steps), wait, 0, 0

    def __aiter__(self):
        return self

    async def __anext__(self):
        self.asked += 1
        await asyncio.sleep(self.wait)
        if not self.steps:
            raise StopAsyncIteration
        step = self.steps.pop(0)
        if isinstance(step, Exception):
            raise step
        return step

    async def aclose(self):
        self.closed += 1


async def drain(iterator):
    return [item async for item in iterator]


# --- Chan -----------------------------------------------------------------------------------------------------------


def test_a_channel_can_be_made_before_the_loop_runs():
    channel = Chan()
    channel.send_nowait(1)

    async def main():
        return await channel.recv()

    assert run_virtual(main()) == 1


async def test_values_come_in_order_and_end_when_it_is_closed():
    channel = Chan()
    for value in (1, None, 3):
        channel.send_nowait(value)
    assert (channel.qsize(), channel.empty(), channel.closed) == (3, False, False)
    channel.close()
    channel.close()
    assert channel.closed
    assert await drain(channel) == [1, None, 3]
    with pytest.raises(ChanClosed):
        await channel.recv()
    with pytest.raises(ChanClosed):
        channel.send_nowait(4)
    with pytest.raises(ChanClosed):
        await channel.send(4)


async def test_nowait():
    channel = Chan(maxsize=1)
    with pytest.raises(ChanEmpty):
        channel.recv_nowait()
    channel.send_nowait(1)
    assert channel.full()
    with pytest.raises(ChanFull):
        channel.send_nowait(2)
    assert channel.recv_nowait() == 1
    channel.close()
    with pytest.raises(ChanClosed):
        channel.recv_nowait()


def test_a_receiver_waits_for_a_value():
    async def main():
        channel = Chan()
        asyncio.get_running_loop().call_later(1.0, channel.send_nowait, "late")
        return await channel.recv(), now()

    assert run_virtual(main()) == ("late", 1.0)


def test_a_sender_waits_for_room():
    async def main():
        channel, sent = Chan(maxsize=2), []

        async def send():
            for value in range(5):
                await channel.send(value)
                sent.append((value, now()))
            channel.close()

        task = asyncio.create_task(send())
        received = []
        while True:
            await asyncio.sleep(1.0)
            try:
                received.append(await channel.recv())
            except ChanClosed:
                break
        await task
        return sent, received

    sent, received = run_virtual(main())
    assert received == [0, 1, 2, 3, 4]
    assert sent == [(0, 0.0), (1, 0.0), (2, 1.0), (3, 2.0), (4, 3.0)]


def test_closing_wakes_everybody_who_waits():
    async def main():
        empty, full = Chan(), Chan(maxsize=1)
        full.send_nowait(1)
        waiting = [asyncio.create_task(empty.recv()) for _ in range(3)]
        waiting += [asyncio.create_task(full.send(2)) for _ in range(3)]
        await asyncio.sleep(1.0)
        empty.close()
        full.close()
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert await drain(full) == [1]
        return [type(result) for result in results]

    assert run_virtual(main()) == [ChanClosed] * 6


def test_a_value_for_a_receiver_who_gives_up_goes_to_the_next_one():
    async def main():
        channel = Chan()
        first, second = asyncio.create_task(channel.recv()), asyncio.create_task(channel.recv())
        await asyncio.sleep(0)
        channel.send_nowait("x")
        first.cancel()  # it is woken already, but hasn't run
        return await second, first.cancelled()

    assert run_virtual(main()) == ("x", True)


def test_room_for_a_sender_who_gives_up_goes_to_the_next_one():
    async def main():
        channel = Chan(maxsize=1)
        channel.send_nowait(0)
        first, second = asyncio.create_task(channel.send(1)), asyncio.create_task(channel.send(2))
        await asyncio.sleep(0)
        assert channel.recv_nowait() == 0
        first.cancel()
        await second
        return channel.recv_nowait()

    assert run_virtual(main()) == 2


def test_a_receiver_who_gives_up_while_nothing_comes_leaves_no_trace():
    async def main():
        channel = Chan()
        for _ in range(3):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(channel.recv(), 1.0)
        channel.send_nowait("x")
        return await channel.recv()

    assert run_virtual(main()) == "x"


# --- tee ------------------------------------------------------------------------------------------------------------


def test_every_peer_sees_everything():
    async def main():
        source = Source(1, 2, 3, wait=1.0)
        results = await asyncio.gather(*(drain(peer) for peer in tee(source, 3)))
        return results, now(), source.asked, source.closed

    assert run_virtual(main()) == ([[1, 2, 3]] * 3, 4.0, 4, 1)


def test_a_peer_can_be_far_behind():
    async def main():
        peers = tee(Source(1, 2, 3))
        assert await drain(peers[0]) == [1, 2, 3]
        return await drain(peers[1])

    assert run_virtual(main()) == [1, 2, 3]


def test_an_error_of_the_source_reaches_every_peer_after_its_items():
    async def main():
        seen = []
        source = Source(1, ValueError("broken"))
        for peer in tee(source):
            seen.append(await anext(peer))
            with pytest.raises(ValueError, match="broken"):
                await anext(peer)
            assert await drain(peer) == []
        return seen, source.closed

    assert run_virtual(main()) == ([1, 1], 1)


def test_the_source_is_closed_with_the_last_peer():
    async def main():
        source = Source(1, 2, 3)
        first, second = tee(source)
        assert await anext(first) == 1
        await first.aclose()
        await first.aclose()
        assert source.closed == 0
        assert await drain(first) == []
        assert await anext(second) == 1
        await second.aclose()
        return source.closed

    assert run_virtual(main()) == 1


def test_a_tee_that_nobody_reads_closes_its_source():
    async def main():
        source = Source(1)
        async with tee(source, 3) as peers:
            assert len(peers) == len(peers[:]) == len(list(peers)) == 3
        return source.closed, source.asked

    assert run_virtual(main()) == (1, 0)


def test_a_peer_that_is_cancelled_leaves_the_others_alone():
    async def main():
        first, second = tee(Source(1, 2, wait=1.0))
        waiting = asyncio.create_task(drain(first))
        await asyncio.sleep(0.5)
        await cancel_and_wait(waiting)
        return await drain(second)

    assert run_virtual(main()) == [1, 2]


def test_a_source_without_aclose():
    class Bare:
        def __aiter__(self):
            return self

        async def __anext__(self):
            raise StopAsyncIteration

    async def main():
        async with itertools.tee(Bare()) as peers:
            return await drain(peers[0])

    assert run_virtual(main()) == []


# --- tasks ----------------------------------------------------------------------------------------------------------


def test_cancel_and_wait_waits_for_the_cleaning_up():
    async def main():
        cleaned = []

        async def work(seconds):
            try:
                await asyncio.sleep(3600)
            finally:
                await asyncio.sleep(seconds)
                cleaned.append(seconds)

        async def finished():
            return "kept"

        async def fails():
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                raise ValueError("while cleaning up") from None

        done, bad = asyncio.create_task(finished()), asyncio.create_task(fails())
        tasks = [asyncio.create_task(work(seconds)) for seconds in (1.0, 2.0)]
        await asyncio.sleep(0)
        await gracefully_cancel(*tasks, tasks[0], done, bad)
        assert (done.result(), str(bad.exception())) == ("kept", "while cleaning up")
        await cancel_and_wait()
        return cleaned, now(), [task.cancelled() for task in tasks]

    assert run_virtual(main()) == ([1.0, 2.0], 2.0, [True, True])


def test_cancel_and_wait_can_be_cancelled_itself():
    async def main():
        async def stubborn():
            try:
                await asyncio.sleep(3600)
            finally:
                await asyncio.sleep(10)

        task = asyncio.create_task(stubborn())
        await asyncio.sleep(0)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(cancel_and_wait(task), 1.0)
        assert not task.done()
        await asyncio.wait({task})
        return now()

    assert run_virtual(main()) == 10.0


def test_a_task_set_ends_what_it_started():
    async def main():
        tasks = TaskSet()
        quick = tasks.create_task(asyncio.sleep(1.0, "done"), name="quick")
        slow = tasks.create_task(asyncio.sleep(3600))
        assert tasks.tasks == {quick, slow}
        assert await quick == "done"
        assert quick.get_name() == "quick"
        await asyncio.sleep(0)
        assert tasks.tasks == {slow}
        await tasks.aclose()
        assert slow.cancelled()
        with pytest.raises(RuntimeError, match="closed"):
            tasks.create_task(asyncio.sleep(1.0))
        return now()

    assert run_virtual(main()) == 1.0


# --- interval -------------------------------------------------------------------------------------------------------


def test_ticks():
    async def main():
        ticks = []
        async for count in interval(1.0):
            ticks.append((count, now()))
            if count == 1:
                await asyncio.sleep(2.5)
            if count == 3:
                return ticks

    assert run_virtual(main()) == [(0, 0.0), (1, 1.0), (2, 3.5), (3, 4.5)]


def test_reset_puts_a_tick_off():
    async def main():
        ticker = interval(1.0)
        await ticker.tick()
        asyncio.get_running_loop().call_later(0.5, ticker.reset)
        assert await ticker.tick() == 1
        return now()

    assert run_virtual(main()) == 1.5


@in_virtual_time
async def test_what_is_asked_for_again_is_done_once():
    done = []

    @debounce.debounced(1.0)
    async def save():
        done.append(asyncio.get_running_loop().time())
        return len(done)

    began = asyncio.get_running_loop().time()
    first = save.schedule()
    await asyncio.sleep(0.6)
    assert await save.schedule() == 1
    assert first.cancelled()
    assert done == [pytest.approx(began + 1.6)]
    save.schedule()
    assert save.is_running()
    save.cancel()
    assert not save.is_running()
    assert await save() == 2
    await asyncio.sleep(2.0)
    assert len(done) == 2
