"""Local audio on a real sound server: what goes in comes out, at the right time, whatever happens to the device."""

from __future__ import annotations

import asyncio
import functools
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

import numpy as np
import pexpect
import pytest
from numpy.typing import NDArray

from agent_runtime.clock import LoopClock
from agent_runtime.devices import LocalAudio
from agent_runtime.devices.library import load_portaudio, restart_portaudio
from agent_runtime.events import DeviceChanged, EventData
from agent_runtime.io import PlaybackFinishedEvent, PlaybackStartedEvent
from agent_runtime.media.frames import frame_from_array, to_array
from agent_runtime.media.processing import ProcessingOptions
from agent_runtime.media.resample import resample
from tests.support import pulse as pulse_support
from tests.support.pulse import RATE, PulseServer, pulse_server

pytestmark = [pytest.mark.sound]
if (reason := pulse_support.missing()) is not None:
    pytestmark.append(pytest.mark.skip(reason=reason))

PLAIN = ProcessingOptions(echo_cancellation=False, high_pass=False)


@pytest.fixture(params=[(48000, 1)])
def pulse(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[PulseServer]:
    rate, channels = request.param
    with pulse_server(rate=rate, channels=channels) as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        load_portaudio()
        restart_portaudio()
        yield server


class Talk:
    """Local audio with a reader, and everything that it reported."""

    def __init__(self, processing: ProcessingOptions) -> None:
        self.clock = LoopClock()
        self.events: list[EventData] = []
        self.heard: list[NDArray[np.int16]] = []
        self.started: list[PlaybackStartedEvent] = []
        self.finished: list[PlaybackFinishedEvent] = []
        self.audio = LocalAudio(clock=self.clock, on_event=self.events.append, processing=processing)
        self.audio.output.on("playback_started", self.started.append)
        self.audio.output.on("playback_finished", self.finished.append)

    @property
    def captured(self) -> NDArray[np.int16]:
        return np.concatenate((np.zeros(0, np.int16), *self.heard))

    async def read(self) -> None:
        async for frame in self.audio.input:
            self.heard.append(to_array(frame)[:, 0].copy())

    async def speak(self, samples: NDArray[np.int16], rate: int = 24000) -> None:
        for start in range(0, len(samples), rate // 20):
            await self.audio.output.capture_frame(frame_from_array(samples[start : start + rate // 20], rate))

    def states(self, kind: str) -> list[str]:
        return [e.state for e in self.events if isinstance(e, DeviceChanged) and e.kind == kind]

    async def until(self, condition: Callable[[], object], seconds: float = 8.0) -> None:
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110 - what is waited for is real sound, which sets no event
                await asyncio.sleep(0.005)


@asynccontextmanager
async def talk(processing: ProcessingOptions = PLAIN) -> AsyncIterator[Talk]:
    it = Talk(processing)
    it.audio.input.on_attached()
    it.audio.output.on_attached()
    reader = asyncio.create_task(it.read())
    try:
        await it.until(lambda: "opened" in it.states("input") and "opened" in it.states("output") and it.heard)
        yield it
    finally:
        reader.cancel()
        await it.audio.aclose()


def speech_like(seconds: float, rate: int, seed: int = 0) -> NDArray[np.int16]:
    """Noise between 300 and 3000 Hz that comes and goes like syllables."""
    rng = np.random.default_rng(seed)
    count = round(seconds * rate)
    spectrum = np.fft.rfft(rng.standard_normal(count))
    frequency = np.fft.rfftfreq(count, 1 / rate)
    spectrum[(frequency < 300) | (frequency > 3000)] = 0
    noise = np.fft.irfft(spectrum, count)
    envelope = 0.55 + 0.45 * np.sin(2 * np.pi * 4 * np.arange(count) / rate)
    return (noise / np.abs(noise).max() * envelope * 16000).astype(np.int16)


def tone(seconds: float, rate: int) -> NDArray[np.int16]:
    return (12000 * np.sin(2 * np.pi * 500 * np.arange(round(seconds * rate)) / rate)).astype(np.int16)


def best_match(played: NDArray[np.int16], recorded: NDArray[np.int16]) -> tuple[float, int]:
    """Highest correlation of `played` with a stretch of `recorded`, and where that stretch begins."""
    a, b = played.astype(np.float64), recorded.astype(np.float64)
    size = 1 << (len(a) + len(b)).bit_length()
    cross = np.fft.irfft(np.fft.rfft(b, size) * np.conj(np.fft.rfft(a, size)), size)[: len(b) - len(a) + 1]
    energy = np.cumsum(np.concatenate(([0.0], b * b)))
    norm = np.sqrt((energy[len(a) :] - energy[: len(energy) - len(a)]) * (a @ a))
    scores = cross / np.maximum(norm, 1.0)
    at = int(np.argmax(scores))
    return float(scores[at]), at


def when_calm(test: Callable[[PulseServer], Awaitable[None]]) -> Callable[[PulseServer], Awaitable[None]]:
    """Measure up to three times: on a machine that is busy elsewhere real devices stall, and these tests time them."""

    @functools.wraps(test)
    async def patient(pulse: PulseServer) -> None:
        for _ in range(2):
            try:
                return await test(pulse)
            except AssertionError as e:
                print("once more:", str(e).splitlines()[0])
        await test(pulse)

    return patient


def likeness(played: NDArray[np.int16], recorded: NDArray[np.int16], rate: int) -> float:
    """Correlation of eighths of a second of `played` with what was recorded: the median.

    On a machine that is busy a device may run dry for a moment, which shifts what follows and spoils the piece that it
    falls in, not the others.
    """
    size = rate // 8
    pieces = [played[i : i + size] for i in range(0, len(played) - size + 1, size)]
    return float(np.median([best_match(piece, recorded)[0] for piece in pieces]))


def sounding(samples: NDArray[np.int16]) -> float:
    """Seconds that aren't silent, in steps of 1 ms: a tone that a device interrupts isn't longer for that."""
    step = RATE // 1000
    pieces = samples[: len(samples) // step * step].reshape(-1, step).astype(np.int32)
    return float((np.abs(pieces).max(axis=1) > 300).sum()) / 1000


def loud(samples: NDArray[np.int16], threshold: int = 300) -> tuple[int, int]:
    """Index of the first loud sample and of the one after the last."""
    indices = np.flatnonzero(np.abs(samples.astype(np.int32)) > threshold)
    return int(indices[0]), int(indices[-1]) + 1


@pytest.fixture(autouse=True)
def no_failing_callback(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert [r.getMessage() + str(r.exc_info) for r in caplog.records if "callback" in r.getMessage()] == []


@pytest.mark.parametrize("pulse", [(48000, 1), (44100, 2), (16000, 1)], indirect=True)
async def test_what_is_spoken_comes_out_of_the_speaker(pulse: PulseServer) -> None:
    speech = speech_like(1.5, 24000)
    async with talk() as it:
        with pulse.recording() as recording:
            await it.speak(speech)
            it.audio.output.flush()
            await it.until(lambda: it.finished)
            await asyncio.sleep(0.1)
    assert it.finished == [PlaybackFinishedEvent(playback_position=1.5, interrupted=False)]
    assert len(it.started) == 1
    assert likeness(resample(speech, 24000, RATE), recording.samples, RATE) > 0.99


@pytest.mark.parametrize("pulse", [(48000, 1), (44100, 2)], indirect=True)
async def test_what_is_said_into_the_microphone_is_heard(pulse: PulseServer) -> None:
    speech = speech_like(1.5, RATE)
    async with talk() as it:
        pulse.play(speech)
        await asyncio.sleep(2.2)
    assert likeness(resample(speech, RATE, 16000), it.captured, 16000) > 0.99
    assert {len(frame) for frame in it.heard} == {160}


@when_calm
async def test_a_cut_is_silent_within_20_ms_and_leaves_no_click(pulse: PulseServer) -> None:
    speech = tone(2.0, 24000)
    after, positions = [], []
    async with talk() as it:
        with pulse.recording() as recording:
            for _ in range(5):
                await asyncio.sleep(0.3)
                begin = len(recording.samples)
                speaking = asyncio.create_task(it.speak(speech))
                await it.until(lambda: it.audio.output.playback_position > 0.3)
                speaking.cancel()
                it.audio.output.clear_buffer()
                await asyncio.sleep(0.3)
                positions.append(it.finished[-1].playback_position)
                after.append(sounding(recording.samples[begin:]) - positions[-1])
    print("heard after the cut, ms:", [round(1000 * x, 1) for x in after])
    assert all(e.interrupted for e in it.finished)
    # Others use the machine too: one of five may come late.
    assert sorted(after)[3] < 0.025
    assert np.median(after) < 0.020
    steps = np.abs(np.diff(recording.samples.astype(np.int32)))
    assert steps.max() < 1.2 * np.abs(np.diff(resample(speech, 24000, RATE).astype(np.int32))).max()


@when_calm
async def test_the_position_is_that_of_the_device(pulse: PulseServer) -> None:
    async with talk() as it:
        with pulse.recording() as recording:
            await asyncio.sleep(0.3)
            speaking = asyncio.create_task(it.speak(tone(1.5, 24000)))
            errors = []
            await it.until(lambda: it.audio.output.playback_position > 0.2)
            while it.audio.output.playback_position < 1.2:
                await asyncio.sleep(0.1)
                position, now = it.audio.output.playback_position, it.clock.now()
                errors.append(now - (recording.began_at + loud(recording.samples)[0] / RATE) - position)
            await speaking
            it.audio.output.clear_buffer()
    print("recorded ahead of reported, ms:", [round(1000 * e, 1) for e in errors])
    assert max(abs(e) for e in errors) < 0.03


async def test_pause_holds_the_position_and_resume_loses_nothing(pulse: PulseServer) -> None:
    speech = speech_like(1.0, 24000)
    async with talk() as it:
        with pulse.recording() as recording:
            speaking = asyncio.create_task(it.speak(speech))
            await it.until(lambda: it.audio.output.playback_position > 0.3)
            it.audio.output.pause()
            await asyncio.sleep(0.1)
            held = it.audio.output.playback_position
            await asyncio.sleep(0.3)
            assert it.audio.output.playback_position == held
            it.audio.output.resume()
            await speaking
            it.audio.output.flush()
            await it.until(lambda: it.finished)
            await asyncio.sleep(0.1)
    assert it.finished == [PlaybackFinishedEvent(1.0, interrupted=False)]
    played = resample(speech, 24000, RATE)
    assert likeness(played[: round(0.25 * RATE)], recording.samples, RATE) > 0.99
    assert likeness(played[round(0.45 * RATE) :], recording.samples, RATE) > 0.99


async def test_a_device_that_dies_in_mid_sentence_comes_back_and_the_sentence_goes_on(pulse: PulseServer) -> None:
    speech = speech_like(2.0, 24000)
    async with talk() as it:
        speaking = asyncio.create_task(it.speak(speech))
        await it.until(lambda: it.audio.output.playback_position > 0.5)
        pulse.kill()
        await it.until(lambda: "lost" in it.states("output") and "lost" in it.states("input"))
        pulse.start()
        await it.until(lambda: it.states("output")[-1] == "opened" and it.states("input")[-1] == "opened")
        frames = len(it.heard)
        await speaking
        it.audio.output.flush()
        await it.until(lambda: it.finished)
        assert len(it.heard) > frames
    assert it.finished == [PlaybackFinishedEvent(2.0, interrupted=False)]
    assert len(it.started) == 1


async def test_while_the_device_stays_away_speech_runs_on_silently(pulse: PulseServer) -> None:
    async with talk() as it:
        speaking = asyncio.create_task(it.speak(speech_like(1.0, 24000)))
        await it.until(lambda: it.audio.output.playback_position > 0.3)
        pulse.kill()
        begin = it.clock.now()
        await speaking
        it.audio.output.flush()
        await it.until(lambda: it.finished)
        took = it.clock.now() - begin
    assert it.finished == [PlaybackFinishedEvent(1.0, interrupted=False)]
    assert 1.2 < took < 3.5  # the rest of the second, after the second for which it waits


@when_calm
async def test_the_agent_does_not_hear_itself(pulse: PulseServer) -> None:
    module = pulse.pactl(
        "load-module", "module-loopback", "source=speaker.monitor", "sink=micin", "latency_msec=60", "adjust_time=0"
    )
    loopback = next(line.split()[0] for line in pulse.pactl("list", "short", "sink-inputs").splitlines() if line)
    pulse.pactl("set-sink-input-volume", loopback, "0.25")
    levels = {}
    for name, processing in (("off", PLAIN), ("on", ProcessingOptions())):
        async with talk(processing) as it:
            await it.speak(speech_like(6.0, 24000))
            it.audio.output.flush()
            await it.until(lambda it=it: it.finished)
        settled = it.captured[-round(3.0 * 16000) :].astype(np.float64)
        levels[name] = 20 * np.log10(max(1e-9, np.sqrt(np.mean(settled**2)) / 32768))
    pulse.pactl("unload-module", module)
    print("echo, dBFS:", levels)
    assert levels["off"] > -45
    # 42 to 52 dB on a calm machine; each break of the sound on a busy one costs the canceller what it has learnt.
    assert levels["off"] - levels["on"] > 15


def test_nothing_is_written_on_the_terminal(pulse: PulseServer) -> None:
    code = """
import os, sys
from agent_runtime.devices.portaudio import PortAudioBackend
backend = PortAudioBackend()
backend.open_output("default", lambda wanted: None, lambda: None, block=0.004).close()
os.environ["PULSE_SERVER"] = "unix:/nowhere"
try:
    backend.open_input("default", print, print)
except Exception as e:
    print(type(e).__name__, file=sys.stderr)
"""
    child = pexpect.spawn(sys.executable, ["-c", code], env={**os.environ, **pulse.environment})
    child.expect(pexpect.EOF)
    child.close()
    assert child.before.decode().split() == ["DeviceError"]


async def test_another_microphone_can_be_picked_in_mid_conversation(pulse: PulseServer) -> None:
    pulse.pactl("load-module", "module-null-sink", "sink_name=secondin", "rate=48000", "channels=1", "norewinds=1")
    pulse.pactl("load-module", "module-remap-source", "master=secondin.monitor", "source_name=second")
    async with talk() as it:
        ids = [d.id for d in await asyncio.to_thread(it.audio.list_devices) if d.kind == "input"]
        assert ids == ["default", "pulse:mic", "pulse:second"]
        it.audio.select("input", "pulse:second")
        await it.until(lambda: it.states("input")[-2:] == ["closed", "opened"])
        speech = speech_like(1.0, RATE)
        pulse.play(speech, device="secondin")
        await asyncio.sleep(1.6)
        it.audio.select("input", "pulse:gone")
        await it.until(lambda: it.states("input")[-1] == "unavailable")
    assert likeness(resample(speech, RATE, 16000), it.captured, 16000) > 0.99
