"""Sound under the conversation: a room around the agent, and something to hear while it thinks."""

from __future__ import annotations

import asyncio
import contextlib
import enum
import logging
import os
import random
from collections.abc import AsyncIterator, Callable, Generator
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from agent_runtime.clock import Clock, LoopClock, TimerHandle
from agent_runtime.errors import MediaError
from agent_runtime.events import ErrorOccurred
from agent_runtime.types import NOT_GIVEN, NotGivenOr, is_given
from agent_runtime.utils import aio

if TYPE_CHECKING:
    import numpy as np
    from livekit.rtc import AudioFrame, Room, TrackPublishOptions
    from numpy.typing import NDArray

    from agent_runtime.media.background_mix import Feed, Voice
    from agent_runtime.voice.events import AgentStateChangedEvent, CloseEvent
    from agent_runtime.voice.session import AgentSession

logger = logging.getLogger(__name__)

_AHEAD = 0.4
"""Seconds of a stream of frames that are fetched ahead."""
_TICK = 0.02


class BuiltinAudioClip(enum.Enum):
    """Sounds that are always there. They are computed when they are first played, and go round without a seam."""

    CITY_AMBIENCE = "city-ambience"
    FOREST_AMBIENCE = "forest-ambience"
    OFFICE_AMBIENCE = "office-ambience"
    CROWDED_ROOM = "crowded-room"
    KEYBOARD_TYPING = "keyboard-typing"
    KEYBOARD_TYPING2 = "keyboard-typing2"
    HOLD_MUSIC = "hold-music"

    def samples(self) -> NDArray[np.int16]:
        """The sound, `int16[samples]`, mono at 48 kHz. Computing it takes up to 0.1 s, once in a process."""
        from agent_runtime.media.soundscapes import soundscape

        return soundscape(self.value)


AudioSource: TypeAlias = "AsyncIterator[AudioFrame] | str | os.PathLike[str] | BuiltinAudioClip"
"""Frames of any rate and channels; the path of a WAV file; or a sound that is always there."""


class AudioConfig(NamedTuple):
    """A sound and how it is played."""

    source: AudioSource
    volume: float = 1.0
    """0.0 to 1.0."""
    probability: float = 1.0
    """Among several: how often it is this one. Where they add up to less than 1, the rest of the time it is none."""
    fade_in: float = 0.0
    """Seconds from silence to `volume` when it starts."""
    fade_out: float = 0.0
    """Seconds from `volume` to silence after `PlayHandle.stop`."""


Audio: TypeAlias = "AudioSource | AudioConfig | list[AudioConfig]"


class PlayHandle:
    """A sound that plays, or did. Awaiting it waits for its end."""

    def __init__(self, fade_out: float = 0.0) -> None:
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._fade_out = fade_out
        self._voice: Voice | None = None
        self.stopped = False
        """Whether `stop` was called; it may still fade out."""

    def done(self) -> bool:
        """Whether it is over."""
        return self._done.done()

    def stop(self) -> None:
        """Fade out for its `fade_out`, and be over then; without one, be over now."""
        if self.done() or self.stopped:
            return
        self.stopped = True
        if self._voice is not None:
            self._voice.stop()
        if self._fade_out <= 0 or self._voice is None:
            self._mark_playout_done()

    async def wait_for_playout(self) -> None:
        """Wait until it is over."""
        await asyncio.shield(self._done)

    def __await__(self) -> Generator[Any, None, PlayHandle]:
        async def wait() -> PlayHandle:
            await self.wait_for_playout()
            return self

        return wait().__await__()

    def _mark_playout_done(self) -> None:
        if not self._done.done():
            self._done.set_result(None)


