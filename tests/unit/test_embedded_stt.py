import asyncio
from itertools import pairwise

import numpy as np
import pytest

from agent_runtime.errors import APIError
from agent_runtime.media.frames import frame_from_array
from agent_runtime.providers.embedded.moonshine import clean
from agent_runtime.providers.embedded.stt import LONG, TOO_LONG, find_speech
from agent_runtime.testing import run_virtual
from agent_runtime.types import APIConnectOptions
from tests.support.fake_models import CountingSTT, LoudnessModel, signal, use_loudness
from tests.support.fake_speech import record

W = 0.032
LOUD = 900


@pytest.fixture(autouse=True)
def loudness(monkeypatch):
    use_loudness(monkeypatch)


async def hear(stt, *parts, flush_at=(), end=True):
    """Speak in real time; gives each event with its time in windows since the beginning."""
    now = asyncio.get_running_loop().time
    audio = signal(*parts)
    seen = []

    async def collect(stream):
        async for event in stream:
            text = event.alternatives[0].text if event.alternatives else ""
            seen.append((round(now() / W), event.type.value, text))

    async with stt.stream() as stream:
        reading = asyncio.create_task(collect(stream))
        for number in range(len(audio) // 512):
            await asyncio.sleep(W)
            stream.push_frame(frame_from_array(audio[number * 512 : (number + 1) * 512], 16000))
            if number + 1 in flush_at:
                stream.flush()
        if end:
            stream.end_input()
        await reading
    await stt.aclose()
    return seen


def only(seen, *kinds):
    return [event for event in seen if event[1] in kinds]


def test_a_speech_from_its_first_word_to_its_final_text():
    stt = CountingSTT(seconds=0.1)
    metrics = record(stt, "metrics_collected")
    seen = run_virtual(hear(stt, (20, 0), (30, LOUD), (20, 0)))
    # It begins in window 21 and is certain in 23; its padding of 10 windows is read, too.
    assert only(seen, "start_of_speech") == [(23, "start_of_speech", "")]
    assert only(seen, "interim_transcript") == [
        (33, "interim_transcript", "20 windows"),
        (43, "interim_transcript", "30 windows"),
        (56, "interim_transcript", "42 windows"),  # the guess of window 53, and the tail of 2 windows
    ]
    assert only(seen, "preflight_transcript") == [(57, "preflight_transcript", "42 windows")]
    # 0.4 s are 13 windows of silence: the text was there already.
    assert seen[-3:] == [
        (63, "final_transcript", "42 windows"),
        (63, "end_of_speech", ""),
        (63, "recognition_usage", ""),
    ]
    assert (stt.reads, stt.cancelled) == ([20, 30, 40, 42], 1)  # the guess took the place of an interim
    assert [m.audio_duration for m in metrics] == [pytest.approx(63 * W)]


def test_times_are_those_of_the_speech():
    stt = CountingSTT()

    async def main():
        async with stt.stream() as stream:
            stream.start_time_offset = 0.0
            stream.push_frame(frame_from_array(signal((20, 0), (30, LOUD), (20, 0)), 16000))
            stream.end_input()
            finals = [e async for e in stream if e.type.value == "final_transcript"]
        await stt.aclose()
        return finals[0].alternatives[0]

    data = run_virtual(main())
    assert (data.start_time, data.end_time) == (pytest.approx(20 * W), pytest.approx(50 * W))
    assert (data.language, data.words) == ("en", None)


def test_a_pause_within_a_speech_does_not_end_it():
    stt = CountingSTT()
    seen = run_virtual(hear(stt, (20, LOUD), (8, 0), (20, LOUD), (20, 0)))
    assert [text for _, _, text in only(seen, "final_transcript")] == ["50 windows"]
    assert [text for _, _, text in only(seen, "preflight_transcript")] == ["22 windows", "50 windows"]
    assert len(only(seen, "end_of_speech")) == 1


def test_a_guess_that_is_not_ready_is_waited_for():
    seen = run_virtual(hear(CountingSTT(seconds=0.5), (30, LOUD), (40, 0)))
    # Guessed in window 33, read for 15.6 windows: the final comes then and not 13 windows after the speech.
    assert only(seen, "final_transcript") == [(49, "final_transcript", "32 windows")]
    assert only(seen, "preflight_transcript") == []


def test_readings_never_queue_up():
    stt = CountingSTT(seconds=1.0)
    run_virtual(hear(stt, (120, LOUD), (20, 0)))
    # From the second on, an interval is three times as long as a reading takes.
    interims = stt.reads[:-1]
    assert interims[0] == 10
    assert all(b - a >= 3 / W for a, b in pairwise(interims))
    assert len(interims) == 2


def test_flush_makes_it_final_at_once():
    stt = CountingSTT(seconds=0.1)
    seen = run_virtual(hear(stt, (30, LOUD), (5, 0), (5, 0), (30, LOUD), (20, 0), flush_at=[35]))
    assert only(seen, "final_transcript")[0] == (36, "final_transcript", "32 windows")  # the guess of window 33
    assert only(seen, "end_of_speech")[0][0] == 36
    assert [text for _, _, text in only(seen, "final_transcript")] == ["32 windows", "40 windows"]


def test_flush_in_the_middle_of_a_word_reads_what_is_there():
    stt = CountingSTT(seconds=0.1)
    seen = run_virtual(hear(stt, (50, LOUD), (20, 0), flush_at=[21]))
    assert [text for _, _, text in only(seen, "final_transcript")] == ["21 windows", "31 windows"]
    assert stt.cancelled == 1  # the interim that was being read


def test_flush_in_silence_says_nothing():
    seen = run_virtual(hear(CountingSTT(), (20, 0), (2, LOUD), (20, 0), flush_at=[10, 21, 30]))
    assert seen == []


def test_a_speech_that_the_input_ends_is_final():
    seen = run_virtual(hear(CountingSTT(), (20, LOUD)))
    assert [text for _, _, text in only(seen, "final_transcript")] == ["20 windows"]


def test_noise_without_words_is_not_reported():
    class Nothing(CountingSTT):
        async def read(self, samples, voiced, *, urgent=True):
            return ""

    seen = run_virtual(hear(Nothing(), (20, LOUD), (20, 0)))
    assert [kind for _, kind, _ in seen] == ["start_of_speech", "end_of_speech", "recognition_usage"]


def test_a_long_speech_becomes_final_at_its_pauses():
    long = round(LONG) + 5
    seen = run_virtual(hear(CountingSTT(), (long, LOUD), (8, 0), (40, LOUD), (20, 0)))
    finals = only(seen, "final_transcript")
    assert [text for _, _, text in finals] == [f"{long + 2} windows", "48 windows"]
    assert finals[0][0] == long + 6
    assert len(only(seen, "start_of_speech")) == len(only(seen, "end_of_speech")) == 1


def test_a_speech_without_a_pause_is_cut_where_it_is_softest():
    total = round(TOO_LONG) + 50
    soft = round(TOO_LONG) - 60
    seen = run_virtual(hear(CountingSTT(), (soft, LOUD), (5, 500), (total - soft - 5, LOUD), (20, 0)))
    first, second = [int(text.split()[0]) for _, _, text in only(seen, "final_transcript")]
    assert abs(first - (soft + 2)) <= 2
    assert first + second == total + 2
    assert len(only(seen, "end_of_speech")) == 1


def test_a_speech_that_was_cut_and_then_is_silent_ends_without_another_text():
    long = round(LONG) + 5
    seen = run_virtual(hear(CountingSTT(), (long, LOUD), (30, 0)))
    assert len(only(seen, "final_transcript")) == 1
    assert seen[-2][1] == "end_of_speech"


def test_a_failing_model_is_an_error_and_the_stream_goes_on():
    stt = CountingSTT()
    stt.fails = APIError("moonshine: broken", retryable=True)
    errors = record(stt, "error")

    async def main():
        async with stt.stream(conn_options=APIConnectOptions(max_retry=1)) as stream:
            stream.push_frame(frame_from_array(signal((20, LOUD), (20, 0)), 16000))
            await asyncio.sleep(1)
            stt.fails = None
            stream.push_frame(frame_from_array(signal((20, LOUD), (20, 0)), 16000))
            stream.end_input()
            texts = [e.alternatives[0].text async for e in stream if e.type.value == "final_transcript"]
        await stt.aclose()
        return texts

    assert run_virtual(main()) == ["22 windows"]
    assert [e.recoverable for e in errors] == [True]


def test_closing_drops_what_is_being_read():
    stt = CountingSTT(seconds=5.0)

    async def main():
        async with stt.stream() as stream:
            stream.push_frame(frame_from_array(signal((40, LOUD)), 16000))
            await asyncio.sleep(0.1)
        await stt.aclose()

    run_virtual(main())
    assert (stt.cancelled, len(stt.reads)) == (1, 1)


def test_speech_in_a_whole_signal():
    audio = np.repeat(signal((30, 0), (20, LOUD), (60, 0), (30, LOUD)), 3)
    stretches = find_speech(LoudnessModel(), audio, 48000)
    assert [(round(s.start / W), round(s.end / W)) for s in stretches] == [(30, 50), (110, 140)]
    assert [len(s.samples) // 512 for s in stretches] == [32, 42]
    assert find_speech(LoudnessModel(), signal((50, 0)), 16000) == []


def test_a_whole_signal_is_cut_too():
    stretches = find_speech(LoudnessModel(), signal((1200, LOUD)), 16000)
    assert sum(len(s.samples) // 512 for s in stretches) == 1202
    assert all(len(s.samples) // 512 <= TOO_LONG for s in stretches)


@pytest.mark.parametrize(
    ("text", "voiced", "expected"),
    [
        ("You", 0.2, ""),
        ("You.", 0.2, ""),
        ("You", 0.5, "You"),
        ("Yes.", 0.2, "Yes."),
        ("...", 1.0, ""),
        ("In short,, the period", 1.0, "In short, the period"),
        ("It was. It was. It was. It was.", 2.0, "It was."),
        ("Never, never, never!", 2.0, "Never, never, never!"),
        ("no no no no no no no", 2.0, "no"),
        ("we had everything, we had nothing", 2.0, "we had everything, we had nothing"),
        ("of the period of the period of the period of", 2.0, "of the period"),
    ],
)
def test_what_the_model_makes_up_is_taken_away(text, voiced, expected):
    assert clean(text, voiced) == expected
