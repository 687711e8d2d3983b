"""A turn detector that judges by ear, used like one that judges by words."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from livekit.rtc import AudioFrame

    from agent_runtime.llm import ChatContext
    from agent_runtime.voice.turn import StreamingTurnDetector


class ListeningDetector:
    """Lets `detector` hear the user, and asks it where the turn machine asks a `TurnDetector`."""

    def __init__(self, detector: StreamingTurnDetector) -> None:
        self.detector = detector
        self._stream = detector.stream()

    @property
    def model(self) -> str:
        """Name of the model in use."""
        return self._stream.model

    @property
    def provider(self) -> str:
        """Whose model it is."""
        return self._stream.provider

    def push(self, frame: AudioFrame) -> None:
        """Hear a frame."""
        self._stream.push_audio(frame)

    def turn_ended(self, reason: str) -> None:
        """What is heard from now on is another turn's."""
        self._stream.flush(reason)

    async def unlikely_threshold(self, language: str | None) -> float | None:
        """See `TurnDetector.unlikely_threshold`."""
        return await self._stream.unlikely_threshold(language)

    async def supports_language(self, language: str | None) -> bool:
        """See `TurnDetector.supports_language`."""
        return await self._stream.supports_language(language)

    async def predict_end_of_turn(self, chat_ctx: ChatContext, *, timeout: float | None = None) -> float:
        """Probability, 0 to 1, that the turn is over; `chat_ctx` doesn't count.

        Raises:
            TimeoutError: it took longer than the detector says that it may.
        """
        allowed = self._stream.prediction_timeout
        try:
            async with asyncio.timeout(allowed if timeout is None else min(timeout, allowed)):
                return (await self._stream.predict()).end_of_turn_probability
        except TimeoutError:
            self._stream.cancel_inference(timed_out=True)
            raise
        except asyncio.CancelledError:
            self._stream.cancel_inference()
            raise

    async def aclose(self) -> None:
        """Stop to listen."""
        await self._stream.aclose()
