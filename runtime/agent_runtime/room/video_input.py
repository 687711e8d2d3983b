"""A participant's camera or screen as what the session sees."""

from __future__ import annotations

import asyncio
from typing import Final

from livekit import rtc

from agent_runtime.io import VideoInput
from agent_runtime.room.tracks import FrameStream, TrackReader

SOURCES: Final = (rtc.TrackSource.SOURCE_SCREENSHARE, rtc.TrackSource.SOURCE_CAMERA)
"""A screen that is shared is meant to be looked at, also while the camera goes on."""


class RoomVideoInput(VideoInput):
    """Sees the participant that `set_participant` names. Of frames that nobody takes only the newest is kept."""

    def __init__(self, room: rtc.Room) -> None:
        super().__init__(label="room")
        self._newest: rtc.VideoFrame | None = None
        self._arrived = asyncio.Event()
        self._attached = True
        self._closed = False
        self._reader: TrackReader[rtc.VideoFrame] = TrackReader(
            room, sources=SOURCES, open_stream=_open, on_frame=self._take
        )

    @property
    def identity(self) -> str | None:
        """Who is seen."""
        return self._reader.identity

    def set_participant(self, identity: str | None) -> None:
        """See this one from now on, even if they aren't there yet; None sees nobody."""
        self._reader.follow(identity)

    async def __anext__(self) -> rtc.VideoFrame:
        while (frame := self._newest) is None:
            if self._closed:
                raise StopAsyncIteration
            self._arrived.clear()
            await self._arrived.wait()
        self._newest = None
        return frame

    def on_attached(self) -> None:
        """See `VideoInput.on_attached`."""
        self._attached = True

    def on_detached(self) -> None:
        """See `VideoInput.on_detached`."""
        self._attached = False
        self._newest = None

    async def aclose(self) -> None:
        """Stop looking; the frames end."""
        self._closed = True
        await self._reader.aclose()
        self._arrived.set()

    def _take(self, frame: rtc.VideoFrame) -> None:
        if self._attached:
            self._newest = frame
            self._arrived.set()


def _open(track: rtc.Track, participant: rtc.RemoteParticipant) -> FrameStream:
    # One frame in the SDK's own queue: a model looks once a second, and pictures are large.
    return rtc.VideoStream.from_track(track=track, capacity=1)
