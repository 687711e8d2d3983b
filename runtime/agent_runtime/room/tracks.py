"""Reading a participant's track, whichever it is at the moment."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterable, Awaitable, Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar

from livekit import rtc

from agent_runtime.utils.aio import cancel_and_wait

F = TypeVar("F")

logger = logging.getLogger(__name__)


class FrameStream(Protocol):
    """What the SDK gives for a track: events that each have a `frame`, until it is closed."""

    def __aiter__(self) -> Any:
        """Its events."""

    async def aclose(self) -> None:
        """Stop."""


class TrackReader(Generic[F]):
    """Follows one participant's track of certain sources: when it comes late, is replaced, or goes.

    Args:
        room: the room.
        sources: which sources, the ones that are preferred first; of one source, the track that was published first.
        open_stream: begins to read a track.
        on_frame: gets each frame.
        on_end: is told when a track that was read is gone.
        before: frames to be passed on before the track's own.
    """

    def __init__(
        self,
        room: rtc.Room,
        *,
        sources: Sequence[rtc.TrackSource.ValueType],
        open_stream: Callable[[rtc.Track, rtc.RemoteParticipant], FrameStream],
        on_frame: Callable[[F], None],
        on_end: Callable[[], None] = lambda: None,
        before: Callable[[rtc.RemoteTrackPublication], Awaitable[list[F]]] | None = None,
    ) -> None:
        self._room = room
        self._sources = sources
        self._open = open_stream
        self._on_frame = on_frame
        self._on_end = on_end
        self._before = before
        self._identity: str | None = None
        self._track: rtc.Track | None = None
        self._task: asyncio.Task[None] | None = None
        self._ending: set[asyncio.Task[None]] = set()
        room.on("track_subscribed", self._look)
        room.on("track_unsubscribed", self._look)
        room.on("track_unpublished", self._look)
        room.on("participant_disconnected", self._look)

    @property
    def identity(self) -> str | None:
        """Whose track is read."""
        return self._identity

    @property
    def reading(self) -> bool:
        """Whether there is a track now."""
        return self._track is not None

    def follow(self, identity: str | None) -> None:
        """Read this participant's track from now on, even if they aren't there yet; None reads nobody's."""
        self._identity = identity
        self._look()

    async def aclose(self) -> None:
        """Stop reading."""
        for name in ("track_subscribed", "track_unsubscribed", "track_unpublished"):
            self._room.off(name, self._look)
        self._room.off("participant_disconnected", self._look)
        self._stop()
        while self._ending:
            await asyncio.wait(tuple(self._ending))

    def _look(self, *_: object) -> None:
        found = self._find()
        track = None if found is None else found[0].track
        if track is self._track:
            return
        self._stop()
        if found is not None and track is not None:
            self._track = track
            self._task = asyncio.create_task(self._read(track, *found), name="read track")
            self._task.add_done_callback(_report)

    def _find(self) -> tuple[rtc.RemoteTrackPublication, rtc.RemoteParticipant] | None:
        participant = None if self._identity is None else self._room.remote_participants.get(self._identity)
        if participant is None:
            return None
        there = [p for p in participant.track_publications.values() if p.track is not None]
        found = next((p for source in self._sources for p in there if p.source == source), None)
        return None if found is None else (found, participant)

    def _stop(self) -> None:
        task, self._task, self._track = self._task, None, None
        if task is not None:
            task.cancel()
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)
            self._on_end()

    async def _read(
        self, track: rtc.Track, publication: rtc.RemoteTrackPublication, participant: rtc.RemoteParticipant
    ) -> None:
        stream = self._open(track, participant)
        try:
            if self._before is not None:
                for frame in await self._before(publication):
                    self._on_frame(frame)
            events: AsyncIterable[Any] = stream
            async for event in events:
                self._on_frame(event.frame)
        finally:
            closing = asyncio.ensure_future(stream.aclose())
            try:
                await asyncio.shield(closing)
            except asyncio.CancelledError:
                await cancel_and_wait(closing)
                raise


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("a track can't be read", exc_info=error)
