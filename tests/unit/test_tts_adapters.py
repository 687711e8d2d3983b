import asyncio

import pytest

from agent_runtime import tts
from agent_runtime.errors import APIConnectionError, APIStatusError
from agent_runtime.testing import run_virtual
from agent_runtime.types import (
    USERDATA_TIMED_TRANSCRIPT,
    USERDATA_TTS_STARTED_TIME,
)
from tests.support.fake_speech import FakeTTS, record

DOWN = APIStatusError("overloaded", status_code=503)
REFUSED = APIStatusError("wrong key", status_code=401)


def now():
    return asyncio.get_running_loop().time()


async def speak(fake, *texts, **kw):
    async with fake.stream(**kw) as stream:
        for text in texts:
            stream.push_text(text)
        stream.end_input()
        return [audio async for audio in stream]


def duration(audios):
    return sum(a.frame.duration for a in audios)


# --- StreamAdapter -----------------------------------------------------------------------------------------------


def test_the_adapter_speaks_sentence_by_sentence():
    fake = FakeTTS([0.5], streaming=False)
    adapter = tts.StreamAdapter(tts=fake)
    metrics = record(adapter, "metrics_collected")

    async def main():
        async with adapter:
            return await speak(adapter, "This is the first sen", "tence. And this is the seco", "nd one.")

    audios = run_virtual(main())
    assert fake.asked == ["This is the first sentence.", "And this is the second one."]
    words = [w for a in audios for w in a.frame.userdata.get(USERDATA_TIMED_TRANSCRIPT, [])]
    assert "".join(words) == "This is the first sentence. And this is the second one."
    assert [w.start_time for w in words] == [0.0, pytest.approx(0.51)]
    assert len(metrics) == 2
    assert adapter.capabilities.aligned_transcript


def test_the_adapter_passes_failures_on():
    fake = FakeTTS(REFUSED, streaming=False)
    adapter = tts.StreamAdapter(tts=fake)
    errors = record(adapter, "error")

    async def main():
        with pytest.raises(APIStatusError, match="wrong key"):
            await speak(adapter, "Hello there, my friend.")

    run_virtual(main())
    assert [e.recoverable for e in errors] == [False]


def test_a_paced_adapter_waits_until_little_is_left_to_hear():
    fake = FakeTTS([8.0], streaming=False)
    adapter = tts.StreamAdapter(tts=fake, text_pacing=tts.SentenceStreamPacer(min_remaining_audio=5.0))
    asked_at = []
    synthesize = fake.synthesize
    fake.synthesize = lambda text, **kw: (asked_at.append((now(), text)), synthesize(text, **kw))[1]
    run_virtual(speak(adapter, "The first sentence is here. The second sentence is here. The third sentence is."))
    assert asked_at == [
        (0.0, "The first sentence is here."),
        (pytest.approx(3.01), "The second sentence is here. The third sentence is."),
    ]


# --- FallbackAdapter ---------------------------------------------------------------------------------------------


def pair(first, second, **kw):
    members = [FakeTTS(*first, name="first", **kw), FakeTTS(*second, name="second")]
    adapter = tts.FallbackAdapter(members)
    return *members, adapter, record(adapter, "tts_availability_changed")


def run(adapter, main):
    async def closing():
        async with adapter:
            return await main()

    return run_virtual(closing())


@pytest.mark.parametrize("streamed", [True, False])
def test_the_next_speaks_all_of_it_when_the_first_cannot(streamed):
    first, second, adapter, changes = pair([DOWN], [[0.25]])

    async def main():
        if streamed:
            return duration(await speak(adapter, "Hello ", "there"))
        return (await adapter.synthesize("Hello there").collect()).duration

    length = run(adapter, main)
    assert length == pytest.approx(0.51 if streamed else 0.26)
    assert "".join(second.asked) == "Hello there"
    assert [(c.tts, c.available) for c in changes] == [(first, False)]
    assert adapter.model == "second"


