import asyncio

import pytest

from agent_runtime import stt
from agent_runtime.errors import APIConnectionError, APIStatusError
from agent_runtime.testing import run_virtual
from agent_runtime.types import APIConnectOptions
from tests.support.fake_speech import FakeSTT, FakeVAD, final, frame, record

DOWN = APIStatusError("overloaded", status_code=503)


def now():
    return asyncio.get_running_loop().time()


def pair(*scripts, **kw):
    members = [FakeSTT(*script, name=f"stt{n}") for n, script in enumerate(scripts)]
    adapter = stt.FallbackAdapter(members, **kw)
    return *members, adapter, record(adapter, "stt_availability_changed")


def run(adapter, main):
    async def closing():
        async with adapter:
            return await main()

    return run_virtual(closing())


async def hear(adapter):
    return (await adapter.recognize(frame())).alternatives[0].text


def test_the_first_answers_with_the_adapters_own_patience():
    first, second, adapter, changes = pair([final("one")], [final("two")])
    assert run(adapter, lambda: hear(adapter)) == "one"
    assert first.options == [APIConnectOptions(max_retry=1, retry_interval=5, timeout=10.0)]
    assert (second.heard, changes) == ([], [])


def test_the_next_one_answers_and_the_first_is_skipped_until_it_is_back():
    # Two attempts of the first request fail, and so do both of the probe; the second probe succeeds.
    first, _, adapter, changes = pair([DOWN, DOWN, DOWN, DOWN, final("one")], [final("two")], retry_interval=0.1)
    metrics = record(adapter, "metrics_collected")

    async def main():
        texts = []
        for _ in range(4):
            texts.append(await hear(adapter))
            await asyncio.sleep(2)
        return texts

    assert run(adapter, main) == ["two", "two", "one", "one"]
    assert [(c.stt, c.available) for c in changes] == [(first, False), (first, True)]
    # Each of the recognisers reported its own success, the probe's among them; the adapter adds none.
    assert len(metrics) == 5


def test_a_dead_one_costs_no_time():
    _, _, adapter, _ = pair([[5.0, DOWN]], [final("two")])

    async def main():
        took = []
        for _ in range(3):
            began = now()
            await hear(adapter)
            took.append(round(now() - began, 3))
        return took

    assert run(adapter, main) == [10.1, 0, 0]


def test_if_all_fail_the_error_names_them():
    _, _, adapter, changes = pair([DOWN], [DOWN])

    async def main():
        with pytest.raises(APIConnectionError, match=r"FakeSTT: .*overloaded.*; .*FakeSTT: "):
            await hear(adapter)

    run(adapter, main)
    assert [c.available for c in changes] == [False, False]


async def listen(stream, frames):
    async def push():
        for _ in range(frames):
            if not stream._event_ch.closed:
                stream.push_frame(frame())
            await asyncio.sleep(0.02)
        stream.end_input()

    pushing = asyncio.create_task(push())
    events = [e async for e in stream]
    await pushing
    return [e.alternatives[0].text for e in events]


def test_the_next_one_hears_what_the_broken_one_did_not_finish():
    first, second, adapter, changes = pair([5], [final("everything")], max_retry_per_stt=0)
    first.breaks_with = DOWN

    async def main():
        async with adapter.stream() as stream:
            return await listen(stream, 10)

    assert run(adapter, main) == ["everything"]
    assert second.streams[0].frames == 10
    assert [(c.stt, c.available) for c in changes] == [(first, False)]
    assert adapter.model == "stt1"


def test_what_is_final_is_not_heard_again():
    first, second, adapter, _ = pair([final("one"), DOWN], [final("two")], max_retry_per_stt=0)

    class FinalThenBroken(stt.RecognizeStream):
        async def _run(self):
            for _ in range(4):
                await self._input_ch.recv()
            self._event_ch.send_nowait(final("one"))
            await self._input_ch.recv()
            raise DOWN

    first.stream = lambda *, language, conn_options: FinalThenBroken(stt=first, conn_options=conn_options)

    async def main():
        async with adapter.stream() as stream:
            return await listen(stream, 10)

    assert run(adapter, main) == ["one", "two"]
    assert second.streams[0].frames == 6
    assert second.streams[0].start_time_offset == pytest.approx(0.08)


