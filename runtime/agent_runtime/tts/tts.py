"""The interface of a speech synthesizer."""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from agent_runtime.tts.types import MarkupInfo, TTSCapabilities, TTSError
from agent_runtime.types import DEFAULT_API_CONNECT_OPTIONS, APIConnectOptions
from agent_runtime.utils import EventEmitter
from agent_runtime.utils.provider import Provider

if TYPE_CHECKING:
    from agent_runtime.tts.dialects import Dialect
    from agent_runtime.tts.streams import ChunkedStream, SynthesizeStream
    from agent_runtime.voice.expressive import SpeechSteeringOptions

logger = logging.getLogger(__name__)

TEvent = TypeVar("TEvent")


class TTS(Provider, ABC, EventEmitter[Literal["metrics_collected", "error"] | TEvent], Generic[TEvent]):
    """Turns text into speech: a whole text with `synthesize`, or piece by piece with `stream`.

    Emits `metrics_collected` (`TTSMetrics`) and `error` (`TTSError`).

    Args:
        capabilities: what it can do.
        sample_rate: Hz of its audio.
        num_channels: channels of its audio.
    """

    class Markup:
        """Which markup beside words the voice understands.

        A provider whose markup is one of `tts.dialects` overrides `_provider_key`; another one the methods below.
        """

        def __init__(self, tts: TTS[Any]) -> None:
            self._tts = tts

        def _provider_key(self) -> str:
            return ""

        def _dialect(self) -> Dialect | None:
            from agent_runtime.tts.dialects import DIALECTS

            return DIALECTS.get(self._provider_key())

        @property
        def info(self) -> MarkupInfo:
            """What the voice can express."""
            dialect = self._dialect()
            return MarkupInfo({name: list(labels) for name, labels in dialect.sounds.items()} if dialect else {})

        def llm_instructions(self, *, speech_steering: SpeechSteeringOptions | None = None) -> str | None:
            """What to tell the language model about it; None for nothing."""
            dialect = self._dialect()
            return dialect.guide((speech_steering or {}).get("nonverbal_sounds")) if dialect else None

        def normalize(self, text: str) -> str:
            """Repair the markup in what a language model wrote."""
            from agent_runtime.tts.markup import close_marks

            return close_marks(text) if self._provider_key() else text

        def convert(self, text: str) -> str:
            """Common markup as the provider's own."""
            from agent_runtime.tts.markup import convert

            dialect = self._dialect()
            return convert(dialect, text) if dialect else text

    def __init__(self, *, capabilities: TTSCapabilities, sample_rate: int, num_channels: int) -> None:
        super().__init__()
        self._capabilities = capabilities
        self._sample_rate = sample_rate
        self._num_channels = num_channels
        self._markup = self.Markup(self)
        self._expressive = False

    @property
    def markup(self) -> Markup:
        """The markup that the voice understands."""
        return self._markup

    @property
    def capabilities(self) -> TTSCapabilities:
        """What it can do."""
        return self._capabilities

    @property
    def sample_rate(self) -> int:
        """Hz of its audio."""
        return self._sample_rate

    @property
    def num_channels(self) -> int:
        """Channels of its audio."""
        return self._num_channels

    @abstractmethod
    def synthesize(self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS) -> ChunkedStream:
        """Speak a whole text."""
        ...

    def stream(self, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS) -> SynthesizeStream:
        """Speak text that comes piece by piece. Raises NotImplementedError where `capabilities.streaming` is False."""
        raise NotImplementedError(f"{self.label} speaks whole texts only: wrap it in tts.StreamAdapter")

    def prewarm(self) -> None:
        """Get ready (connect, load) before the first request, without waiting for it."""

    async def aclose(self) -> None:
        """Close it and everything that it opened."""

    def _synthesize_with_stream(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> ChunkedStream:
        # `synthesize` for a provider that only streams.
        from agent_runtime.tts.streams import ChunkedStreamFromStream

        return ChunkedStreamFromStream(tts=self, input_text=text, conn_options=conn_options)

    def _set_expressive(self, enabled: bool) -> None:
        # The session tells whether markup is in use; a synthesizer that cuts its own text may use longer pieces then.
        self._expressive = enabled

    def _emit_error(self, error: Exception, recoverable: bool) -> None:
        if recoverable:
            logger.warning("%s failed and is tried again: %s", self.label, error)
        self.emit("error", TTSError(timestamp=time.time(), label=self.label, error=error, recoverable=recoverable))
