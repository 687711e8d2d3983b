import asyncio

import numpy as np
import pytest

from agent_runtime import stt
from agent_runtime.errors import APIConnectionError, APIError, APIStatusError
from agent_runtime.media.frames import frame_from_array, to_array
from agent_runtime.stt import SpeechEventType
from agent_runtime.testing import run_virtual
from agent_runtime.types import NOT_GIVEN, APIConnectOptions
from tests.support.fake_speech import FakeSTT, FakeVAD, final, frame, record

DOWN = APIStatusError("overloaded", status_code=503)
REFUSED = APIStatusError("wrong key", status_code=401)


def now():
    return asyncio.get_running_loop().time()


def test_recognize_tries_again_with_growing_pauses():
    fake = FakeSTT(DOWN, DOWN, final("hello"))
    errors, metrics = record(fake, "error"), record(fake, "metrics_collected")

    async def main():
        return (await fake.recognize([frame(1.0), frame(0.5)])).alternatives[0].text, now()

    assert run_virtual(main()) == ("hello", 2.1)  # 0.1 s and then 2 s
    assert [e.recoverable for e in errors] == [True, True]
    assert (metrics[0].audio_duration, metrics[0].streamed, metrics[0].request_id) == (1.5, False, "r")


def test_recognize_gives_up_and_says_so():
    fake = FakeSTT(DOWN)
    errors = record(fake, "error")

    async def main():
        with pytest.raises(APIConnectionError, match=r"FakeSTT failed 3 times: overloaded") as caught:
            await fake.recognize(frame(), conn_options=APIConnectOptions(max_retry=2))
        assert caught.value.__cause__ is DOWN

    run_virtual(main())
    assert [e.recoverable for e in errors] == [True, True, False]


@pytest.mark.parametrize("error", [REFUSED, ValueError("a bug")])
def test_recognize_does_not_repeat_what_cant_succeed(error):
    fake = FakeSTT(error)
    errors = record(fake, "error")

    async def main():
        with pytest.raises(type(error)):
            await fake.recognize(frame())
        assert now() == 0.0

    run_virtual(main())
    assert [(e.error, e.recoverable, e.label) for e in errors] == [(error, False, fake.label)]


async def collect(stream, frames=3):
    for _ in range(frames):
        stream.push_frame(frame())
    stream.end_input()
    return [event async for event in stream]


def test_a_stream_goes_on_with_what_was_not_read_after_a_failure():
    fake = FakeSTT(DOWN, final("hello"))
    errors = record(fake, "error")

    async def main():
        async with fake.stream() as stream:
            events = await collect(stream)
            assert (stream.frames, stream.start_time_offset) == (3, 0.1)
        return [e.alternatives[0].text for e in events]

    assert run_virtual(main()) == ["hello"]
    assert [e.recoverable for e in errors] == [True]


def test_a_stream_that_fails_for_good_raises_at_its_reader():
    fake = FakeSTT(DOWN)

    async def main():
        async with fake.stream(conn_options=APIConnectOptions(max_retry=1)) as stream:
            with pytest.raises(APIConnectionError, match="failed 2 times"):
                await collect(stream)
            with pytest.raises(RuntimeError, match="FakeSTTStream input ended"):
                stream.push_frame(frame())

    run_virtual(main())


def test_a_final_renews_the_retries():
    fake = FakeSTT(DOWN, 0)
    fake.breaks_with = DOWN

    class Stream(stt.RecognizeStream):
        async def _run(self):
            self.attempts = getattr(self, "attempts", 0) + 1
            if self.attempts < 6:
                self._event_ch.send_nowait(final("word"))
                raise DOWN

    async def main():
        async with Stream(stt=fake, conn_options=APIConnectOptions(max_retry=1)) as stream:
            assert len([e async for e in stream]) == 5

    run_virtual(main())


def test_an_attempt_that_lasted_renews_the_retries():
    fake = FakeSTT(DOWN)

    class Stream(stt.RecognizeStream):
        attempts = 0

        async def _run(self):
            self.attempts += 1
            await asyncio.sleep(11)
            if self.attempts < 5:
                raise DOWN

    async def main():
        async with Stream(stt=fake, conn_options=APIConnectOptions(max_retry=1)) as stream:
            assert [e async for e in stream] == []
            assert stream.attempts == 5

    run_virtual(main())


class Echo(stt.RecognizeStream):
    async def _run(self):
        self.got = [item async for item in self._input_ch]


def test_frames_are_resampled_to_what_the_provider_wants():
    async def main():
        tone = (np.sin(np.arange(48000) * 2 * np.pi * 440 / 48000) * 8000).astype(np.int16)
        async with Echo(stt=FakeSTT(None), conn_options=APIConnectOptions(), sample_rate=16000) as stream:
            for start in range(0, 48000, 480):
                stream.push_frame(frame_from_array(tone[start : start + 480], 48000))
            with pytest.raises(ValueError, match="began at 48000 Hz; now came a frame of 16000 Hz"):
                stream.push_frame(frame())
            stream.end_input()
            async for _ in stream:
                pass
        frames = [item for item in stream.got if not isinstance(item, stt.RecognizeStream._FlushSentinel)]
        assert {f.sample_rate for f in frames} == {16000}
        heard = np.concatenate([to_array(f)[:, 0] for f in frames])
        assert len(heard) == 16000
        expected = np.sin(np.arange(16000) * 2 * np.pi * 440 / 16000) * 8000
        assert np.abs(heard[100:-100] - expected[100:-100]).max() < 200

    run_virtual(main())


