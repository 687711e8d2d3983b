import asyncio

import numpy as np
import pytest

from agent_runtime.media.frames import frame_from_array, to_array
from agent_runtime.providers.embedded.vad import AudioHistory, SileroVAD, SpeechTracker
from agent_runtime.testing import run_virtual
from agent_runtime.vad import VADEventType
from tests.support.fake_models import signal, use_loudness
from tests.support.fake_speech import record

W = 0.032
LOUD = 900


@pytest.fixture(autouse=True)
def loudness(monkeypatch):
    use_loudness(monkeypatch)


def track(probabilities, **options):
    """The changes by window number."""
    tracker = SpeechTracker(SileroVAD(**options).options)
    return [(n, change.value) for n, p in enumerate(probabilities, 1) if (change := tracker.update(p))], tracker


def test_speech_begins_and_ends_after_its_minimum():
    changes, tracker = track([0.1] * 3 + [0.9] * 5 + [0.1] * 12)
    assert changes == [(5, "start_of_speech"), (18, "end_of_speech")]
    assert (tracker.start, tracker.end) == (3, 8)


def test_a_click_is_no_speech_and_a_gap_no_end():
    assert track([0.9, 0.1] * 5)[0] == []
    assert track([0.9] * 3 + [0.1] * 9 + [0.9] * 3)[0] == [(2, "start_of_speech")]


def test_once_begun_less_is_enough():
    assert track([0.4] * 20)[0] == []
    assert track([0.9] * 2 + [0.4] * 20)[0] == [(2, "start_of_speech")]
    assert track([0.9] * 2 + [0.3] * 20)[0] == [(2, "start_of_speech"), (12, "end_of_speech")]


def test_the_minima_are_whole_windows_rounded_up():
    assert track([0.9] * 9, min_speech_duration=0.064)[0] == [(2, "start_of_speech")]
    assert track([0.9] * 9, min_speech_duration=0.065)[0] == [(3, "start_of_speech")]
    assert track([0.9] * 9, min_speech_duration=0.0)[0] == [(1, "start_of_speech")]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"activation_threshold": 0.0}, "activation_threshold is 0.0"),
        ({"activation_threshold": 1.1}, "activation_threshold is 1.1"),
        ({"deactivation_threshold": 0.6}, r"deactivation_threshold is 0.6; .*\(0.5\)"),
    ],
)
def test_thresholds_that_make_no_sense_are_refused(options, problem):
    with pytest.raises(ValueError, match=problem):
        SileroVAD(**options)


async def hear(audio, *, rate=16000, size=160, flush_at=None, **options):
    async with SileroVAD(**options).stream() as stream:
        for start in range(0, len(audio), size):
            stream.push_frame(frame_from_array(audio[start : start + size], rate))
            if flush_at is not None and start <= flush_at < start + size:
                stream.flush()
        stream.end_input()
        return [event async for event in stream]


def told(events):
    return [e for e in events if e.type is not VADEventType.INFERENCE_DONE]


def length(event):
    return sum(f.samples_per_channel for f in event.frames) / event.frames[0].sample_rate


def test_events_tell_when_speech_truly_was_and_bring_its_audio():
    start, end = told(run_virtual(hear(signal((40, 0), (50, LOUD), (30, 0)))))
    assert (start.type, end.type) == (VADEventType.START_OF_SPEECH, VADEventType.END_OF_SPEECH)
    assert start.timestamp - start.speech_duration == pytest.approx(40 * W)
    assert (start.speaking, end.speaking) == (True, False)
    assert end.timestamp - end.silence_duration == pytest.approx(90 * W)
    assert end.speech_duration == pytest.approx(50 * W)
    assert end.samples_index == 100 * 512
    assert length(start) == pytest.approx(0.5 + 2 * W, abs=0.001)  # its padding and the windows that were enough
    assert length(end) == pytest.approx(0.5 + 60 * W, abs=0.001)
    heard = to_array(end.frames[0])[:, 0]
    assert (heard[:8000] == 0).all()
    assert (heard[8000 : 8000 + 50 * 512] == LOUD).all()