class BackgroundAudioPlayer:
    """Plays sounds under the agent's speech, softer while it speaks.

    The session's audio output mixes them in, so that echo cancellation knows of them and speech keeps its timing to the
    sample. An output that can't mix plays none of them; they then pass by the clock, unheard.

    Args:
        ambient_sound: plays all the time, over and over if it isn't a stream of frames.
        thinking_sound: plays once, or for as long as the agent thinks if that is shorter.
        stream_timeout_ms: accepted for LiveKit's sake: a stream that is late never holds up the others here.
        ducking: dB by which everything is softer while the agent speaks.
        clock: unset, the running loop's.
        rng: chooses among several sounds.
    """

    def __init__(
        self,
        *,
        ambient_sound: NotGivenOr[Audio | None] = NOT_GIVEN,
        thinking_sound: NotGivenOr[Audio | None] = NOT_GIVEN,
        stream_timeout_ms: int = 200,
        ducking: float = -12.0,
        clock: Clock | None = None,
        rng: random.Random | None = None,
    ) -> None:
        from agent_runtime.media.background_mix import BackgroundMix

        self._ambient_sound = ambient_sound if is_given(ambient_sound) else None
        self._thinking_sound = thinking_sound if is_given(thinking_sound) else None
        self._clock = clock or LoopClock()
        self._rng = rng or random.Random()
        self._mix = BackgroundMix(ducking=ducking)
        self._session: AgentSession[Any] | None = None
        self._tasks: dict[asyncio.Task[None], PlayHandle] = {}
        self._clips: dict[str, NDArray[np.int16]] = {}
        self._thinking: PlayHandle | None = None
        self._timer: TimerHandle | None = None
        self._passed_to = 0.0
        for sound in (self._ambient_sound, self._thinking_sound):
            self._compute(sound)

    async def start(
        self,
        *,
        room: Room | None = None,
        agent_session: NotGivenOr[AgentSession[Any]] = NOT_GIVEN,
        track_publish_options: NotGivenOr[TrackPublishOptions] = NOT_GIVEN,
    ) -> None:
        """Begin to play, under the speech of `agent_session`; it ends with the session.

        Args:
            room: accepted for LiveKit's sake; the sound goes where the session's speech goes.
            agent_session: whose output, and whose thinking.
            track_publish_options: accepted for LiveKit's sake; there is no track of its own.

        Raises:
            ValueError: there is no `agent_session`.
            RuntimeError: it was started already, or something else plays under this session's speech.
        """
        if not is_given(agent_session):
            raise ValueError("start() needs agent_session=…: background audio is mixed into that session's speech")
        if self._session is not None:
            raise RuntimeError("background audio was started already")
        if agent_session.output.background is not None:
            raise RuntimeError("another BackgroundAudioPlayer plays in this session: close it first")
        self._session = session = agent_session
        session.output.background = self._mix
        session.on("agent_state_changed", self._agent_state_changed)
        session.on("close", self._session_closed)
        self._passed_to = self._clock.now()
        self._timer = self._clock.call_at(self._passed_to + _TICK, self._pass_unheard)
        if self._ambient_sound is not None:
            config = self._choose(self._ambient_sound)
            if config is not None:
                self.play(config, loop=not isinstance(config.source, AsyncIterator))
        if session.agent_state == "thinking":
            self._think()

    def play(self, audio: Audio, *, loop: bool = False) -> PlayHandle:
        """Play a sound, or one of several, once or over and over.

        Raises RuntimeError before `start`, and ValueError if frames are to be looped. A file that can't be read is told
        as an `ErrorOccurred` event, and the handle is done.
        """
        if self._session is None:
            raise RuntimeError("background audio isn't started: call `await player.start(agent_session=…)` first")
        config = self._choose(audio)
        if config is None:
            handle = PlayHandle()
            handle._mark_playout_done()
            return handle
        if loop and isinstance(config.source, AsyncIterator):
            raise ValueError("frames can't be played over and over: give an iterator that doesn't end, without loop")
        handle = PlayHandle(config.fade_out)
        task = asyncio.get_running_loop().create_task(self._play(handle, config, loop), name="background audio")
        self._tasks[task] = handle
        task.add_done_callback(self._played)
        return handle

    async def aclose(self) -> None:
        """Fall silent and leave no task behind. It may be started again."""
        tasks = list(self._tasks)
        self._end()
        await aio.cancel_and_wait(*tasks)

    # --- when something plays ----------------------------------------------------------------------------------------

    def _agent_state_changed(self, event: AgentStateChangedEvent) -> None:
        if event.new_state == "thinking":
            self._think()
        elif self._thinking is not None:
            self._thinking.stop()

    def _think(self) -> None:
        playing = self._thinking
        if self._thinking_sound is not None and (playing is None or playing.done() or playing.stopped):
            self._thinking = self.play(self._thinking_sound)

    def _session_closed(self, event: CloseEvent) -> None:
        self._end()

    def _end(self) -> None:
        session, self._session = self._session, None
        if session is None:
            return
        self._thinking = None
        session.off("agent_state_changed", self._agent_state_changed)
        session.off("close", self._session_closed)
        session.output.background = None
        if self._timer is not None:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()

    def _pass_unheard(self) -> None:
        """Where no output plays it, let it pass at its own pace."""
        from agent_runtime.media.background_mix import RATE

        assert self._session is not None
        now = self._clock.now()
        if self._session.output.plays_background:
            self._passed_to = now
        else:
            count = int((now - self._passed_to) * RATE + 1e-6)
            self._mix.read(count)
            self._passed_to += count / RATE
        self._timer = self._clock.call_at(now + _TICK, self._pass_unheard)

    def _choose(self, audio: Audio) -> AudioConfig | None:
        """One of the sounds, by their probabilities; None for silence."""
        if not isinstance(audio, list):
            return audio if isinstance(audio, AudioConfig) else AudioConfig(audio)
        likely = [config for config in audio if config.probability > 0]
        point = self._rng.random() * max(1.0, sum(config.probability for config in likely))
        for config in likely:
            point -= config.probability
            if point < 0:
                return config
        return None

    # --- one sound ---------------------------------------------------------------------------------------------------

    async def _play(self, handle: PlayHandle, config: AudioConfig, loop: bool) -> None:
        from agent_runtime.media.background_mix import Clip, Feed, Voice

        source = config.source
        feed = Feed() if isinstance(source, AsyncIterator) else None
        sound = feed or Clip(await self._clip(source), loop=loop)  # type: ignore[arg-type]  # not a stream then
        if handle.stopped:
            return
        over = asyncio.Event()
        voice = Voice(
            sound,
            volume=config.volume,
            fade_in=config.fade_in,
            fade_out=config.fade_out,
            on_over=_on_loop(over.set),
        )
        handle._voice = voice
        self._mix.add(voice)
        feeder = None
        if feed is not None and isinstance(source, AsyncIterator):
            feeder = asyncio.get_running_loop().create_task(self._feed(feed, source), name="background frames")
        try:
            await over.wait()
        finally:
            self._mix.remove(voice)
            if feeder is not None:
                await aio.cancel_and_wait(feeder)
        if feeder is not None and not feeder.cancelled():
            feeder.result()

    async def _feed(self, feed: Feed, frames: AsyncIterator[AudioFrame]) -> None:
        from agent_runtime.media.background_mix import RATE
        from agent_runtime.media.frames import to_array
        from agent_runtime.media.mix import to_mono
        from agent_runtime.media.resample import Resampler

        resampler = Resampler(RATE, RATE)
        try:
            async for frame in frames:
                if resampler.in_rate != frame.sample_rate:
                    feed.push(resampler.flush())
                    resampler = Resampler(frame.sample_rate, RATE)
                samples = resampler.push(to_mono(to_array(frame)))
                for start in range(0, len(samples), RATE // 5):
                    feed.push(samples[start : start + RATE // 5])
                    while feed.queued > _AHEAD * RATE:
                        await self._clock.sleep(_AHEAD / 4)
            feed.push(resampler.flush())
        finally:
            feed.finish()
            if (close := getattr(frames, "aclose", None)) is not None:
                await close()

    async def _clip(self, source: str | os.PathLike[str] | BuiltinAudioClip) -> NDArray[np.int16]:
        from agent_runtime.media.background_mix import RATE
        from agent_runtime.media.load_clip import load_clip

        if isinstance(source, BuiltinAudioClip):
            return source.samples()
        path = os.fspath(source)
        if path not in self._clips:
            self._clips[path] = await load_clip(path, RATE)
        return self._clips[path]

    def _played(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task)._mark_playout_done()
        error = None if task.cancelled() else task.exception()
        if error is None:
            return
        logger.error("a background sound failed: %s", error, exc_info=None if isinstance(error, MediaError) else error)
        if self._session is not None:
            self._session.events.emit(ErrorOccurred("background audio", str(error), recoverable=True))

    def _compute(self, audio: Audio | None) -> None:
        """Compute what is always there before the conversation begins."""
        for sound in audio if isinstance(audio, list) else [audio]:
            source = sound.source if isinstance(sound, AudioConfig) else sound
            if isinstance(source, BuiltinAudioClip):
                source.samples()


def _on_loop(callback: Callable[[], object]) -> Callable[[], None]:
    """`callback` on this loop, called from any thread."""
    loop = asyncio.get_running_loop()

    def call() -> None:
        with contextlib.suppress(RuntimeError):  # a closed loop: nobody waits any more
            loop.call_soon_threadsafe(callback)

    return call
