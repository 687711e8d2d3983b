"""WAV files on the session's clock, and the taps that fill them."""

from __future__ import annotations

import asyncio

import numpy as np
from livekit.rtc import AudioFrame

from agent_runtime.bundle.taps import TappedInput, TappedOutput
from agent_runtime.bundle.track import Track
from agent_runtime.media.wav import read_wav
from agent_runtime.testing import ScriptedAudioInput, ScriptedAudioOutput, VirtualClock, in_virtual_time

RATE = 1000


def ones(seconds: float) -> np.ndarray:
    return np.ones(round(seconds * RATE), np.int16)


def spans(path) -> list[tuple[float, float]]:
    """Seconds from and to which the file isn't silent."""
    samples, rate = read_wav(path)
    edges = np.flatnonzero(np.diff(np.concatenate(([0], (samples[:, 0] != 0).astype(int), [0]))))
    return [(round(a / rate, 3), round(b / rate, 3)) for a, b in edges.reshape(-1, 2)]


def test_a_block_lies_where_it_ended_and_silence_is_before_it(tmp_path):
    track = Track(tmp_path / "a.wav", begins=10.0)
    track.put(11.0, ones(0.5), RATE)
    track.put(13.0, ones(0.25), RATE)
    track.close(14.0)
    assert spans(tmp_path / "a.wav") == [(0.5, 1.0), (2.75, 3.0)]
    assert len(read_wav(tmp_path / "a.wav")[0]) == 4 * RATE


def test_blocks_that_come_a_little_late_follow_each_other(tmp_path):
    track = Track(tmp_path / "a.wav", begins=0.0)
    for number in range(1, 50):
        track.put(number * 0.01 + (0.015 if number % 7 == 0 else 0.0), ones(0.01), RATE)
        track.save(number * 0.01 + 0.1)
    track.close(0.5)
    assert spans(tmp_path / "a.wav") == [(0.0, 0.49)]


def test_a_crowd_of_late_blocks_goes_where_it_was_heard(tmp_path):
    track = Track(tmp_path / "a.wav", begins=0.0, hold=0.3)
    track.put(0.1, ones(0.1), RATE)
    for _ in range(4):  # the loop stood still from 0.1 to 0.5
        track.put(0.5, ones(0.1), RATE)
    track.put(0.6, ones(0.1), RATE)
    track.close(0.6)
    assert spans(tmp_path / "a.wav") == [(0.0, 0.6)]


def test_what_is_saved_can_be_read_while_it_is_written(tmp_path):
    track = Track(tmp_path / "a.wav", begins=0.0)
    track.put(0.1, ones(0.1), RATE)
    track.save(0.2)
    assert len(read_wav(tmp_path / "a.wav")[0]) == 100
    track.close(0.2)


def test_another_rate_is_converted(tmp_path):
    track = Track(tmp_path / "a.wav", begins=0.0)
    track.put(0.5, ones(0.5), RATE)
    track.put(1.5, np.full(4000, 1000, np.int16), 2 * RATE * 2)
    track.close(2.0)
    samples, rate = read_wav(tmp_path / "a.wav")
    assert (rate, len(samples)) == (RATE, 2000)
    assert samples[1400, 0] > 900


class Heard:
    """What a tap told, as spans of seconds."""

    def __init__(self) -> None:
        self.blocks: list[tuple[float, float]] = []

    def __call__(self, end: float, samples: np.ndarray, rate: int) -> None:
        if len(samples):
            self.blocks.append((round(end - len(samples) / rate, 3), round(end, 3)))

    @property
    def joined(self) -> list[tuple[float, float]]:
        found: list[tuple[float, float]] = []
        for start, end in self.blocks:
            if found and abs(found[-1][1] - start) < 0.002:
                found[-1] = (found[-1][0], end)
            else:
                found.append((start, end))
        return found


def frame(seconds: float) -> AudioFrame:
    count = round(seconds * 24000)
    return AudioFrame(np.ones(count, np.int16).tobytes(), 24000, 1, count)


@in_virtual_time
async def test_the_speaker_s_tap_tells_what_was_played_up_to_a_cut():
    heard, clock = Heard(), VirtualClock()
    output = TappedOutput(ScriptedAudioOutput(clock=clock), heard, clock)
    await asyncio.sleep(1.0)
    await output.capture_frame(frame(2.0))
    output.flush()
    await asyncio.sleep(0.75)
    output.clear_buffer()
    await output.capture_frame(frame(0.5))
    output.flush()
    await asyncio.sleep(1.0)
    assert heard.joined == [(1.0, 2.25)]
    await output.aclose()


@in_virtual_time
async def test_a_pause_of_the_speaker_is_a_gap():
    heard, clock = Heard(), VirtualClock()
    output = TappedOutput(ScriptedAudioOutput(clock=clock), heard, clock)
    await output.capture_frame(frame(1.0))
    output.flush()
    await asyncio.sleep(0.45)
    output.pause()
    await asyncio.sleep(2.0)
    output.resume()
    await asyncio.sleep(1.0)
    assert heard.joined == [(0.0, 0.45), (2.45, 3.0)]


@in_virtual_time
async def test_the_microphone_s_tap_sets_frames_back_by_its_latency_and_passes_them_on():
    heard, clock = Heard(), VirtualClock()
    source = TappedInput(ScriptedAudioInput(latency=0.02), heard, clock)
    assert source.latency == 0.02
    frames = [await anext(source) for _ in range(3)]
    assert [one.samples_per_channel for one in frames] == [800, 800, 800]
    assert [end for _, end in heard.blocks] == [-0.02, 0.03, 0.08]
