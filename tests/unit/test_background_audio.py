"""Background audio in conversations, in virtual time: when it plays, where, and that speech doesn't notice."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent_runtime import Agent, AudioConfig, BackgroundAudioPlayer, BuiltinAudioClip, PlayHandle
from agent_runtime.clock import LoopClock
from agent_runtime.devices import LocalAudio, NullOutput, WavOutput
from agent_runtime.errors import DeviceError
from agent_runtime.events import ErrorOccurred
from agent_runtime.io import AudioOutput
from agent_runtime.media.background_mix import RATE
from agent_runtime.media.frames import AudioFrame, frame_from_array
from agent_runtime.media.wav import read_wav, write_wav
from agent_runtime.testing import Answer, Stage, UserSpeech, run_virtual, scripted_session
from tests.support.devices import FakeBackend, inline
from tests.unit import test_timings

FIRST = UserSpeech(0.5, 2.5, "Hello?")
LEVEL = 6000
FLOOR = LEVEL * 10 ** (-12 / 20)


def steady(path: Path, seconds: float = 1.0, level: int = LEVEL) -> str:
    """A file that is the same throughout, so that every gain shows in its samples."""
    write_wav(path, np.full(round(seconds * RATE), level, np.int16), RATE)
    return str(path)


def on_stage(act: Callable[[Stage], Awaitable[None]], *speeches: UserSpeech, **options: Any) -> Stage:
    """Play `act` on a stage; fails if a task is left."""

    async def scenario() -> Stage:
        async with scripted_session(speeches, **options) as stage:
            await act(stage)
        return stage

    return run_virtual(scenario())


async def begin(stage: Stage, **sounds: Any) -> BackgroundAudioPlayer:
    player = BackgroundAudioPlayer(**sounds)
    await player.start(agent_session=stage.session)
    await stage.session.start(Agent(instructions=""))
    return player


async def frames(count: int, *, rate: int = 24000, channels: int = 1, level: int = LEVEL) -> AsyncIterator[AudioFrame]:
    for _ in range(count):
        yield frame_from_array(np.full((rate // 50, channels), level, np.int16), rate)


# --- where it is heard -----------------------------------------------------------------------------------------------


def test_a_turn_over_an_ambience_in_a_file(tmp_path):
    ambience = steady(tmp_path / "room.wav")

    async def act(stage: Stage) -> None:
        stage.session.output.audio = WavOutput(tmp_path / "out.wav", clock=LoopClock())
        player = await begin(stage, ambient_sound=ambience)
        await stage.run_until(8.0)
        await player.aclose()
        await stage.session.output.audio.aclose()

    stage = on_stage(act, FIRST, answers=[Answer("Hi.")], durations=[2.0])
    assert stage.times("agent_state_changed", new="speaking") == [3.2]
    assert stage.times("playout_finished") == [5.21]
    heard, rate = read_wav(tmp_path / "out.wav")
    heard = heard[:, 0].astype(int)
    assert (rate, len(heard)) == (24000, 8 * 24000)

    def at(seconds: float) -> float:
        return float(heard[round(seconds * rate)])

    assert np.abs(heard[rate // 10 : round(3.2 * rate)] - LEVEL).max() <= 2  # over all its loops
    assert at(3.3) == pytest.approx((LEVEL + FLOOR) / 2, abs=2)
    assert np.abs(heard[round(3.41 * rate) : round(5.2 * rate)] - FLOOR).max() <= 2
    assert at(5.21 + 0.1) == pytest.approx((LEVEL + FLOOR) / 2, abs=2)
    assert np.abs(heard[round(5.42 * rate) : -100] - LEVEL).max() <= 2


@pytest.mark.parametrize("rate", [48000, 44100])
def test_a_turn_over_an_ambience_on_a_device(tmp_path, rate):
    ambience = steady(tmp_path / "room.wav")
    played: list[np.ndarray] = []
    far: list[np.ndarray] = []

    async def act(stage: Stage) -> None:
        clock = LoopClock()
        card = FakeBackend(clock, rate=rate)
        local = LocalAudio(clock=clock, backend=card, offload=inline)
        stage.session.output.audio = local.output
        player = await begin(stage, ambient_sound=ambience)
        await stage.run_until(7.0)
        reference = local.output.speaker.reference
        assert reference is not None
        far.append(reference.ring.read(reference.ring.capacity)[:, 0])
        await player.aclose()
        await local.aclose()
        played.append(card.sound)

    on_stage(act, FIRST, answers=[Answer("Hi.")], durations=[2.0])
    heard = played[0].astype(int)
    quiet, speaking = heard[rate : 3 * rate], heard[round(3.6 * rate) : 5 * rate]
    assert np.abs(quiet - LEVEL).max() <= 2
    assert np.abs(speaking - FLOOR).max() <= 2
    # Echo cancellation gets what was played, background and all.
    assert (far[0] == heard[-len(far[0]) :]).all()
    assert np.abs(far[0][-100:].astype(int) - LEVEL).max() <= 2


def test_a_background_passes_while_there_is_no_device(tmp_path):
    sound = steady(tmp_path / "a.wav", 2.0)

    async def act(stage: Stage) -> None:
        clock = LoopClock()
        card = FakeBackend(clock)
        local = LocalAudio(clock=clock, backend=card, offload=inline)
        stage.session.output.audio = local.output
        player = await begin(stage)
        await stage.run_until(1.0)
        handle = player.play(sound)
        await stage.run_until(1.5)
        card.die(card.outputs[-1])
        card.problem = DeviceError("gone")
        await stage.run_until(3.3)  # it waits a second for the device, as speech does
        assert not handle.done()
        await stage.run_until(4.2)
        assert handle.done()
        await player.aclose()
        await local.aclose()

    on_stage(act)


def test_it_follows_the_session_to_another_output(tmp_path):
    ambience = steady(tmp_path / "room.wav")

    async def act(stage: Stage) -> None:
        outputs = [WavOutput(tmp_path / f"{k}.wav", clock=LoopClock()) for k in range(2)]
        player = await begin(stage, ambient_sound=ambience)
        for at, output in zip((1.0, 2.0), outputs, strict=True):
            await stage.run_until(at)
            stage.session.output.audio = output
            assert stage.session.output.plays_background
        await stage.run_until(3.0)
        await player.aclose()
        assert not stage.session.output.plays_background
        await stage.run_until(4.0)
        for output in outputs:
            await output.aclose()

    on_stage(act)
    for k, (first, last) in enumerate([(1.0, 2.0), (2.0, 3.0)]):
        heard, rate = read_wav(tmp_path / f"{k}.wav")
        seconds = np.flatnonzero(np.abs(heard[:, 0].astype(int) - LEVEL) <= 2) / rate
        origin = 1.0 if k == 0 else 2.0
        assert seconds.min() + origin == pytest.approx(first, abs=0.01)
        assert seconds.max() + origin == pytest.approx(last, abs=0.011)


@pytest.mark.parametrize("kind", ["scripted", "null", "none"])
def test_where_nothing_can_mix_it_passes_by_the_clock(tmp_path, kind):
    sound = steady(tmp_path / "a.wav", 1.5)

    async def act(stage: Stage) -> None:
        if kind == "null":
            stage.session.output.audio = NullOutput(clock=LoopClock())
        player = await begin(stage)
        await stage.run_until(1.0)
        handle = player.play(sound)
        await stage.run_until(2.49)
        assert not handle.done()
        await stage.run_until(2.55)
        assert handle.done()
        await player.aclose()

    on_stage(act, speaker=kind != "none")


def test_a_device_with_another_rate_plays_it_at_its_pitch(tmp_path):
    tone = 8000 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
    write_wav(tmp_path / "a.wav", tone.astype(np.int16), RATE)
    played: list[np.ndarray] = []

    async def act(stage: Stage) -> None:
        clock = LoopClock()
        card = FakeBackend(clock, rate=32000)
        local = LocalAudio(clock=clock, backend=card, offload=inline)
        stage.session.output.audio = local.output
        player = await begin(stage, ambient_sound=str(tmp_path / "a.wav"))
        await stage.run_until(3.0)
        await player.aclose()
        await local.aclose()
        played.append(card.sound[32000:64000])

    on_stage(act)
    assert np.argmax(np.abs(np.fft.rfft(played[0]))) == 440


def test_a_file_that_is_closed_before_the_player(tmp_path):
    async def act(stage: Stage) -> None:
        output = stage.session.output.audio = WavOutput(tmp_path / "out.wav", clock=LoopClock())
        player = await begin(stage, ambient_sound=steady(tmp_path / "a.wav"))
        await stage.run_until(1.0)
        await output.aclose()
        await stage.run_until(2.0)
        await player.aclose()

    on_stage(act)
    assert len(read_wav(tmp_path / "out.wav")[0]) == 24000


@pytest.mark.parametrize("rate", [8000, 11025, 24000, 44100])
def test_speech_in_a_file_has_no_hole(tmp_path, rate):
    async def act(stage: Stage) -> None:
        output = WavOutput(tmp_path / "out.wav", clock=LoopClock(), sample_rate=rate)
        stage.session.output.audio = output
        player = await begin(stage, ambient_sound=steady(tmp_path / "a.wav", level=1))
        for k in range(8):
            await stage.run_until(1.0 + k * 0.70713)  # on no border of samples
            await output.capture_frame(frame_from_array(np.full(rate // 4, 5000, np.int16), rate))
            output.flush()
        await stage.run_until(8.0)
        await player.aclose()
        await output.aclose()

    on_stage(act)
    loud = np.flatnonzero(read_wav(tmp_path / "out.wav")[0][:, 0] > 4000)
    stretches = np.split(loud, np.flatnonzero(np.diff(loud) > 1) + 1)
    assert [len(stretch) for stretch in stretches] == [rate // 4] * 8


# --- when it plays ---------------------------------------------------------------------------------------------------


def test_the_thinking_sound_plays_while_the_agent_thinks(tmp_path):
    sound = steady(tmp_path / "think.wav", 10.0)

    async def act(stage: Stage) -> None:
        stage.session.output.audio = WavOutput(tmp_path / "out.wav", clock=LoopClock())
        player = await begin(stage, thinking_sound=sound)
        await stage.run_until(9.0)
        await player.aclose()
        await stage.session.output.audio.aclose()

    slow = Answer("Hi.", ttft=1.0)
    options = {"turn_handling": {"preemptive_generation": {"enabled": False}}}
    stage = on_stage(act, FIRST, answers=[slow], durations=[1.0], **options)
    (thinks,), (speaks,) = (stage.times("agent_state_changed", new=state) for state in ("thinking", "speaking"))
    assert speaks - thinks > 1.0
    heard, rate = read_wav(tmp_path / "out.wav")
    sounding = np.flatnonzero(np.abs(heard[:, 0]) > 10) / rate
    assert sounding.min() == pytest.approx(thinks, abs=0.01)
    assert sounding.max() == pytest.approx(speaks, abs=0.02)  # a block, and the 5 ms in which it fades out


def test_the_thinking_sound_plays_again_while_the_last_one_still_fades(tmp_path):
    made: list[PlayHandle] = []

    async def act(stage: Stage) -> None:
        player = await begin(stage, thinking_sound=AudioConfig(steady(tmp_path / "a.wav", 60.0), fade_out=20.0))
        play = player.play
        player.play = lambda *args, **kw: made.append(play(*args, **kw)) or made[-1]  # type: ignore[method-assign,func-returns-value]
        await stage.run_until(12.0)
        assert [handle.stopped for handle in made] == [True, True]
        assert not made[0].done()
        await player.aclose()

    two = [FIRST, UserSpeech(6.0, 7.0, "And?")]
    on_stage(act, *two, answers=[Answer("Yes."), Answer("Well.")], durations=[1.0, 1.0])
    assert len(made) == 2


def test_a_session_that_thinks_already(tmp_path):
    async def act(stage: Stage) -> None:
        await stage.session.start(Agent(instructions=""))
        player = BackgroundAudioPlayer(thinking_sound=steady(tmp_path / "a.wav"))
        stage.session.send_text("hello")
        await asyncio.sleep(0.05)
        assert stage.session.agent_state == "thinking"
        await player.start(agent_session=stage.session)
        await asyncio.sleep(0.1)
        assert not player._thinking.done()  # type: ignore[union-attr]
        await player.aclose()

    on_stage(act, answers=[Answer("Yes.", ttft=1.0)])


def test_handles_stop_fade_and_can_be_awaited(tmp_path):
    sound = steady(tmp_path / "a.wav", 30.0)

    async def act(stage: Stage) -> None:
        player = await begin(stage)
        cut, faded, natural = player.play(sound), player.play(AudioConfig(sound, fade_out=0.5)), player.play(sound)
        early = player.play(AudioConfig(sound, fade_out=0.5))
        early.stop()
        assert early.done()
        await stage.run_until(1.0)
        cut.stop()
        cut.stop()
        assert cut.done()
        faded.stop()
        assert not faded.done()
        await stage.run_until(1.48)
        assert not faded.done()
        assert await faded is faded
        assert stage.now == pytest.approx(1.5, abs=0.05)
        await natural.wait_for_playout()
        assert stage.now == pytest.approx(30.0, abs=0.05)
        await player.aclose()

    on_stage(act)


def test_what_is_stopped_before_it_begins_is_never_heard(tmp_path):
    async def act(stage: Stage) -> None:
        output = stage.session.output.audio = WavOutput(tmp_path / "out.wav", clock=LoopClock())
        player = await begin(stage)
        player.play(steady(tmp_path / "a.wav")).stop()
        await stage.run_until(0.5)
        await player.aclose()
        await output.aclose()

    on_stage(act)
    assert not read_wav(tmp_path / "out.wav")[0].any()


def test_one_of_several_by_their_probabilities():
    async def act(stage: Stage) -> None:
        player = BackgroundAudioPlayer(rng=random.Random(7))
        sounds = [AudioConfig("a", probability=0.2), AudioConfig("b", probability=0.6), AudioConfig("c", probability=0)]
        chosen = [player._choose(sounds) for _ in range(5000)]
        shares = {name: sum(c is not None and c.source == name for c in chosen) / 5000 for name in "abc"}
        assert shares["a"] == pytest.approx(0.2, abs=0.03)
        assert shares["b"] == pytest.approx(0.6, abs=0.03)
        assert shares["c"] == 0
        assert chosen.count(None) / 5000 == pytest.approx(0.2, abs=0.03)
        doubled = [AudioConfig("a", probability=1.0), AudioConfig("b", probability=3.0)]
        often = [player._choose(doubled) for _ in range(5000)]
        assert sum(c is doubled[1] for c in often) / 5000 == pytest.approx(0.75, abs=0.03)
        assert None not in often
        await player.start(agent_session=stage.session)
        assert player.play([]).done()
        await player.aclose()

    on_stage(act)


def test_frames_of_any_kind_play_to_their_end(tmp_path):
    async def act(stage: Stage) -> None:
        output = stage.session.output.audio = WavOutput(tmp_path / "out.wav", clock=LoopClock(), sample_rate=RATE)
        player = await begin(stage)
        await stage.run_until(1.0)
        handle = player.play(frames(100, rate=16000, channels=2))
        await stage.run_until(2.9)
        assert not handle.done()
        await stage.run_until(3.1)
        assert handle.done()
        await player.aclose()
        await output.aclose()

    on_stage(act)
    heard, rate = read_wav(tmp_path / "out.wav")
    sounding = np.flatnonzero(heard[:, 0] > LEVEL * 0.9)
    assert len(sounding) / rate == pytest.approx(2.0, abs=0.005)
    assert sounding[0] / rate == pytest.approx(1.0, abs=0.03)
    assert (np.diff(sounding) == 1).all()


def test_endless_frames_are_closed_when_they_are_stopped():
    closed: list[bool] = []

    async def endless() -> AsyncIterator[AudioFrame]:
        try:
            while True:
                async for frame in frames(10):
                    yield frame
        finally:
            closed.append(True)

    async def act(stage: Stage) -> None:
        player = await begin(stage)
        handle = player.play(endless())
        other = player.play(AudioConfig(endless(), fade_out=0.2))
        await stage.run_until(1.0)
        handle.stop()
        other.stop()
        await stage.run_until(1.5)
        assert other.done()
        assert closed == [True, True]
        await player.aclose()

    on_stage(act)


def test_frames_that_never_come_hold_nothing_up(tmp_path):
    async def never() -> AsyncIterator[AudioFrame]:
        await asyncio.get_running_loop().create_future()
        yield frame_from_array(np.zeros(1, np.int16), RATE)

    async def act(stage: Stage) -> None:
        player = await begin(stage)
        silent, heard = player.play(never()), player.play(steady(tmp_path / "a.wav", 0.5))
        await stage.run_until(1.0)
        assert (silent.done(), heard.done()) == (False, True)
        await player.aclose()
        assert silent.done()

    on_stage(act)


# --- what goes wrong -------------------------------------------------------------------------------------------------


def test_a_file_that_cannot_be_played_is_told(tmp_path, caplog):
    (tmp_path / "song.mp3").write_bytes(b"ID3")

    async def act(stage: Stage) -> None:
        player = await begin(stage, ambient_sound=str(tmp_path / "gone.wav"))
        handle = player.play(tmp_path / "song.mp3")
        await stage.run_until(0.5)
        assert handle.done()
        await player.aclose()

    told = [event.data.message for event in on_stage(act).events if isinstance(event.data, ErrorOccurred)]
    assert [message.rpartition("/")[2] for message in told] == [
        "gone.wav: can't be read: No such file or directory",
        "song.mp3: is not a WAV file",
    ]


def test_frames_that_fail_are_told(caplog):
    async def failing() -> AsyncIterator[AudioFrame]:
        async for frame in frames(5):
            yield frame
        raise RuntimeError("the stream broke")

    async def act(stage: Stage) -> None:
        player = await begin(stage)
        handle = player.play(failing())
        await stage.run_until(1.0)
        assert handle.done()
        await player.aclose()

    (error,) = [event.data for event in on_stage(act).events if isinstance(event.data, ErrorOccurred)]
    assert (error.source, error.message, error.recoverable) == ("background audio", "the stream broke", True)


def test_what_cannot_be_asked_for():
    async def act(stage: Stage) -> None:
        player, other = BackgroundAudioPlayer(), BackgroundAudioPlayer()
        with pytest.raises(RuntimeError, match="isn't started"):
            player.play(BuiltinAudioClip.KEYBOARD_TYPING)
        with pytest.raises(ValueError, match="agent_session"):
            await player.start()
        await player.start(agent_session=stage.session)
        with pytest.raises(RuntimeError, match="started already"):
            await player.start(agent_session=stage.session)
        with pytest.raises(RuntimeError, match="another BackgroundAudioPlayer"):
            await other.start(agent_session=stage.session)
        endless = frames(1)
        with pytest.raises(ValueError, match="over and over"):
            player.play(endless, loop=True)
        await endless.aclose()  # type: ignore[attr-defined]
        await player.aclose()
        await player.aclose()
        await other.start(agent_session=stage.session)
        await other.aclose()

    on_stage(act)


def test_it_ends_with_the_session():
    async def act(stage: Stage) -> None:
        player = await begin(stage, ambient_sound=BuiltinAudioClip.OFFICE_AMBIENCE)
        handle = player.play(frames(1000))
        await stage.run_until(1.0)
        await stage.session.aclose()
        await stage.run_until(1.1)
        assert handle.done()
        assert stage.session.output.background is None
        with pytest.raises(RuntimeError, match="isn't started"):
            player.play(BuiltinAudioClip.OFFICE_AMBIENCE)
        await player.aclose()

    on_stage(act)


# --- speech doesn't notice -------------------------------------------------------------------------------------------

TIMINGS = [name for name in vars(test_timings) if name.startswith("test_")]


@pytest.mark.parametrize("name", TIMINGS)
def test_the_timings_hold_with_background_audio(name, monkeypatch):
    made: list[BackgroundAudioPlayer] = []

    @asynccontextmanager
    async def with_background(*args: Any, **options: Any) -> AsyncIterator[Stage]:
        async with scripted_session(*args, **options) as stage:
            player = BackgroundAudioPlayer(
                ambient_sound=BuiltinAudioClip.OFFICE_AMBIENCE, thinking_sound=BuiltinAudioClip.KEYBOARD_TYPING
            )
            await player.start(agent_session=stage.session)
            made.append(player)
            yield stage
            await player.aclose()

    monkeypatch.setattr(test_timings, "scripted_session", with_background)
    getattr(test_timings, name)()
    assert made


@pytest.mark.parametrize("kind", ["file", "device"])
def test_an_output_that_mixes_times_speech_as_one_that_does_not(tmp_path, kind):
    def told(background: bool) -> list[tuple[float, str]]:
        async def act(stage: Stage) -> None:
            clock = LoopClock()
            output: AudioOutput = WavOutput(tmp_path / "out.wav", clock=clock)
            local = LocalAudio(clock=clock, backend=FakeBackend(clock), offload=inline)
            stage.session.output.audio = local.output if kind == "device" else output
            if background:
                await begin(stage, ambient_sound=BuiltinAudioClip.CROWDED_ROOM, thinking_sound=frames(5))
            else:
                await stage.session.start(Agent(instructions=""))
            await stage.run_until(16.0)
            await stage.session.aclose()
            await output.aclose()
            await local.aclose()

        speeches = [FIRST, UserSpeech(5.0, 5.8), UserSpeech(10.0, 11.0, "Stop!")]
        story = Answer("Here is a long story for you, and this is the end.")
        return on_stage(act, *speeches, answers=[story, Answer("OK")], durations=[10.0, 1.0]).timeline()

    assert told(True) == told(False)
