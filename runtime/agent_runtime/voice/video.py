"""What the agent sees: frames of the video input, as many as a realtime model needs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from livekit.rtc import VideoFrame

    from agent_runtime.io import VideoInput
    from agent_runtime.voice.engine import Engine
    from agent_runtime.voice.session import AgentSession

VideoSampler: TypeAlias = "Callable[[VideoFrame, AgentSession[Any]], bool]"
"""Says of a frame whether the model is to see it."""


class VoiceActivityVideoSampler:
    """Picks more frames while the user speaks than while they don't.

    Args:
        speaking_fps: frames a second while the user speaks; 0 for none.
        silent_fps: frames a second otherwise; 0 for none.
    """

    def __init__(self, *, speaking_fps: float = 1.0, silent_fps: float = 0.3) -> None:
        self.speaking_fps = speaking_fps
        self.silent_fps = silent_fps
        self._last: float | None = None

    def __call__(self, frame: VideoFrame, session: AgentSession[Any]) -> bool:
        """Whether the frame is picked."""
        rate = self.speaking_fps if session.user_state == "speaking" else self.silent_fps
        now = session.events.now()
        # Frames come at steps of their own: one that is a hair early is the one that is due.
        if rate <= 0 or (self._last is not None and now - self._last < 1 / rate - 1e-6):
            return False
        self._last = now
        return True


class Video:
    """See the module. One per session."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._source: VideoInput | None = None
        self._reader: asyncio.Task[None] | None = None

    def set_source(self, source: VideoInput | None) -> None:
        """Look at `source` from now on."""
        if source is self._source:
            return
        self._source = source
        if self._reader is not None:
            self._reader.cancel()
            self._reader = None
        if source is not None:
            self._reader = self._engine.spawn(self._read(source), "video input")

    async def _read(self, source: VideoInput) -> None:
        engine, session = self._engine, self._engine.session
        try:
            async for frame in source:
                # Only a realtime model sees by itself; others are given pictures in messages, by the agent's hooks.
                sampler = session._video_sampler
                if engine.realtime.active and (sampler is None or sampler(frame, session)):
                    engine.realtime.push_video(frame)
        except Exception as error:
            engine.report.failed("video input", error)