def test_a_stream_probes_the_one_that_is_down():
    first, _, adapter, changes = pair([DOWN, final("back")], [final("two")], max_retry_per_stt=0)

    async def main():
        async with adapter.stream() as stream:
            return await listen(stream, 3)

    assert run(adapter, main) == ["two"]

    async def again():
        async with adapter.stream() as stream:
            stream.push_frame(frame())
            await asyncio.sleep(0.1)
            stream.flush()
            await asyncio.sleep(0.1)
            stream.end_input()
            return [e.alternatives[0].text async for e in stream]

    assert run_virtual(again()) == ["two", "two"]
    assert [(c.stt, c.available) for c in changes] == [(first, False), (first, True)]


def test_a_stream_without_anybody_left_raises():
    *_, adapter, _ = pair([DOWN], [DOWN], max_retry_per_stt=0)

    async def main():
        async with adapter.stream() as stream:
            with pytest.raises(APIConnectionError, match="no recogniser answered"):
                await anext(stream)

    run(adapter, main)


def test_one_that_cannot_stream_needs_a_vad():
    plain = FakeSTT(final("x"), streaming=False)
    with pytest.raises(ValueError, match="give the FallbackAdapter a vad"):
        stt.FallbackAdapter([plain])
    adapter = stt.FallbackAdapter([plain], vad=FakeVAD())
    assert adapter.capabilities.streaming

    async def main():
        async with adapter.stream() as stream:
            for value in (0, 1000, 1000, 0, 0):
                stream.push_frame(frame(value=value))
            stream.end_input()
            return [e.type.value async for e in stream]

    assert run(adapter, main) == ["start_of_speech", "end_of_speech", "final_transcript"]


def test_without_members_it_is_refused():
    with pytest.raises(ValueError, match="at least one STT"):
        stt.FallbackAdapter([])


class _Refusing(stt.RecognizeStream):
    """Fails at once where it is the one that listens; as a probe it runs on and takes no audio."""

    refuses = False

    def push_frame(self, frame):
        if self.refuses:
            raise RuntimeError("the line is dead")
        super().push_frame(frame)

    async def _run(self):
        if not self.refuses:
            raise DOWN
        await asyncio.get_running_loop().create_future()


class _RefusingSTT(FakeSTT):
    def stream(self, *, language=None, conn_options=APIConnectOptions()):  # noqa: B008 - as providers write it
        stream = _Refusing(stt=self, conn_options=conn_options)
        stream.refuses, self.asked = getattr(self, "asked", False), True
        return stream


def test_a_probe_that_takes_no_audio_leaves_the_others_their_hearing():
    second = FakeSTT(final("two"), name="second")
    adapter = stt.FallbackAdapter([_RefusingSTT(name="first"), second], max_retry_per_stt=0)

    async def main():
        async with adapter.stream() as stream:
            for _ in range(3):
                await asyncio.sleep(0.1)
                stream.push_frame(frame())
            stream.end_input()
            return [event.alternatives[0].text async for event in stream], adapter.circuits.circuits[0][1].problem

    assert run(adapter, main) == (["two"], "the line is dead")
    assert second.streams[0].frames == 3


def test_one_that_listens_and_takes_no_audio_any_more_is_replaced():
    first, second = _RefusingSTT(name="first"), FakeSTT(final("everything"), name="second")
    first.asked = True  # refuses from its first stream on
    adapter = stt.FallbackAdapter([first, second], max_retry_per_stt=0)

    async def main():
        async with adapter.stream() as stream, asyncio.timeout(60):
            return await listen(stream, 10)

    assert run(adapter, main) == ["everything"]
    assert second.streams[0].frames == 10
    assert adapter.circuits.circuits[0][1].problem == "the line is dead"
