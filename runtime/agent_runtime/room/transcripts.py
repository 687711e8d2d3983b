"""What is said, as streams of text in the room."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Final

from livekit import rtc

from agent_runtime.io import TextOutput
from agent_runtime.utils import shortuuid
from agent_runtime.utils.aio import Chan, TaskSet

logger = logging.getLogger(__name__)

TOPIC: Final = "lk.transcription"
SEGMENT_ID: Final = "lk.segment_id"
FINAL: Final = "lk.transcription_final"
TRACK_ID: Final = "lk.transcribed_track_id"


class _Ordered:
    """Sends one thing after the other, in the background; what fails is logged and the rest goes on."""

    def __init__(self, room: rtc.Room) -> None:
        self._room = room
        self._work: Chan[Callable[[], object]] = Chan()
        self._tasks = TaskSet()
        self._sender = self._tasks.create_task(self._send(), name="send transcript")

    def add(self, step: Callable[[], object]) -> None:
        if not self._work.closed:
            self._work.send_nowait(step)

    async def aclose(self) -> None:
        self._work.close()
        await self._sender

    async def _send(self) -> None:
        async for step in self._work:
            if not self._room.isconnected():
                continue
            try:
                await step()  # type: ignore[misc]  # every step is a coroutine function
            except Exception as exc:  # whatever the SDK raises, the conversation isn't held up by its transcript
                logger.warning("a transcript couldn't be sent: %s", exc)


def microphone_track(room: rtc.Room, identity: str) -> str | None:
    """The track that somebody speaks on."""
    own = room.isconnected() and room.local_participant.identity == identity
    participant = room.local_participant if own else room.remote_participants.get(identity)
    for publication in participant.track_publications.values() if participant is not None else ():
        if publication.source == rtc.TrackSource.SOURCE_MICROPHONE:
            return publication.sid
    return None


def _attributes(room: rtc.Room, identity: str, segment: str, *, final: bool) -> dict[str, str]:
    attributes = {SEGMENT_ID: segment, FINAL: "true" if final else "false"}
    if (track := microphone_track(room, identity)) is not None:
        attributes[TRACK_ID] = track
    return attributes


class AgentTranscript(TextOutput):
    """The agent's words: a stream for each segment, to which they are added as they are heard.

    Args:
        room: the room.
        json_format: each piece is a line of JSON.
        next_in_chain: gets the words too.
    """

    def __init__(self, room: rtc.Room, *, json_format: bool = False, next_in_chain: TextOutput | None = None) -> None:
        super().__init__(label="room")
        self._room = room
        self._json = json_format
        self._next = next_in_chain
        self._writer: rtc.TextStreamWriter | None = None
        self._segment = ""
        self._sending = _Ordered(room)

    async def capture_text(self, text: str) -> None:
        """See `TextOutput.capture_text`."""
        piece = json.dumps({"text": text}) + "\n" if self._json else text
        self._sending.add(lambda: self._write(piece))
        if self._next is not None:
            await self._next.capture_text(text)

    def flush(self) -> None:
        """See `TextOutput.flush`."""
        self._sending.add(self._end)
        if self._next is not None:
            self._next.flush()

    async def aclose(self) -> None:
        """Send what is left."""
        self._sending.add(self._end)
        await self._sending.aclose()

    async def _write(self, piece: str) -> None:
        me = self._room.local_participant
        if self._writer is None:
            self._segment = shortuuid("SG_")
            attributes = _attributes(self._room, me.identity, self._segment, final=False)
            self._writer = await me.stream_text(topic=TOPIC, attributes=attributes, sender_identity=me.identity)
        await self._writer.write(piece)

    async def _end(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            me = self._room.local_participant
            await writer.aclose(attributes=_attributes(self._room, me.identity, self._segment, final=True))


class UserTranscript:
    """The user's words: a stream for each time that the recogniser changes its mind, with all of the segment."""

    def __init__(self, room: rtc.Room) -> None:
        self._room = room
        self._segment = shortuuid("SG_")
        self._sending = _Ordered(room)

    def transcribed(self, identity: str, text: str, *, final: bool) -> None:
        """`identity` said `text` since the last one that was final."""
        segment = self._segment
        if final:
            self._segment = shortuuid("SG_")
        self._sending.add(lambda: self._send(identity, text, segment, final))

    async def aclose(self) -> None:
        """Send what is left."""
        await self._sending.aclose()

    async def _send(self, identity: str, text: str, segment: str, final: bool) -> None:
        writer = await self._room.local_participant.stream_text(
            topic=TOPIC,
            attributes=_attributes(self._room, identity, segment, final=final),
            sender_identity=identity,
        )
        await writer.write(text)
        await writer.aclose()
