"""What the SDK alone takes for a room's way there and back: `python room_bare.py bare URL TOKEN`.

Answers the first quiet frame after a tone with a tone, at once and with no library between.
"""

from __future__ import annotations

import asyncio
import math
import struct
import sys

import numpy as np
from livekit import rtc

RATE = 24000
LOUD = 1000
STEP = RATE // 50
TONE = b"".join(struct.pack("<h", round(8000 * math.sin(n / 8))) for n in range(round(RATE * 0.4)))


async def answer(track: rtc.Track, source: rtc.AudioSource) -> None:
    """Listen to a track."""
    spoke = False
    async for event in rtc.AudioStream.from_track(track=track, sample_rate=RATE, num_channels=1, frame_size_ms=20):
        newest = np.frombuffer(event.frame.data, np.int16)[-RATE // 100 :]
        loud = int(np.abs(newest).max()) > LOUD
        if spoke and not loud:
            for start in range(0, len(TONE), 2 * STEP):
                await source.capture_frame(rtc.AudioFrame(TONE[start : start + 2 * STEP], RATE, 1, STEP))
        spoke = loud


async def main(url: str, token: str) -> None:
    """Join, say so, and stay."""
    room, source = rtc.Room(), rtc.AudioSource(RATE, 1, queue_size_ms=500)
    tasks: list[asyncio.Task[None]] = []
    room.on("track_subscribed", lambda track, *_: tasks.append(asyncio.create_task(answer(track, source))))
    await room.connect(url, token)
    await room.local_participant.publish_track(rtc.LocalAudioTrack.create_audio_track("voice", source))
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await room.disconnect()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[2], sys.argv[3]))