def test_usage_becomes_metrics():
    fake = FakeSTT(
        stt.SpeechEvent(SpeechEventType.RECOGNITION_USAGE, "r", recognition_usage=stt.RecognitionUsage(2.5, 7, 1))
    )
    metrics = record(fake, "metrics_collected")

    async def main():
        async with fake.stream() as stream:
            await collect(stream)

    run_virtual(main())
    assert [(m.audio_duration, m.input_tokens, m.streamed) for m in metrics] == [(2.5, 7, True)]


def test_closing_ends_the_iteration():
    async def main():
        stream = FakeSTT(final("x")).stream()
        stream.push_frame(frame())
        await stream.aclose()
        assert [e async for e in stream] == []
        await stream.aclose()

    run_virtual(main())


def test_a_recogniser_that_cannot_stream_says_what_to_do():
    class Plain(stt.STT):
        async def _recognize_impl(self, buffer, *, language=NOT_GIVEN, conn_options):
            return final("x")

    plain = Plain(capabilities=stt.STTCapabilities(streaming=False, interim_results=False))
    with pytest.raises(NotImplementedError, match="StreamAdapter"):
        plain.stream()


# --- StreamAdapter -----------------------------------------------------------------------------------------------

VOICE = 1000


async def speak(stream, pattern):
    """`#` is a frame of speech, `_` of silence, `|` a flush."""
    for sign in pattern:
        if sign == "|":
            stream.flush()
        else:
            stream.push_frame(frame(value=VOICE if sign == "#" else 0))
        await asyncio.sleep(0.02)
    if not stream._event_ch.closed:  # it failed, which the iteration tells
        stream.end_input()
    return [(e.type.value, e.alternatives[0].text if e.alternatives else "") async for e in stream]


def adapted(*script):
    fake = FakeSTT(*script, streaming=False)
    return fake, stt.StreamAdapter(stt=fake, vad=FakeVAD())


def test_the_adapter_recognises_each_speech():
    fake, adapter = adapted(final("one"), final(""), final("three"))
    metrics = record(adapter, "metrics_collected")

    async def main():
        async with adapter, adapter.stream() as stream:
            return await speak(stream, "_##__#__###__")

    events = run_virtual(main())
    speech = [("start_of_speech", ""), ("end_of_speech", "")]
    assert events == [*speech, ("final_transcript", "one"), *speech, *speech, ("final_transcript", "three")]
    assert [round(b.duration, 2) for b in fake.heard] == [0.08, 0.06, 0.1]
    assert len(metrics) == 3
    assert not fake.has_listeners("metrics_collected")  # it is not listened to after closing


def test_the_adapter_finishes_what_is_being_said_when_flushed():
    fake, adapter = adapted(final("so far"))

    async def main():
        async with adapter.stream() as stream:
            return await speak(stream, "_###|____")

    assert run_virtual(main())[1:] == [("end_of_speech", ""), ("final_transcript", "so far")]
    assert round(fake.heard[0].duration, 2) == 0.06


def test_the_adapter_keeps_a_minute_of_what_never_ends(monkeypatch):
    monkeypatch.setattr("agent_runtime.stt.stream_adapter._LONGEST", 0.2)
    fake, adapter = adapted(final("on and on"))

    async def main():
        async with adapter.stream() as stream:
            return await speak(stream, f"{'#' * 50}|____")

    assert run_virtual(main())[1:] == [("end_of_speech", ""), ("final_transcript", "on and on")]
    assert 0.2 <= fake.heard[0].duration < 0.25  # of a whole second


@pytest.mark.parametrize("flushed", [True, False])
def test_the_adapter_loses_nothing_of_what_comes_faster_than_it_was_spoken(flushed):
    fake, adapter = adapted(final("all"))

    async def main():
        async with adapter.stream() as stream:
            for _ in range(5):
                stream.push_frame(frame(value=VOICE))
            if flushed:
                stream.flush()
            stream.end_input()
            return [event.type.value async for event in stream]

    assert run_virtual(main()) == ["start_of_speech", "end_of_speech", "final_transcript"]
    assert [round(b.duration, 2) for b in fake.heard] == [0.1]


def test_the_adapter_reports_a_recogniser_that_fails():
    _, adapter = adapted(REFUSED)
    errors = record(adapter, "error")

    async def main():
        async with adapter.stream() as stream:
            with pytest.raises(APIError, match="wrong key"):
                await speak(stream, "##__")

    run_virtual(main())
    assert [e.recoverable for e in errors] == [False]
