"""Several participants at once: which of their tracks are subscribed to, and their voices in one input."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, TypeAlias

import numpy as np
from livekit import rtc
from numpy.typing import NDArray

from agent_runtime.clock import Clock, LoopClock, TimerHandle
from agent_runtime.io import AudioInput
from agent_runtime.media.frames import frame_from_array, to_array
from agent_runtime.media.framing import Framer
from agent_runtime.media.mix import mix, to_mono
from agent_runtime.room.options import DEFAULT_PARTICIPANT_KINDS
from agent_runtime.room.tracks import FrameStream, TrackReader
from agent_runtime.utils.aio import TaskSet

STEP: Final = 0.02
"""Seconds of a frame."""
LATEST: Final = 5
"""Frames of one voice that may wait; of more, the oldest are dropped: it would stay behind the others."""

Source: TypeAlias = rtc.TrackSource.ValueType
Key: TypeAlias = tuple[str, Source]
"""Whose track, and which."""

AUDIO_SOURCES: Final = (rtc.TrackSource.SOURCE_MICROPHONE, rtc.TrackSource.SOURCE_SCREENSHARE_AUDIO)


class Mixer(AudioInput):
    """Voices that come at their own pace, as one in the clock's. A voice that is late or muted is silent.

    Args:
        sample_rate: Hz of what is pushed and of what comes out; mono.
        clock: sets the pace.
    """

    def __init__(self, *, sample_rate: int = 24000, clock: Clock | None = None) -> None:
        super().__init__(label="room, mixed")
        self.sample_rate = sample_rate
        self._clock = clock or LoopClock()
        self._size = round(STEP * sample_rate)
        self._framers: dict[Key, Framer] = {}
        self._waiting: dict[Key, deque[NDArray[np.int16]]] = {}
        self._next: float | None = None
        self._wake: asyncio.Future[None] | None = None
        self._timer: TimerHandle | None = None
        self._closed = False

    @property
    def voices(self) -> tuple[Key, ...]:
        """Those that were heard and haven't ended."""
        return tuple(self._framers)

    def push(self, key: Key, frame: rtc.AudioFrame) -> None:
        """A voice says something."""
        waiting = self._waiting.setdefault(key, deque(maxlen=LATEST))
        waiting.extend(self._framers.setdefault(key, Framer(self._size)).push(to_mono(to_array(frame))))

    def end(self, key: Key) -> None:
        """A voice is gone."""
        self._framers.pop(key, None)
        self._waiting.pop(key, None)

    async def __anext__(self) -> rtc.AudioFrame:
        now = self._clock.now()
        # After a stop, or before the first frame, the pace begins anew.
        goes_on = self._next is not None and now - self._next < 10 * STEP
        self._next = self._next + STEP if goes_on and self._next is not None else now
        if self._next > now:
            self._wake = asyncio.get_running_loop().create_future()
            self._timer = self._clock.call_at(self._next, self._tick)
            await self._wake
        if self._closed:
            raise StopAsyncIteration
        pieces = [waiting.popleft() for waiting in self._waiting.values() if waiting]
        return frame_from_array(mix(pieces) if pieces else np.zeros(self._size, np.int16), self.sample_rate)

    @property
    def latency(self) -> float:
        """A frame, and half of one on average until it is its turn."""
        return 1.5 * STEP

    def close(self) -> None:
        """The frames end."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._tick()

    def _tick(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)


class StreamManager:
    """Hears everybody in a room: `audio` is their voices in one, for `session.input.audio`.

    Who joins is heard, who leaves is forgotten with everything that was kept for them; tracks may come late, be muted,
    replaced, or unsubscribed from.

    Args:
        room: the room.
        sample_rate: Hz of `audio`.
        sources: which tracks of each participant are heard.
        accepts: who is heard; unset, people: no agents, recorders or streams.
        clock: sets the pace of `audio`.
    """

    def __init__(
        self,
        room: rtc.Room,
        *,
        sample_rate: int = 24000,
        sources: tuple[Source, ...] = AUDIO_SOURCES,
        accepts: Callable[[rtc.RemoteParticipant], bool] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._room = room
        self._sources = sources
        self._accepts = accepts or (lambda participant: participant.kind in DEFAULT_PARTICIPANT_KINDS)
        self._readers: dict[str, list[TrackReader[rtc.AudioFrame]]] = {}
        self._unwanted: set[Key] = set()
        self._tasks = TaskSet()
        self.audio = Mixer(sample_rate=sample_rate, clock=clock)
        """Everybody's voice."""

    @property
    def participants(self) -> tuple[str, ...]:
        """Who is listened to, in the order in which they came."""
        return tuple(self._readers)

    @property
    def subscribed(self) -> tuple[Key, ...]:
        """The tracks that are read now."""
        return tuple(
            (identity, source)
            for identity, readers in self._readers.items()
            for source, reader in zip(self._sources, readers, strict=True)
            if reader.reading
        )

    def start(self) -> None:
        """Listen to who is there and who joins."""
        self._room.on("participant_connected", self._joined)
        self._room.on("participant_disconnected", self._left)
        self._room.on("track_published", self._published)
        self._room.on("connection_state_changed", self._look)
        self._look()

    async def aclose(self) -> None:
        """Listen to nobody."""
        self._room.off("participant_connected", self._joined)
        self._room.off("participant_disconnected", self._left)
        self._room.off("track_published", self._published)
        self._room.off("connection_state_changed", self._look)
        for identity in tuple(self._readers):
            await self._forget(identity)
        await self._tasks.aclose()
        self.audio.close()

    def subscribe(self, identity: str, source: Source) -> None:
        """Have the server send this track again, now or when it is published."""
        self._unwanted.discard((identity, source))
        self._apply(identity, source, wanted=True)

    def unsubscribe(self, identity: str, source: Source) -> None:
        """Have the server send this track no more, nor the ones that come in its place."""
        self._unwanted.add((identity, source))
        self._apply(identity, source, wanted=False)

    def _apply(self, identity: str, source: Source, *, wanted: bool) -> None:
        participant = self._room.remote_participants.get(identity)
        for publication in participant.track_publications.values() if participant is not None else ():
            if publication.source == source and publication.subscribed != wanted:
                publication.set_subscribed(wanted)

    def _look(self, _: object = None) -> None:
        if self._room.isconnected():
            for participant in tuple(self._room.remote_participants.values()):
                self._joined(participant)

    def _joined(self, participant: rtc.RemoteParticipant) -> None:
        if participant.identity not in self._readers and self._accepts(participant):
            self._readers[participant.identity] = [self._read(participant.identity, s) for s in self._sources]

    def _left(self, participant: rtc.RemoteParticipant) -> None:
        self._unwanted -= {(participant.identity, source) for source in self._sources}
        if participant.identity in self._readers:
            self._tasks.create_task(self._forget(participant.identity), name="forget a participant")

    def _published(self, publication: rtc.RemoteTrackPublication, participant: rtc.RemoteParticipant) -> None:
        if (participant.identity, publication.source) in self._unwanted:
            publication.set_subscribed(False)

    async def _forget(self, identity: str) -> None:
        for reader in self._readers.pop(identity, ()):
            await reader.aclose()

    def _read(self, identity: str, source: Source) -> TrackReader[rtc.AudioFrame]:
        key = (identity, source)
        reader: TrackReader[rtc.AudioFrame] = TrackReader(
            self._room,
            sources=(source,),
            open_stream=self._open,
            on_frame=lambda frame: self.audio.push(key, frame),
            on_end=lambda: self.audio.end(key),
        )
        reader.follow(identity)
        return reader

    def _open(self, track: rtc.Track, participant: rtc.RemoteParticipant) -> FrameStream:
        return rtc.AudioStream.from_track(
            track=track, sample_rate=self.audio.sample_rate, num_channels=1, frame_size_ms=round(STEP * 1000)
        )
