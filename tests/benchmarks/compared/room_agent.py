"""An agent in a room under either library: `python room_agent.py ours URL TOKEN`; it leaves when its input ends.

It hears a tone, takes its end for the end of the turn, and answers with a tone, with providers that take no time.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import math
import struct
import sys
from pathlib import Path
from typing import Any

if sys.argv[1] == "ours":
    sys.path[1:1] = [str(Path(__file__).parents[3] / part) for part in ("runtime", "tools")]
    from agent_runtime import compat

    compat.install()

import numpy as np
from fakes import OUT_RATE, Assistant, Model, Recognizer, Voice
from livekit import rtc
from livekit.agents import AgentSession
from livekit.agents.vad import VAD, VADCapabilities, VADEvent, VADEventType, VADStream

SPOKEN = 0.4
LOUD = 1000
"""A sample from which on somebody speaks: coded silence is no zeros."""
TONE = b"".join(struct.pack("<h", round(8000 * math.sin(n / 8))) for n in range(round(OUT_RATE * SPOKEN)))


def is_loud(frame: rtc.AudioFrame) -> bool:
    """Whether somebody speaks at the end of it."""
    newest = np.frombuffer(frame.data, np.int16)[-frame.sample_rate // 100 :]
    return int(np.abs(newest).max()) > LOUD


class Ear(VAD):
    """Hears speech in the frames in which it is loud, and reports each frame."""

    def __init__(self) -> None:
        super().__init__(capabilities=VADCapabilities(update_interval=0.02))

    def stream(self) -> VADStream:
        return _EarStream(self)


class _EarStream(VADStream):
    async def _main_task(self) -> None:
        speaking, speech, silence, at = False, 0.0, 0.0, 0
        async for frame in self._input_ch:
            if not isinstance(frame, rtc.AudioFrame):
                continue
            at += frame.samples_per_channel
            loud = is_loud(frame)
            speech, silence = (speech + frame.duration, 0.0) if loud else (speech, silence + frame.duration)
            if loud and not speaking:
                speaking, speech = True, frame.duration
                self._tell(VADEventType.START_OF_SPEECH, at, frame, speech, silence, True)
            self._tell(VADEventType.INFERENCE_DONE, at, frame, speech if speaking else 0.0, silence, speaking)
            if speaking and not loud:
                speaking = False
                self._tell(VADEventType.END_OF_SPEECH, at, frame, speech, silence, False)

    def _tell(self, kind: Any, at: int, frame: rtc.AudioFrame, speech: float, silence: float, on: bool) -> None:
        self._event_ch.send_nowait(
            VADEvent(
                type=kind,
                samples_index=at,
                timestamp=at / frame.sample_rate,
                speech_duration=speech,
                silence_duration=silence,
                frames=[frame],
                probability=0.0 if silence else 0.9,
                speaking=on,
                raw_accumulated_silence=silence,
                raw_accumulated_speech=0.0 if silence else speech,
            )
        )


async def main(url: str, token: str) -> None:
    """Join, say so, and stay."""
    voice = Voice(SPOKEN)
    voice.audio = TONE
    session: Any = AgentSession(
        stt=Recognizer(is_loud),
        vad=Ear(),
        llm=Model(),
        tts=voice,
        turn_handling={
            "turn_detection": "vad",
            "endpointing": {"min_delay": 0.0, "max_delay": 0.0},
            "interruption": {"mode": "vad", "resume_false_interruption": False},
        },
        aec_warmup_duration=None,
        user_away_timeout=None,
    )
    room = rtc.Room()
    await room.connect(url, token)
    await session.start(Assistant(), room=room)
    gc.collect()
    gc.freeze()
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await session.aclose()
    await room.disconnect()


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    asyncio.run(main(sys.argv[2], sys.argv[3]))