def test_text_that_comes_after_the_switch_reaches_the_next_one():
    _, second, adapter, _ = pair([DOWN], [[0.25]])

    async def main():
        async with adapter.stream() as stream:
            stream.push_text("Hello ")
            await asyncio.sleep(5)
            stream.push_text("there")
            stream.end_input()
            return [a async for a in stream]

    run(adapter, main)
    assert second.asked == ["Hello ", "there"]


class _Refusing(tts.SynthesizeStream):
    def push_text(self, token):
        raise RuntimeError("the line is dead")

    async def _run(self, output_emitter):
        await asyncio.get_running_loop().create_future()


def test_one_that_takes_no_text_leaves_it_all_to_the_next():
    first, second, adapter, changes = pair([[0.25]], [[0.25]])
    first.stream = lambda *, conn_options: _Refusing(tts=first, conn_options=conn_options)

    async def main():
        async with adapter.stream() as stream, asyncio.timeout(60):
            await asyncio.sleep(0.1)  # the first one listens
            stream.push_text("Hello ")
            stream.push_text("there")
            stream.end_input()
            return [a async for a in stream]

    assert duration(run(adapter, main)) == pytest.approx(0.51)
    assert second.asked == ["Hello ", "there"]
    assert [(c.tts, c.available) for c in changes] == [(first, False)]


class _SlowToFail(tts.SynthesizeStream):
    async def _run(self, output_emitter):
        await asyncio.sleep(0.5)
        self._mark_started()
        await asyncio.sleep(2.0)
        raise DOWN


def test_waiting_for_one_that_fails_counts_too(monkeypatch):
    first, _, adapter, _ = pair([DOWN], [[0.25]])
    monkeypatch.setattr(first, "stream", lambda *, conn_options: _SlowToFail(tts=first, conn_options=conn_options))
    audios = run(adapter, lambda: speak(adapter, "Hello"))
    assert {audio.frame.userdata[USERDATA_TTS_STARTED_TIME] for audio in audios} == {0.5}


def test_after_audio_no_other_voice_takes_over():
    _, second, adapter, changes = pair([[0.25, DOWN]], [[0.25]])
    audios = run(adapter, lambda: speak(adapter, "Hello"))
    assert duration(audios) == pytest.approx(0.25, abs=0.011)
    assert second.asked == []
    assert [c.available for c in changes] == [False]


def test_it_is_used_again_once_a_probe_succeeded():
    first, _, adapter, changes = pair([DOWN, DOWN, DOWN, [0.1]], [[0.25]])

    async def main():
        await speak(adapter, "One")
        await asyncio.sleep(1)
        assert adapter.model == "first"
        await speak(adapter, "Two")

    run(adapter, main)
    assert first.asked[-2:] == ["One", "Two"]
    assert [c.available for c in changes] == [False, True]


def test_a_probe_asks_in_the_way_that_failed(monkeypatch):
    first, _, adapter, changes = pair([DOWN], [[0.25]])
    answers = FakeTTS([0.1])
    monkeypatch.setattr(first, "synthesize", answers.synthesize)

    async def main():
        await speak(adapter, "One")
        await asyncio.sleep(1)
        assert adapter.model == "second"

    run(adapter, main)
    assert answers.asked == []
    assert [c.available for c in changes] == [False]


def test_all_down_is_an_error_that_names_them():
    *_, adapter, _ = pair([DOWN], [REFUSED])

    async def main():
        with pytest.raises(APIConnectionError, match=r"overloaded.*; .*wrong key"):
            await speak(adapter, "Hello")

    run(adapter, main)


def test_a_slower_rate_is_resampled_and_one_that_cannot_stream_is_adapted():
    plain = FakeTTS([0.5], streaming=False, rate=8000)
    adapter = tts.FallbackAdapter([plain, FakeTTS([0.5], rate=16000)])
    audios = run(adapter, lambda: speak(adapter, "Hello there, my friend."))
    assert {a.frame.sample_rate for a in audios} == {16000}
    assert duration(audios) == pytest.approx(0.51, abs=0.02)
    assert plain.asked == ["Hello there, my friend."]
