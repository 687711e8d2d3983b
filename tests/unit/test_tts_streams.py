import asyncio

import pytest

from agent_runtime import tts
from agent_runtime.errors import APIError, APIStatusError
from agent_runtime.testing import run_virtual
from agent_runtime.types import (
    USERDATA_TTS_STARTED_TIME,
    APIConnectOptions,
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


def test_a_stream_gives_its_audio_and_reports_once():
    fake = FakeTTS([0.5])
    metrics = record(fake, "metrics_collected")

    async def main():
        audios = await speak(fake, "Hello ", "you")
        assert {a.frame.userdata[USERDATA_TTS_STARTED_TIME] for a in audios} == {0.0}
        return audios

    audios = run_virtual(main())
    assert [a.is_final for a in audios[-2:]] == [False, True]
    (m,) = metrics
    assert (m.characters_count, m.streamed, m.cancelled, m.request_id, m.segment_id) == (9, True, False, "r", "s")
    assert m.audio_duration == pytest.approx(duration(audios))
    assert (m.ttfb, m.label) == (0.0, fake.label)


@pytest.mark.parametrize("streamed", [True, False])
def test_a_failure_before_any_audio_is_tried_again_with_all_of_the_text(streamed):
    fake = FakeTTS(DOWN, DOWN, [0.5])
    errors, metrics = record(fake, "error"), record(fake, "metrics_collected")

    async def main():
        audios = await speak(fake, "Hello") if streamed else [a async for a in fake.synthesize("Hello")]
        assert now() == 2.1
        return duration(audios)

    assert run_virtual(main()) == pytest.approx(0.51)
    assert fake.asked == ["Hello"] * 3
    assert [e.recoverable for e in errors] == [True, True]
    assert len(metrics) == 1


@pytest.mark.parametrize("streamed", [True, False])
def test_a_failure_after_audio_was_sent_is_final(streamed):
    fake = FakeTTS([0.5, DOWN])
    errors, metrics = record(fake, "error"), record(fake, "metrics_collected")
    heard = []

    async def collect(stream, into):
        async for audio in stream:
            into.append(audio)

    async def main():
        stream = fake.stream() if streamed else fake.synthesize("Hello")
        async with stream:
            if streamed:
                stream.push_text("Hello")
                stream.end_input()
            with pytest.raises(APIStatusError, match="overloaded"):
                await collect(stream, heard)

    run_virtual(main())
    assert duration(heard) == pytest.approx(0.5)
    assert (fake.asked, [e.recoverable for e in errors], metrics) == (["Hello"], [False], [])


@pytest.mark.parametrize(("error", "count"), [(REFUSED, 1), (RuntimeError("a bug"), 1), (DOWN, 3)])
def test_what_stays_broken_is_raised_at_the_reader(error, count):
    fake = FakeTTS(error)
    errors = record(fake, "error")

    async def main():
        with pytest.raises(type(error)):
            await speak(fake, "Hello", conn_options=APIConnectOptions(max_retry=2))

    run_virtual(main())
    assert [e.recoverable for e in errors] == [True] * (count - 1) + [False]


def test_no_audio_for_a_text_is_a_failure_but_not_for_punctuation():
    fake = FakeTTS([0.0])

    async def main():
        with pytest.raises(APIError, match="gave no audio for the text 'Hello'"):
            await speak(fake, "Hello", conn_options=APIConnectOptions(max_retry=0))
        assert await speak(fake, "... !") == []
        assert await speak(fake) == []

    run_virtual(main())


def test_a_closed_request_ends_quietly():
    fake = FakeTTS(APIStatusError("client closed request", status_code=499))
    errors = record(fake, "error")
    assert run_virtual(speak(fake, "Hello")) == []
    assert errors == []


def test_text_after_flush_is_refused(caplog):
    fake = FakeTTS([0.1])

    async def main():
        async with fake.stream() as stream:
            stream.push_text("One.")
            stream.flush()
            stream.push_text("Two.")
            stream.end_input()
            stream.push_text("Three.")
            return [a async for a in stream]

    assert duration(run_virtual(main())) == pytest.approx(0.11)
    assert "make a new SynthesizeStream" in caplog.text


def test_a_provider_that_ends_its_input_by_itself_finds_no_text_left_to_count():
    class OwnEnd(tts.SynthesizeStream):
        def end_input(self):
            assert self._mtc_text == ""
            self._input_ch.close()

        async def _run(self, output_emitter):
            said = "".join([text async for text in self._input_ch])
            output_emitter.initialize(request_id=said, sample_rate=24000, num_channels=1, mime_type="audio/pcm")
            output_emitter.push(bytes(4800))

    class Own(FakeTTS):
        def stream(self, **options):
            return OwnEnd(tts=self, conn_options=APIConnectOptions())

    fake = Own()
    metrics = record(fake, "metrics_collected")

    async def main():
        return {audio.request_id for audio in await speak(fake, "Hello ", "you")}

    assert run_virtual(main()) == {"Hello you"}
    assert metrics[0].characters_count == 9


def test_a_cut_speech_is_reported_as_cancelled():
    fake = FakeTTS([0.5])
    metrics = record(fake, "metrics_collected")

    async def main():
        async with fake.stream() as stream:
            stream.push_text("Hello")
            await anext(stream)
        assert len([a async for a in stream]) > 3  # what was made before the cut can still be read

    run_virtual(main())
    assert [m.cancelled for m in metrics] == [True]


def test_a_whole_text_from_a_stream():
    fake = FakeTTS([0.5])
    fake.synthesize = fake._synthesize_with_stream
    metrics = record(fake, "metrics_collected")

    async def main():
        stream = fake.synthesize("Hello")
        frame = await stream.collect()
        assert (stream.input_text, stream.done, stream.exception) == ("Hello", True, None)
        return frame

    assert run_virtual(main()).duration == pytest.approx(0.51)
    assert [m.streamed for m in metrics] == [True]


def test_a_synthesizer_that_cannot_stream_says_what_to_do():
    class Plain(tts.TTS):
        def synthesize(self, text, *, conn_options=None):
            raise NotImplementedError

    plain = Plain(capabilities=tts.TTSCapabilities(streaming=False), sample_rate=8000, num_channels=1)
    with pytest.raises(NotImplementedError, match="StreamAdapter"):
        plain.stream()
