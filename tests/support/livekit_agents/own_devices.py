"""A speaker and a page as people write them for LiveKit Agents, with its names alone: no session's clock is known."""

from __future__ import annotations

import asyncio
import time

from livekit import rtc
from livekit.agents.voice.io import AudioOutput, AudioOutputCapabilities, TextOutput


class Loudspeaker(AudioOutput):
    """Takes all audio at once and is done with it after its duration. It can't tell how far it is."""

    def __init__(self, *, next_in_chain: AudioOutput | None = None, can_pause: bool = False) -> None:
        super().__init__(
            label="loudspeaker",
            capabilities=AudioOutputCapabilities(pause=can_pause),
            next_in_chain=next_in_chain,
            sample_rate=24000,
        )
        self._taken = 0.0
        self._left = 0.0
        self._runs_since = 0.0
        self._flushed = False
        self._end: asyncio.TimerHandle | None = None

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        await super().capture_frame(frame)
        if self._taken == 0.0:
            self._runs_since = asyncio.get_running_loop().time()
            self.on_playback_started(created_at=time.time())
        self._taken += frame.duration
        self._left += frame.duration

    def flush(self) -> None:
        super().flush()
        if self._taken:
            self._flushed = True
            self._run()

    def _run(self) -> None:
        loop = asyncio.get_running_loop()
        self._end = loop.call_later(max(0.0, self._left - (loop.time() - self._runs_since)), self._over)

    def _over(self) -> None:
        taken, self._taken, self._left, self._flushed = self._taken, 0.0, 0.0, False
        self.on_playback_finished(playback_position=taken, interrupted=False)

    def _hold(self) -> None:
        self._left -= asyncio.get_running_loop().time() - self._runs_since
        if self._end is not None:
            self._end.cancel()
            self._end = None

    def pause(self) -> None:
        self._hold()

    def resume(self) -> None:
        self._runs_since = asyncio.get_running_loop().time()
        if self._flushed:
            self._run()

    def clear_buffer(self) -> None:
        if not self._taken:
            return
        self._hold()
        heard, self._taken, self._left, self._flushed = self._taken - max(0.0, self._left), 0.0, 0.0, False
        self.on_playback_finished(playback_position=heard, interrupted=True, synchronized_transcript=None)


class Page(TextOutput):
    """Keeps what is written, a line each segment."""

    def __init__(self) -> None:
        super().__init__(label="page", next_in_chain=None)
        self.lines: list[str] = []
        self._line = ""

    async def capture_text(self, text: str) -> None:
        self._line += text

    def flush(self) -> None:
        self.lines.append(self._line)
        self._line = ""
