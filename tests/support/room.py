"""The other side of a room: a participant who speaks, listens, writes and presses buttons, through the real SDK."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
from livekit import api, rtc
from numpy.typing import NDArray

from agent_runtime.events import AnyEvent
from tests.support.livekit_server import KEY, SECRET, LiveKitServer

Kind: TypeAlias = Literal["standard", "agent"]
RATE = 16000
PATIENCE = 30.0
"""Seconds that something may take on a loaded machine before a test gives up."""


def token(identity: str, room: str = "room", *, seconds: float = 300.0, kind: Kind = "standard") -> str:
    """Lets `identity` into the room."""
    grants = api.VideoGrants(room_join=True, room=room, can_update_own_metadata=True)
    lasting = datetime.timedelta(seconds=seconds)
    made = api.AccessToken(KEY, SECRET).with_identity(identity).with_grants(grants)
    return made.with_ttl(lasting).with_kind(kind).to_jwt()


async def until(condition: Callable[[], object], what: str = "") -> None:
    """Wait for something that other threads and machines bring about."""
    try:
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110 - other threads and processes bring it about
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"it never came: {what or condition}") from None


@dataclass
class Text:
    """A text stream that came."""

    sender: str
    attributes: dict[str, str]
    text: str


@dataclass
class Caller:
    """A participant. Use `caller`."""

    room: rtc.Room = field(default_factory=rtc.Room)
    heard: list[NDArray[np.int16]] = field(default_factory=list)
    """What came on the agent's track."""
    texts: list[Text] = field(default_factory=list)
    states: list[str] = field(default_factory=list)
    """The agent's, as its attribute told."""
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _source: rtc.AudioSource | None = None

    def listen(self) -> None:
        """Write down everything that comes from now on."""
        self.room.on("track_subscribed", lambda track, *_: self._start(self._hear(track)))
        self.room.on("participant_attributes_changed", self._attributes)
        self.room.register_text_stream_handler(
            "lk.transcription", lambda reader, sender: self._start(self._read(reader, sender))
        )

    async def publish(self, options: rtc.TrackPublishOptions | None = None) -> rtc.LocalTrackPublication:
        """Publish a microphone."""
        self._source = rtc.AudioSource(RATE, 1, queue_size_ms=1000)
        track = rtc.LocalAudioTrack.create_audio_track("microphone", self._source)
        options = options or rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        return await self.room.local_participant.publish_track(track, options)

    async def speak(self, samples: NDArray[np.int16], *, then: float = 0.0) -> None:
        """Speak `int16[samples]` at 16 kHz in real time, and be silent for so long."""
        assert self._source is not None
        whole = np.concatenate((samples, np.zeros(round(then * RATE), np.int16)))
        for start in range(0, len(whole), RATE // 50):
            piece = whole[start : start + RATE // 50]
            await self._source.capture_frame(rtc.AudioFrame(piece.tobytes(), RATE, 1, len(piece)))
        await self._source.wait_for_playout()

    @property
    def sound(self) -> NDArray[np.int16]:
        """All that was heard, at 16 kHz."""
        return np.concatenate((np.zeros(0, np.int16), *self.heard))

    def words_of(self, identity: str, *, final: bool = True) -> list[str]:
        """The transcripts of what `identity` said."""
        wanted = "true" if final else "false"
        return [t.text for t in self.texts if t.sender == identity and t.attributes["lk.transcription_final"] == wanted]

    async def aclose(self) -> None:
        """Leave."""
        await self.room.disconnect()
        for task in tuple(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(tuple(self._tasks))
        if self._source is not None:
            await self._source.aclose()

    def _start(self, coro: object) -> None:
        task = asyncio.ensure_future(coro)  # type: ignore[call-overload]  # a coroutine
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _hear(self, track: rtc.Track) -> None:
        stream = rtc.AudioStream.from_track(track=track, sample_rate=RATE, num_channels=1)
        try:
            async for event in stream:
                self.heard.append(np.frombuffer(event.frame.data, np.int16).copy())
        finally:
            await stream.aclose()

    async def _read(self, reader: rtc.TextStreamReader, sender: str) -> None:
        text = await reader.read_all()
        self.texts.append(Text(sender, dict(reader.info.attributes or {}), text))

    def _attributes(self, changed: dict[str, str], participant: rtc.Participant) -> None:
        if "lk.agent.state" in changed:
            self.states.append(changed["lk.agent.state"])


@contextlib.asynccontextmanager
async def caller(
    server: LiveKitServer, identity: str = "caller", *, room: str = "room", listens: bool = True
) -> AsyncIterator[Caller]:
    """Somebody in the room, with a microphone, who writes down what they get if they listen; gone at the end."""
    who = Caller()
    if listens:
        who.listen()
    try:
        await who.room.connect(server.url, token(identity, room))
        await who.publish()
        yield who
    finally:
        await who.aclose()


@contextlib.asynccontextmanager
async def agents_room(server: LiveKitServer, *, room: str = "room", identity: str = "agent") -> AsyncIterator[rtc.Room]:
    """The agent's own connection; gone at the end."""
    joined = rtc.Room()
    try:
        await joined.connect(server.url, token(identity, room, kind="agent"))
        yield joined
    finally:
        await joined.disconnect()


def kinds(events: list[AnyEvent]) -> list[str]:
    """Their types, in order."""
    return [event.data.type for event in events]