def test_every_window_is_told():
    events = run_virtual(hear(signal((2, 0), (3, LOUD), (2, 0))))
    windows = [e for e in events if e.type is VADEventType.INFERENCE_DONE]
    assert [round(e.probability, 1) for e in windows] == [0, 0, 0.9, 0.9, 0.9, 0, 0]
    assert [e.speaking for e in windows] == [False, False, False, True, True, True, True]
    assert [round(e.raw_accumulated_speech / W) for e in windows] == [0, 0, 1, 2, 3, 0, 0]
    assert [round(e.raw_accumulated_silence / W) for e in windows] == [1, 2, 0, 0, 0, 1, 2]
    assert [round(e.speech_duration / W) for e in windows] == [0, 0, 0, 2, 3, 3, 3]
    assert all(length(e) == pytest.approx(W) for e in windows)


def test_a_long_speech_keeps_its_latest_audio():
    *_, end = told(run_virtual(hear(signal((200, LOUD), (20, 0)), max_buffered_speech=2.0)))
    assert length(end) == pytest.approx(2.0)
    assert end.speech_duration == pytest.approx(200 * W)


def test_flush_forgets_the_speech_in_progress():
    events = told(run_virtual(hear(signal((20, LOUD), (20, 0)), flush_at=10 * 512)))
    assert [e.type.value for e in events] == ["start_of_speech", "start_of_speech", "end_of_speech"]
    assert events[-1].speech_duration == pytest.approx(10 * W)


def test_the_frames_keep_the_rate_they_came_in():
    audio = np.repeat(signal((30, 0), (30, LOUD), (20, 0)), 3)
    start, end = told(run_virtual(hear(audio, rate=48000, size=480)))
    assert end.frames[0].sample_rate == 48000
    assert length(end) == pytest.approx(0.5 + 40 * W, abs=2 * W)
    assert start.timestamp - start.speech_duration == pytest.approx(30 * W, abs=W)


def test_a_rate_that_changes_is_an_error():
    async def main():
        stream = SileroVAD().stream()
        stream.push_frame(frame_from_array(np.zeros(160, np.int16), 16000))
        stream.push_frame(frame_from_array(np.zeros(480, np.int16), 48000))
        stream.end_input()
        with pytest.raises(ValueError, match="began at 16000 Hz; now came 48000 Hz"):
            await anext(stream)
        await stream.aclose()

    run_virtual(main())


def test_metrics_come_about_once_a_second():
    vad = SileroVAD()
    metrics = record(vad, "metrics_collected")

    async def main():
        async with vad.stream() as stream:
            for _ in range(100):
                stream.push_frame(frame_from_array(signal((1, 0)), 16000))
            stream.end_input()
            assert len([e async for e in stream]) == 100

    run_virtual(main())
    assert [m.inference_count for m in metrics] == [32, 32, 32]
    assert metrics[0].metadata.model_provider == "embedded"


def test_a_backlog_lets_others_work():
    async def main():
        stream = SileroVAD().stream()
        for _ in range(200):
            stream.push_frame(frame_from_array(signal((1, 0)), 16000))
        rounds = 0
        while stream._input_ch.qsize():
            await asyncio.sleep(0)
            rounds += 1
        await stream.aclose()
        return rounds

    assert run_virtual(main()) > 8


def test_the_history_forgets():
    history = AudioHistory(100)
    for start in range(0, 100, 10):
        history.push(np.arange(start, start + 10, dtype=np.int16))
    assert history.between(0.25, 0.33).tolist() == list(range(25, 33))
    history.forget_before(0.55)
    assert history.between(0.0, 0.6).tolist() == list(range(50, 60))
    assert history.between(0.2, 0.3).tolist() == []
