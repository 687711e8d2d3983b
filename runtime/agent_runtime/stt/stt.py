"""The interface of a speech recogniser, with retries and metrics that every provider has in common."""

from __future__ import annotations

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from agent_runtime.errors import APIConnectionError, APIError
from agent_runtime.media.frames import duration
from agent_runtime.metrics import Metadata, STTMetrics
from agent_runtime.stt.types import AudioBuffer, SpeechEvent, STTCapabilities, STTError
from agent_runtime.types import DEFAULT_API_CONNECT_OPTIONS, NOT_GIVEN, APIConnectOptions, NotGivenOr
from agent_runtime.utils import EventEmitter
from agent_runtime.utils.provider import Provider

if TYPE_CHECKING:
    from agent_runtime.stt.stream import RecognizeStream

logger = logging.getLogger(__name__)

TEvent = TypeVar("TEvent")


class STT(Provider, ABC, EventEmitter[Literal["metrics_collected", "error"] | TEvent], Generic[TEvent]):
    """Turns speech into text: a whole buffer with `recognize`, or live with `stream`.

    Emits `metrics_collected` (`STTMetrics`) and `error` (`STTError`). A provider writes `_recognize_impl`, and
    `stream` if it can.
    """

    _recognize_metrics_needed = True

    def __init__(self, *, capabilities: STTCapabilities) -> None:
        super().__init__()
        self._capabilities = capabilities
        self.__warned: set[str] = set()

    @property
    def capabilities(self) -> STTCapabilities:
        """What it can do."""
        return self._capabilities

    @abstractmethod
    async def _recognize_impl(
        self, buffer: AudioBuffer, *, language: NotGivenOr[str] = NOT_GIVEN, conn_options: APIConnectOptions
    ) -> SpeechEvent: ...

    async def recognize(
        self,
        buffer: AudioBuffer,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> SpeechEvent:
        """The text of `buffer`, as a `FINAL_TRANSCRIPT` event.

        Raises:
            APIError: it failed, and again in every retry if it was worth one.
        """
        attempt = 0
        while True:
            started = asyncio.get_running_loop().time()
            try:
                event = await self._recognize_impl(buffer, language=language, conn_options=conn_options)
            except APIError as e:
                if not e.retryable or conn_options.max_retry == 0:
                    self._emit_error(e, recoverable=False)
                    raise
                if attempt == conn_options.max_retry:
                    self._emit_error(e, recoverable=False)
                    raise APIConnectionError(f"{self.label} failed {attempt + 1} times: {e}") from e
                self._emit_error(e, recoverable=True)
            except Exception as e:
                self._emit_error(e, recoverable=False)
                raise
            else:
                if self._recognize_metrics_needed:
                    self.__report_recognized(event, buffer, asyncio.get_running_loop().time() - started)
                return event
            await asyncio.sleep(conn_options.interval_for(attempt))
            attempt += 1

    def stream(
        self,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> RecognizeStream:
        """Start to listen. Raises NotImplementedError where `capabilities.streaming` is False."""
        raise NotImplementedError(f"{self.label} recognizes whole buffers only: wrap it in stt.StreamAdapter")

    def prewarm(self) -> None:
        """Get ready (connect, load) before the first request, without waiting for it."""

    async def aclose(self) -> None:
        """Close it and everything that it opened."""

    def _update_session_keyterms(self, keyterms: list[str]) -> None:
        # A provider with `capabilities.keyterms` overrides it.
        self.__warn_once("keyterms", self._capabilities.keyterms)

    def _push_conversation_item(self, ev: Any) -> None:
        # A provider with `capabilities.chat_context` overrides it.
        self.__warn_once("chat context", self._capabilities.chat_context)

    def __warn_once(self, what: str, supported: bool) -> None:
        if not supported and what not in self.__warned:
            self.__warned.add(what)
            logger.warning("%s doesn't take %s; it is ignored", self.label, what)

    def __report_recognized(self, event: SpeechEvent, buffer: AudioBuffer, seconds: float) -> None:
        frames = buffer if isinstance(buffer, list) else [buffer]
        self._emit_metrics(event.request_id, duration=seconds, audio_duration=sum(map(duration, frames)))

    def _emit_metrics(self, request_id: str, *, streamed: bool = False, **values: Any) -> None:
        metrics = STTMetrics(
            label=self.label,
            request_id=request_id,
            timestamp=time.time(),
            streamed=streamed,
            metadata=Metadata(model_name=self.model, model_provider=self.provider),
            **values,
        )
        self.emit("metrics_collected", metrics)

    def _emit_error(self, error: Exception, recoverable: bool) -> None:
        if recoverable:
            logger.warning("%s failed and is tried again: %s", self.label, error)
        self.emit("error", STTError(timestamp=time.time(), label=self.label, error=error, recoverable=recoverable))
