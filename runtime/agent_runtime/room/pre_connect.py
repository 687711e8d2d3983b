"""What participants said before they were connected: clients send it as a stream of bytes."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from livekit import rtc

from agent_runtime.errors import AgentConsoleError
from agent_runtime.media.compressed import decode, is_compressed
from agent_runtime.utils.aio import TaskSet

logger = logging.getLogger(__name__)

TOPIC: Final = "lk.agent.pre-connect-audio-buffer"
_FEATURE: Final = 6
"""`TF_PRECONNECT_BUFFER` of the protocol's AudioTrackFeature."""
LONGEST: Final = 60.0
"""Seconds of speech that are kept; a client that sends more is not believed."""
SAMPLE_RATE: Final = 48000
"""Hz to which compressed speech is decoded."""
_LARGEST: Final = 4_000_000
"""Bytes of compressed speech that are kept: those seconds at 512 kbit/s, more than any browser sends."""


class PreConnectAudio:
    """Receives it, from the moment it is made. Make it before the room is connected, or the earliest is missed."""

    def __init__(self, room: rtc.Room) -> None:
        self._room = room
        self._tasks = TaskSet()
        self._heard: dict[str, asyncio.Future[rtc.AudioFrame | None]] = {}
        self._used: set[str] = set()
        self._registered = True
        try:
            room.register_byte_stream_handler(TOPIC, self._on_stream)
        except ValueError:
            self._registered = False
            logger.warning("the room's %s is read by something else; speech before the connection is missed", TOPIC)

    async def audio_of(self, publication: rtc.RemoteTrackPublication, *, timeout: float) -> rtc.AudioFrame | None:
        """All of it that belongs to a track, in one frame; None if nothing does or it doesn't come in `timeout`."""
        if not self._registered or publication.sid in self._used or _FEATURE not in publication.audio_features:
            return None
        self._used.add(publication.sid)
        try:
            async with asyncio.timeout(timeout):
                return await self._promise(publication.sid)
        except TimeoutError:
            logger.warning("what was said before the connection didn't come within %s s", timeout)
            return None
        finally:
            self._heard.pop(publication.sid, None)

    async def aclose(self) -> None:
        """Stop receiving."""
        if self._registered:
            self._room.unregister_byte_stream_handler(TOPIC)
        await self._tasks.aclose()

    def _promise(self, sid: str) -> asyncio.Future[rtc.AudioFrame | None]:
        return self._heard.setdefault(sid, asyncio.get_running_loop().create_future())

    def _on_stream(self, reader: rtc.ByteStreamReader, identity: str) -> None:
        self._tasks.create_task(self._read(reader, identity), name="pre-connect audio")

    async def _read(self, reader: rtc.ByteStreamReader, identity: str) -> None:
        about = reader.info.attributes or {}
        sid = about.get("trackId", "")
        if not sid:
            logger.warning("%s sent speech from before the connection without saying of which track", identity)
            return
        frame: rtc.AudioFrame | None = None
        try:
            frame = await _frame(reader, about, identity)
        except (ValueError, ConnectionError, AgentConsoleError) as exc:
            logger.warning("what %s said before the connection can't be used: %s", identity, exc)
        if not (promise := self._promise(sid)).done():
            promise.set_result(frame)


async def _frame(reader: rtc.ByteStreamReader, about: dict[str, str], identity: str) -> rtc.AudioFrame:
    """What was sent, in one frame: phones send PCM, browsers a file of Opus."""
    mime = reader.info.mime_type or ""
    if "opus" in mime or is_compressed(mime):
        data = await _all(reader, _LARGEST)
        samples = await asyncio.to_thread(decode, data, SAMPLE_RATE, 1, identity)
        samples = samples[: round(LONGEST * SAMPLE_RATE) * 2]
        return rtc.AudioFrame(samples, SAMPLE_RATE, 1, len(samples) // 2)
    try:
        rate, channels = int(about["sampleRate"]), int(about["channels"])
    except (KeyError, ValueError) as exc:
        raise ValueError(f"no sampleRate or channels: {exc}") from exc
    if not (8000 <= rate <= 192000 and 1 <= channels <= 8):
        raise ValueError(f"{rate} Hz, {channels} channels")
    data = await _all(reader, round(LONGEST * rate) * channels * 2)
    count = len(data) // (2 * channels)
    return rtc.AudioFrame(data[: count * 2 * channels], rate, channels, count)


async def _all(reader: rtc.ByteStreamReader, limit: int) -> bytes:
    data = bytearray()
    async for chunk in reader:
        data += chunk
        if len(data) > limit:
            raise ValueError(f"more than {LONGEST} s")
    return bytes(data)
