"""Segments of speech to nowhere, to a file, and from a file, exact in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np
import pytest
from livekit.rtc import AudioFrame

from agent_runtime.clock import LoopClock
from agent_runtime.devices import NullOutput, WavInput, WavOutput
from agent_runtime.devices.playout import SegmentedOutput
from agent_runtime.errors import MediaError
from agent_runtime.events import DeviceChanged, EventData
from agent_runtime.media.frames import frame_from_array, to_array
from agent_runtime.media.wav import read_wav, write_wav
from agent_runtime.testing.virtual_time import run_virtual


def frame(seconds: float, *, rate: int = 24000, value: int = 5000) -> AudioFrame:
    return frame_from_array(np.full(round(seconds * rate), value, np.int16), rate)


class Told:
    """What an output reported, with the virtual time of each report."""

    def __init__(self, output: SegmentedOutput) -> None:
        self.log: list[list[float]] = []
        clock = LoopClock()
        output.on("playback_started", lambda e: self.log.append([clock.now(), e.at]))
        output.on(
            "playback_finished", lambda e: self.log.append([clock.now(), e.playback_position, float(e.interrupted)])
        )

    def __eq__(self, other: object) -> bool:
        assert isinstance(other, list)
        assert len(self.log) == len(other), self.log
        return all(a == pytest.approx([*map(float, b)]) for a, b in zip(self.log, other, strict=True))

    __hash__ = None  # type: ignore[assignment]  # it is only compared

    def __repr__(self) -> str:
        return repr(self.log)


def playing(scenario: Callable[[NullOutput, Told], Awaitable[None]]) -> None:
    async def main() -> None:
        output = NullOutput(clock=LoopClock())
        await scenario(output, Told(output))
        await output.aclose()

    run_virtual(main())


def test_a_segment_takes_as_long_as_it_is() -> None:
    async def scenario(output: NullOutput, told: Told) -> None:
        await asyncio.sleep(1.0)
        await output.capture_frame(frame(2.0))
        assert asyncio.get_running_loop().time() == pytest.approx(2.7)  # all but 0.3 s of it were taken
        output.flush()
        await asyncio.sleep(5)
        assert told == [(1.0, 1.0), (3.0, 2.0, False)]
        assert output.playback_position == 0.0

    playing(scenario)


def test_segments_follow_each_other_and_a_pause_in_synthesis_is_no_end() -> None:
    async def scenario(output: NullOutput, told: Told) -> None:
        await output.capture_frame(frame(0.1))
        await asyncio.sleep(1.0)  # it ran dry at 0.1
        assert output.playback_position == pytest.approx(0.1)
        await output.capture_frame(frame(0.2, rate=48000))
        output.flush()
        await output.capture_frame(frame(0.1, rate=16000))
        output.flush()
        await asyncio.sleep(5)
        assert told == [(0.0, 0.0), (1.2, 0.3, False), (1.2, 1.2), (1.3, 0.1, False)]

    playing(scenario)


def test_a_cut_reports_the_position_and_forgets_the_rest() -> None:
    async def scenario(output: NullOutput, told: Told) -> None:
        capture = asyncio.create_task(output.capture_frame(frame(10.0)))
        await asyncio.sleep(1.25)
        output.clear_buffer()
        await capture  # what waited for room is dropped, not queued again
        output.flush()
        await asyncio.sleep(5)
        await output.capture_frame(frame(0.5))
        output.flush()
        await asyncio.sleep(5)
        assert told == [(0.0, 0.0), (1.25, 1.25, True), (6.25, 6.25), (6.75, 0.5, False)]

    playing(scenario)


def test_a_cut_finishes_every_segment_exactly_once() -> None:
    async def scenario(output: NullOutput, told: Told) -> None:
        for _ in range(3):
            await output.capture_frame(frame(0.1))
            output.flush()
        await asyncio.sleep(0.15)
        output.clear_buffer()
        output.clear_buffer()
        await asyncio.sleep(5)
        assert told == [
            (0.0, 0.0),
            (0.1, 0.1, False),
            (0.1, 0.1),
            (0.15, 0.05, True),
            (0.15, 0.0, True),  # never started, but captured: it is finished all the same
        ]

    playing(scenario)


def test_a_cut_at_the_very_end_is_no_interruption() -> None:
    async def scenario(output: NullOutput, told: Told) -> None:
        await output.capture_frame(frame(0.2))
        output.flush()
        asyncio.get_running_loop().call_at(0.2, output.clear_buffer)
        await asyncio.sleep(1)
        assert told == [(0.0, 0.0), (0.2, 0.2, False)]

    playing(scenario)


def test_a_loop_that_comes_late_does_not_make_an_end_an_interruption() -> None:
    async def scenario(output: NullOutput, told: Told) -> None:
        await output.capture_frame(frame(0.2))
        output.flush()
        output._cancel_timer()  # as if the loop had been held up when it was due
        await asyncio.sleep(0.5)
        output.clear_buffer()
        assert told == [(0.0, 0.0), (0.5, 0.2, False)]

    playing(scenario)


def test_nothing_captured_is_nothing_reported() -> None:
    async def scenario(output: NullOutput, told: Told) -> None:
        output.flush()
        output.clear_buffer()
        assert told == []
        await output.capture_frame(frame(0.0))
        output.flush()
        assert told == [(0.0, 0.0, False)]

    playing(scenario)


def test_pause_holds_the_position_and_everybody_who_waits() -> None:
    async def scenario(output: NullOutput, told: Told) -> None:
        capture = asyncio.create_task(output.capture_frame(frame(1.0)))
        await asyncio.sleep(0.4)
        output.pause()
        output.pause()
        await asyncio.sleep(10)
        assert output.playback_position == pytest.approx(0.4)
        assert not capture.done()
        output.resume()
        output.resume()
        await capture
        output.flush()
        await asyncio.sleep(5)
        assert told == [(0.0, 0.0), (11.0, 1.0, False)]

    playing(scenario)


def test_a_cut_in_a_pause_reports_where_it_stood_and_the_next_segment_waits_for_resume() -> None:
    async def scenario(output: NullOutput, told: Told) -> None:
        await output.capture_frame(frame(0.3))
        await asyncio.sleep(0.1)
        output.pause()
        await asyncio.sleep(1)
        output.clear_buffer()
        await output.capture_frame(frame(0.2))
        output.flush()
        await asyncio.sleep(1)
        output.resume()
        await asyncio.sleep(1)
        assert told == [(0.0, 0.0), (1.1, 0.1, True), (2.1, 2.1), (2.3, 0.2, False)]

    playing(scenario)


def test_frames_of_another_rate_in_one_segment_keep_its_length() -> None:
    async def scenario(output: NullOutput, told: Told) -> None:
        for rate in (8000, 48000, 22050):
            await output.capture_frame(frame(0.2, rate=rate))
        output.flush()
        await asyncio.sleep(1)
        assert told == [(0.0, 0.0), (0.6, 0.6, False)]

    playing(scenario)


def test_closing_cuts_and_takes_no_more() -> None:
    async def scenario(output: NullOutput, told: Told) -> None:
        await output.capture_frame(frame(0.2))
        await asyncio.sleep(0.05)
        await output.aclose()
        await output.capture_frame(frame(5.0))
        output.flush()
        await asyncio.sleep(1)
        assert told == [(0.0, 0.0), (0.05, 0.05, True)]

    playing(scenario)


def test_a_callback_may_cut_or_speak_on() -> None:
    async def scenario(output: NullOutput, told: Told) -> None:
        cut = output.on("playback_started", lambda _: output.clear_buffer())
        await output.capture_frame(frame(0.2))
        output.off("playback_started", cut)
        await output.capture_frame(frame(0.2))
        output.flush()
        await asyncio.sleep(1)
        assert told == [(0.0, 0.0), (0.0, 0.0, True), (0.0, 0.0), (0.2, 0.2, False)]

    playing(scenario)


def test_the_file_holds_speech_when_it_was_heard_and_as_far_as_it_was_heard(tmp_path: Path) -> None:
    async def main() -> None:
        output = WavOutput(tmp_path / "agent.wav", clock=LoopClock(), sample_rate=8000)
        await asyncio.sleep(1.0)
        output.on_attached()  # time 0 of the file
        await asyncio.sleep(0.5)
        await output.capture_frame(frame(1.0, rate=8000, value=1000))
        output.flush()
        await asyncio.sleep(1.5)
        capture = asyncio.create_task(output.capture_frame(frame(9.0, rate=8000, value=2000)))
        await asyncio.sleep(0.25)
        output.pause()
        await asyncio.sleep(0.5)
        output.resume()
        await asyncio.sleep(0.25)
        output.clear_buffer()
        await capture
        await asyncio.sleep(1.0)
        await output.aclose()

    run_virtual(main())
    samples, rate = read_wav(tmp_path / "agent.wav")
    loud = samples[:, 0]
    # 0.5 s of silence, 1 s of speech, then from the end of the capture at 1.2 s on 1.5 s later the second speech.
    changes = np.flatnonzero(np.diff((np.abs(loud) > 500).astype(int))) + 1
    assert (changes / rate).tolist() == pytest.approx([0.5, 1.5, 2.7, 2.95, 3.45, 3.705], abs=0.003)
    assert len(loud) / rate == pytest.approx(4.7, abs=0.001)
    assert set(loud[round(0.5 * rate) : round(1.5 * rate)]) == {1000}


def test_a_file_that_cannot_be_written_is_told_at_once(tmp_path: Path) -> None:
    async def main() -> None:
        with pytest.raises(MediaError, match="can't be written"):
            WavOutput(tmp_path / "no" / "a.wav", clock=LoopClock())

    run_virtual(main())


@pytest.mark.parametrize(("rate", "channels"), [(48000, 2), (8000, 1), (16000, 1)])
def test_a_file_is_heard_in_real_time_in_frames_of_10_ms(rate: int, channels: int, tmp_path: Path) -> None:
    tone = (8000 * np.sin(2 * np.pi * 440 * np.arange(round(0.505 * rate)) / rate)).astype(np.int16)
    write_wav(tmp_path / "a.wav", np.repeat(tone[:, None], channels, axis=1), rate)
    events: list[EventData] = []

    async def main() -> None:
        clock = LoopClock()
        source = WavInput(tmp_path / "a.wav", clock=clock, lead_in=0.1, at_end="stop", on_event=events.append)
        assert source.duration == pytest.approx(0.505)
        await asyncio.sleep(1.0)
        frames = []
        async for f in source:
            frames.append(f)
            assert clock.now() == pytest.approx(1.0 + 0.01 * len(frames))
            assert (f.samples_per_channel, f.sample_rate, f.num_channels) == (160, 16000, 1)
        assert len(frames) == 61  # 0.1 s of lead-in, 0.505 s of file, filled up
        assert source.ended
        samples = np.concatenate([to_array(f)[:, 0] for f in frames])
        assert not samples[:1590].any()
        ideal = 8000 * np.sin(2 * np.pi * 440 * np.arange(8080) / 16000)
        assert np.abs(samples[1800:9400] - ideal[200:7800]).max() < 30

    run_virtual(main())
    assert [e.state for e in events if isinstance(e, DeviceChanged)] == ["opened", "closed"]


def test_a_file_waits_until_those_who_hear_it_are_there(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", np.full(320, 100, np.int16), 16000)
    events: list[EventData] = []

    async def main() -> None:
        clock, ready = LoopClock(), asyncio.Event()
        source = WavInput(tmp_path / "a.wav", clock=clock, on_event=events.append, after=ready)
        clock.call_at(3.0, ready.set)
        first = await source.__anext__()
        assert to_array(first).any()
        assert clock.now() == pytest.approx(3.01)
        assert len(events) == 1
        source.close()

    run_virtual(main())


def test_after_the_file_comes_silence_and_a_busy_reader_catches_up(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", np.full(320, 100, np.int16), 16000)

    async def main() -> None:
        clock = LoopClock()
        source = WavInput(tmp_path / "a.wav", clock=clock)
        sums = []
        for _ in range(5):
            sums.append(int(to_array(await anext(source)).sum()))
        assert sums == [16000, 16000, 0, 0, 0]
        await asyncio.sleep(0.1)
        for _ in range(10):
            await anext(source)
        assert clock.now() == pytest.approx(0.15)
        await anext(source)
        assert clock.now() == pytest.approx(0.16)
        source.close()
        with pytest.raises(StopAsyncIteration):
            await anext(source)

    run_virtual(main())


def test_muting_gives_silence_and_the_last_moments_are_remembered(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", np.repeat(np.arange(1, 201), 160).astype(np.int16), 16000)

    async def main() -> None:
        source = WavInput(tmp_path / "a.wav", clock=LoopClock())
        assert source.recent(0.3).samples_per_channel == 0
        for _ in range(40):
            await anext(source)
        recent = to_array(source.recent(0.3))[:, 0]
        assert recent[::160].tolist() == list(range(11, 41))
        assert source.recent(0.305).samples_per_channel == 4880
        assert to_array(source.recent(0.305))[0, 0] == 10
        source.muted = True
        assert not to_array(await anext(source)).any()
        source.muted = False
        assert to_array(await anext(source))[0, 0] == 42
        assert to_array(source.recent(0.03))[::160, 0].tolist() == [40, 0, 42]
        for _ in range(150):
            await anext(source)
        assert source.recent(99.0).samples_per_channel == 16000
        source.close()

    run_virtual(main())


def test_a_detached_file_holds_still(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", np.repeat(np.arange(1, 201), 160).astype(np.int16), 16000)

    async def main() -> None:
        clock = LoopClock()
        source = WavInput(tmp_path / "a.wav", clock=clock)
        for _ in range(3):
            await anext(source)
        source.on_detached()
        await asyncio.sleep(5)
        assert to_array(await anext(source))[0, 0] == 4
        assert clock.now() == pytest.approx(5.04)
        source.close()

    run_virtual(main())


def test_a_file_in_place_of_the_speaker_is_told_by_its_name(tmp_path: Path) -> None:
    events: list[EventData] = []

    async def main() -> None:
        output = WavOutput(tmp_path / "agent.wav", clock=LoopClock(), on_event=events.append)
        output.on_attached()
        await output.aclose()

    run_virtual(main())
    assert events == [DeviceChanged("output", "opened", "agent.wav", 24000, 1)]
