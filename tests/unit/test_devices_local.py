"""Microphone and speaker on a fake sound card, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import numpy as np
import pytest

from agent_runtime.clock import LoopClock
from agent_runtime.devices import LocalAudio
from agent_runtime.errors import DeviceError, MissingDependencyError
from agent_runtime.events import AudioDropped, DeviceChanged, EchoCancellation, EventData
from agent_runtime.io import PlaybackFinishedEvent, PlaybackStartedEvent
from agent_runtime.media.frames import frame_from_array, to_array
from agent_runtime.media.processing import ProcessingOptions
from agent_runtime.testing.virtual_time import run_virtual
from tests.support.devices import FakeBackend, inline

PLAIN = ProcessingOptions(echo_cancellation=False, high_pass=False)


class Room:
    """Local audio on a fake card, and what became of it."""

    def __init__(self, *, rate: int = 48000, channels: int = 1, processing: ProcessingOptions = PLAIN) -> None:
        self.clock = LoopClock()
        self.card = FakeBackend(self.clock, rate=rate, channels=channels)
        self.events: list[EventData] = []
        self.started: list[float] = []
        self.finished: list[tuple[float, bool]] = []
        self.audio = LocalAudio(
            clock=self.clock,
            on_event=self.events.append,
            backend=self.card,
            offload=inline,
            processing=processing,
        )
        self.audio.output.on("playback_started", self._on_started)
        self.audio.output.on("playback_finished", self._on_finished)

    def states(self, kind: str) -> list[str]:
        return [e.state for e in self.events if isinstance(e, DeviceChanged) and e.kind == kind]

    def dropped(self, where: str) -> list[int]:
        return [e.frames for e in self.events if isinstance(e, AudioDropped) and e.where == where]

    async def speak(self, seconds: float, *, value: int = 5000, rate: int = 24000) -> None:
        await self.audio.output.capture_frame(frame_from_array(np.full(round(seconds * rate), value, np.int16), rate))

    async def hear(self, frames: int) -> np.ndarray:
        return np.concatenate([to_array(await anext(self.audio.input))[:, 0] for _ in range(frames)])

    def _on_started(self, event: PlaybackStartedEvent) -> None:
        assert event.at is not None
        self.started.append(event.at)

    def _on_finished(self, event: PlaybackFinishedEvent) -> None:
        self.finished.append((event.playback_position, event.interrupted))


def in_room(scenario: Callable[[Room], Awaitable[None]], *, attach: bool = True, **options: object) -> None:
    async def main() -> None:
        room = Room(**options)  # type: ignore[arg-type]  # passed through
        if attach:
            room.audio.input.on_attached()
            room.audio.output.on_attached()
            await asyncio.sleep(0)
        await scenario(room)
        await room.audio.aclose()
        assert not any(stream.alive for stream in (*room.card.inputs, *room.card.outputs))

    run_virtual(main())


def test_speech_is_heard_one_latency_after_the_device_takes_it() -> None:
    async def scenario(room: Room) -> None:
        await asyncio.sleep(1.001)
        await room.speak(0.5)
        room.audio.output.flush()
        await asyncio.sleep(0.25)
        # Blocks of 4 ms: the next is at 1.004, and what it takes is heard 12 ms later.
        assert room.started == [pytest.approx(1.016)]
        assert room.audio.output.playback_position == pytest.approx(room.clock.now() - 1.016, abs=1e-3)
        await asyncio.sleep(1)
        assert room.finished == [(0.5, False)]
        loud = np.flatnonzero(np.abs(room.card.sound) > 100)
        assert len(loud) == pytest.approx(24000, abs=60)

    in_room(scenario)


@pytest.mark.parametrize(("rate", "channels"), [(44100, 2), (16000, 1), (96000, 6)])
def test_a_device_of_another_shape_is_converted_to(rate: int, channels: int) -> None:
    async def scenario(room: Room) -> None:
        for _ in range(3):
            await room.speak(0.4)
            room.audio.output.flush()
        await asyncio.sleep(2)
        assert room.finished == [(pytest.approx(0.4), False)] * 3
        assert len(np.flatnonzero(np.abs(room.card.sound) > 2500)) / rate == pytest.approx(1.2, abs=0.01)
        room.card.voice = lambda start, n: (8000 * np.sin(2 * np.pi * 400 * np.arange(start, start + n) / rate)).astype(
            np.int16
        )
        samples = await room.hear(250)
        tail = samples[-1600:]
        assert np.sqrt(np.mean(tail.astype(float) ** 2)) == pytest.approx(8000 / 2**0.5, rel=0.02)
        assert np.flatnonzero((tail[:-1] < 0) & (tail[1:] >= 0)).size in (39, 40)

    in_room(scenario, rate=rate, channels=channels)


def test_a_cut_fades_out_within_a_block_and_the_next_sentence_is_whole() -> None:
    async def scenario(room: Room) -> None:
        speaking = asyncio.create_task(room.speak(3.0))
        await asyncio.sleep(0.5)
        room.audio.output.clear_buffer()
        await speaking
        position, interrupted = room.finished[0]
        assert interrupted
        assert position == pytest.approx(0.5 - 0.016, abs=0.005)
        before = len(room.card.sound)
        await room.speak(0.1, value=3000)
        room.audio.output.flush()
        await asyncio.sleep(0.5)
        after = room.card.sound[before:]
        fade = after[:192]
        assert fade[0] == 5000
        assert (np.diff(fade.astype(int)) <= 0).all()
        assert fade[-1] < 100
        assert len(np.flatnonzero(np.abs(after[192:] - 3000) < 100)) == pytest.approx(4800, abs=120)
        assert room.finished[1] == (pytest.approx(0.1), False)

    in_room(scenario)


def test_pause_and_resume_lose_nothing() -> None:
    async def scenario(room: Room) -> None:
        speaking = asyncio.create_task(room.speak(1.0))
        await asyncio.sleep(0.3)
        room.audio.output.pause()
        await asyncio.sleep(0.1)
        held = room.audio.output.playback_position
        await asyncio.sleep(5)
        assert room.audio.output.playback_position == held
        silent = room.card.played[-1000:]
        assert not np.concatenate(silent).any()
        room.audio.output.resume()
        await speaking
        room.audio.output.flush()
        await asyncio.sleep(1.5)
        assert room.finished == [(1.0, False)]
        assert np.flatnonzero(room.card.sound).size == pytest.approx(48000, abs=10)

    in_room(scenario)


@pytest.mark.parametrize("stall", [False, True])
def test_a_lost_speaker_holds_the_sentence_and_goes_on_when_it_is_back(stall: bool) -> None:
    async def scenario(room: Room) -> None:
        speaking = asyncio.create_task(room.speak(1.5))
        await asyncio.sleep(0.5)
        room.card.problem = DeviceError("the sound server is gone")
        speaker = room.card.outputs[0]
        if stall:
            speaker.stalled = True
            await asyncio.sleep(1.3)
        else:
            room.card.die(speaker)
            await asyncio.sleep(0.3)
        assert room.states("output") == ["opened", "lost", "lost"]
        last = room.events[-1]
        assert isinstance(last, DeviceChanged)
        assert last.problem == "the sound server is gone"
        held = room.audio.output.playback_position
        assert held == pytest.approx(0.49, abs=0.02)
        room.card.problem = None
        room.card.rate = 44100
        await asyncio.sleep(0.45)
        assert room.states("output")[-1] == "opened"
        await speaking
        room.audio.output.flush()
        await asyncio.sleep(2)
        assert room.finished == [(pytest.approx(1.5), False)]
        assert len(room.started) == 1

    in_room(scenario)


def test_a_speaker_that_stays_away_is_tried_for_ever_and_speech_runs_on_silently() -> None:
    async def scenario(room: Room) -> None:
        speaking = asyncio.create_task(room.speak(2.0))
        await asyncio.sleep(0.5)
        room.card.problem = DeviceError("no")
        room.card.die(room.card.outputs[0])
        began = room.clock.now()
        await speaking
        room.audio.output.flush()
        # One second of waiting, then the second and a half that was left.
        await asyncio.sleep(began + 2.45 - room.clock.now())
        assert room.finished == []
        await asyncio.sleep(0.1)
        assert room.finished == [(2.0, False)]
        tries = room.card.opened.count(("output", "default"))
        await asyncio.sleep(20)
        assert room.card.opened.count(("output", "default")) - tries == 10
        assert room.states("output") == ["opened", "lost", "lost"]

    in_room(scenario)


def test_without_a_speaker_speech_runs_silently_at_once() -> None:
    async def scenario(room: Room) -> None:
        room.card.problem = MissingDependencyError("PortAudio", "apt-get install libportaudio2")
        room.audio.output.on_attached()
        await room.speak(1.0)
        room.audio.output.flush()
        await asyncio.sleep(1.2)
        assert room.finished == [(1.0, False)]
        assert room.events == [
            DeviceChanged(
                "output", "unavailable", "default", problem="PortAudio is missing: run `apt-get install libportaudio2`"
            )
        ]
        await asyncio.sleep(60)
        assert len(room.card.opened) == 1  # what isn't installed doesn't come by itself …
        room.card.problem = None
        room.audio.select("output", "default")  # … but may have been installed meanwhile
        await asyncio.sleep(0.1)
        assert room.states("output")[-1] == "opened"

    in_room(scenario, attach=False)


def test_a_lost_microphone_pauses_the_frames_and_comes_back() -> None:
    async def scenario(room: Room) -> None:
        await room.hear(10)
        room.card.die(room.card.inputs[0])
        begin = room.clock.now()
        await room.hear(3)
        assert 0.01 < room.clock.now() - begin < 0.1
        assert room.states("input") == ["opened", "lost", "opened"]
        room.card.inputs[-1].stalled = True
        begin = room.clock.now()
        await room.hear(1)
        assert 1.0 < room.clock.now() - begin < 1.6
        assert room.states("input") == ["opened", "lost", "opened", "lost", "opened"]

    in_room(scenario)


def test_another_device_is_picked_in_mid_sentence() -> None:
    async def scenario(room: Room) -> None:
        speaking = asyncio.create_task(room.speak(1.0))
        await asyncio.sleep(0.3)
        room.audio.select("output", "headset")
        await speaking
        room.audio.output.flush()
        await asyncio.sleep(1.5)
        assert room.audio.selected("output") == "headset"
        assert room.card.opened == [("input", "default"), ("output", "default"), ("output", "headset")]
        assert room.states("output") == ["opened", "closed", "opened"]
        assert room.finished == [(1.0, False)]
        room.audio.select("input", "gone")
        await asyncio.sleep(0.1)
        assert room.states("input") == ["opened", "closed", "unavailable"]
        room.audio.select("input", "default")
        await asyncio.sleep(0.1)
        assert room.states("input")[-1] == "opened"

    in_room(scenario)


def test_a_sentence_whose_end_was_still_on_its_way_is_finished_on_the_next_device() -> None:
    async def scenario(room: Room) -> None:
        room.card.latency = 0.5
        await room.speak(0.1)
        room.audio.output.flush()
        await asyncio.sleep(0.3)  # taken by the device, and not heard yet
        assert room.finished == []
        room.audio.select("output", "headset")
        await asyncio.sleep(0.4)
        assert room.finished == [(0.1, False)]

    in_room(scenario)


def test_detaching_gives_the_devices_back_and_attaching_opens_them_again() -> None:
    async def scenario(room: Room) -> None:
        await room.hear(3)
        await room.speak(0.2)
        room.audio.input.on_detached()
        room.audio.output.on_detached()
        await asyncio.sleep(0.01)
        assert not room.card.inputs[0].alive
        assert not room.card.outputs[0].alive
        assert room.finished[0][1]
        room.audio.input.on_attached()
        room.audio.output.on_attached()
        assert len(await room.hear(3)) == 480
        assert room.states("output") == ["opened", "closed", "opened"]

    in_room(scenario)


def test_audio_that_nobody_reads_is_dropped_and_counted() -> None:
    async def scenario(room: Room) -> None:
        room.card.voice = lambda start, n: np.full(n, start // 480, np.int16)
        await asyncio.sleep(3.005)
        heard = await room.hear(20)
        assert heard[800] == pytest.approx(100, abs=8)  # the oldest of the 3 seconds are gone
        await asyncio.sleep(0.5)
        assert room.dropped("input") == [100]
        room.card.overflow = True
        await asyncio.sleep(0.05)
        room.card.overflow = False
        await asyncio.sleep(0.3)
        assert room.dropped("input")[-1] == 105

    in_room(scenario)


def test_a_speaker_that_breaks_up_is_opened_again_with_longer_blocks_in_a_silence() -> None:
    async def scenario(room: Room) -> None:
        await asyncio.sleep(0.1)
        speaking = asyncio.create_task(room.speak(1.0))
        await asyncio.sleep(0.1)
        room.card.underflow = True
        await asyncio.sleep(0.02)
        room.card.underflow = False
        await asyncio.sleep(0.5)
        assert room.dropped("output") == [pytest.approx(5, abs=1)]
        assert room.card.blocks == [0.004]
        await speaking
        room.audio.output.flush()
        await asyncio.sleep(1)
        assert room.card.blocks == [0.004, 0.008]
        assert room.finished == [(1.0, False)]

    in_room(scenario)


def test_a_speaker_that_breaks_up_silence_is_opened_with_longer_blocks_before_anybody_hears_it() -> None:
    async def scenario(room: Room) -> None:
        room.card.underflow = True
        await asyncio.sleep(0.04)
        room.card.underflow = False
        await asyncio.sleep(1)
        assert room.card.blocks == [0.004]
        room.card.underflow = True
        await asyncio.sleep(0.05)
        room.card.underflow = False
        await asyncio.sleep(1)
        assert room.card.blocks == [0.004, 0.008]
        assert room.dropped("output") == []

    in_room(scenario)


def test_speech_in_shreds_is_not_left_so_to_its_end() -> None:
    async def scenario(room: Room) -> None:
        speaking = asyncio.create_task(room.speak(1.5))
        await asyncio.sleep(0.1)
        room.card.underflow = True
        await asyncio.sleep(0.9)
        room.card.underflow = False
        assert room.card.blocks == [0.004, 0.008, 0.016]
        await speaking
        room.audio.output.flush()
        await asyncio.sleep(1)
        assert room.finished == [(1.5, False)]
        assert room.card.blocks == [0.004, 0.008, 0.016, 0.032]


def test_each_doubling_takes_twice_as_many_breaks() -> None:
    async def one_break(room: Room) -> None:
        speaking = asyncio.create_task(room.speak(0.3))
        await asyncio.sleep(0.1)
        room.card.underflow = True
        await asyncio.sleep(room.card.blocks[-1] * 1.2)
        room.card.underflow = False
        await speaking
        room.audio.output.flush()
        await asyncio.sleep(1)

    async def scenario(room: Room) -> None:
        after = []
        for _ in range(4):
            await one_break(room)
            after.append(room.card.blocks[-1])
        assert after == [0.008, 0.008, 0.016, 0.016]

    in_room(scenario)

    in_room(scenario)


def test_a_microphone_of_pure_silence_is_told_and_taken_back() -> None:
    async def scenario(room: Room) -> None:
        room.card.voice = lambda start, n: np.zeros(n, np.int16)
        await room.hear(560)
        assert [bool(e.problem) for e in room.events if isinstance(e, DeviceChanged) and e.kind == "input"] == [
            False,
            True,
        ]
        room.card.voice = lambda start, n: np.ones(n, np.int16)
        await room.hear(30)
        assert [bool(e.problem) for e in room.events if isinstance(e, DeviceChanged) and e.kind == "input"] == [
            False,
            True,
            False,
        ]

    in_room(scenario)


def echo_of(room: Room, rate: int, delay: float) -> Callable[[int, int], np.ndarray]:
    """The microphone hears what the card played, `delay` seconds later, at -12 dB."""

    def voice(start: int, n: int) -> np.ndarray:
        begin = start - round(delay * rate)
        played = room.card.sound[max(0, begin) : max(0, begin + n)]
        return np.concatenate((np.zeros(n - len(played)), played * 0.25)).astype(np.int16)

    return voice


@pytest.mark.parametrize("rate", [48000, 16000, 44100])
def test_the_agent_is_not_heard_by_itself_even_by_a_loop_that_comes_late(rate: int) -> None:
    async def scenario(room: Room) -> None:
        rng = np.random.default_rng(0)
        speech = (rng.standard_normal(24000 * 4) * 3000).astype(np.int16)
        room.card.voice = echo_of(room, rate, 0.05)
        speaking = asyncio.create_task(room.audio.output.capture_frame(frame_from_array(speech, 24000)))
        heard = [await room.hear(200)]
        await asyncio.sleep(0.4)  # the loop is held up; then it catches up
        heard.append(await room.hear(200))
        await speaking
        left = np.sqrt(np.mean(heard[1][-16000:].astype(float) ** 2))
        assert left < 750 / 10  # 20 dB and more of it are gone

    in_room(scenario, rate=rate, processing=ProcessingOptions())


def echo_events(room: Room) -> list[EchoCancellation]:
    return [event for event in room.events if isinstance(event, EchoCancellation)]


def test_echo_cancellation_that_is_switched_off_is_told_once() -> None:
    async def scenario(room: Room) -> None:
        await room.hear(200)
        assert echo_events(room) == [EchoCancellation("off")]

    in_room(scenario)


def test_what_echo_cancellation_takes_out_is_told() -> None:
    async def scenario(room: Room) -> None:
        room.card.voice = echo_of(room, 48000, 0.05)
        rng = np.random.default_rng(1)
        noise = (rng.standard_normal(24000 * 6) * 4000).astype(np.int16)
        await room.audio.output.capture_frame(frame_from_array(noise, 24000))
        await room.hear(500)
        await asyncio.sleep(0.5)
        told = echo_events(room)
        assert [event.state for event in told][:2] == ["no_speaker", "on"]
        assert told[-1].removed is not None
        assert told[-1].removed > 10
        assert 0 < told[-1].delay < 0.2

    in_room(scenario, processing=ProcessingOptions())


def test_with_a_headset_a_voice_over_the_agents_first_words_is_heard() -> None:
    async def scenario(room: Room) -> None:
        noise = np.random.default_rng(2)
        voice = noise.standard_normal(48000) * 3000

        def headset(start: int, n: int) -> np.ndarray:
            own = noise.standard_normal(n) * 3
            speaking = 48000 * 3 // 2 <= start < 48000 * 5 // 2
            return (own + voice[:n] if speaking else own).astype(np.int16)

        room.card.voice = headset
        await room.hear(50)
        agent = (np.random.default_rng(3).standard_normal(24000 * 4) * 4000).astype(np.int16)
        speaking = asyncio.create_task(room.audio.output.capture_frame(frame_from_array(agent, 24000)))
        await room.hear(120)
        heard = await room.hear(60)
        await speaking
        assert "no_echo" in [event.state for event in echo_events(room)]
        assert np.sqrt(np.mean(heard.astype(float) ** 2)) > 1000

    in_room(scenario, processing=ProcessingOptions())
