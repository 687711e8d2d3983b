"""A channel neither loses, doubles nor reorders values, whoever gives up meanwhile."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from agent_runtime.testing.virtual_time import run_virtual
from agent_runtime.utils.aio import Chan, ChanClosed

moments = st.floats(0, 3).map(lambda t: round(t, 1))


@given(
    maxsize=st.integers(0, 3),
    sends=st.lists(moments, max_size=8),
    receivers=st.lists(st.tuples(moments, st.none() | moments), max_size=8),
)
def test_no_value_is_lost(maxsize, sends, receivers):
    async def main():
        channel, sent, received = Chan(maxsize), [], []

        async def send(number, at):
            await asyncio.sleep(at)
            await channel.send(number)
            sent.append(number)

        async def receive(at, patience):
            await asyncio.sleep(at)
            received.append(await asyncio.wait_for(channel.recv(), patience))

        tasks = [asyncio.create_task(send(*pair)) for pair in enumerate(sends)]
        tasks += [asyncio.create_task(receive(*pair)) for pair in receivers]
        await asyncio.sleep(10)
        # Whoever still waits, waits for good reason.
        waiting = sum(not task.done() for task in tasks)
        if channel.qsize():
            assert waiting == len(sends) - len(sent)
        left = []
        channel_closes = asyncio.get_running_loop().call_later(1.0, channel.close)
        while True:
            try:
                left.append(await channel.recv())
            except ChanClosed:
                break
        channel_closes.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return sent, received + left

    sent, received = run_virtual(main())
    assert sorted(received) == sorted(sent) == sorted(range(len(sends)))


@given(st.lists(st.integers(), max_size=20), st.integers(0, 3))
def test_order_is_kept(values, maxsize):
    async def main():
        channel = Chan(maxsize)

        async def send():
            for value in values:
                await channel.send(value)
            channel.close()

        task = asyncio.create_task(send())
        received = [value async for value in channel]
        await task
        return received

    assert run_virtual(main()) == values
