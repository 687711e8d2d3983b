"""The bundled detectors of speech and of the end of a turn, under the names and options of LiveKit's."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from concurrent.futures import Executor
from typing import TYPE_CHECKING

from agent_runtime.inference.model_names import TurnDetectorVersions, VADModels
from agent_runtime.language import LanguageCode
from agent_runtime.providers.embedded.turn_audio import LANGUAGES, THRESHOLD, AudioTurnDetector, AudioTurnDetectorStream
from agent_runtime.providers.embedded.vad import SileroVAD
from agent_runtime.types import (
    DEFAULT_API_CONNECT_OPTIONS,
    NOT_GIVEN,
    APIConnectOptions,
    NotGiven,
    NotGivenOr,
    is_given,
)

if TYPE_CHECKING:
    import aiohttp


class VAD(SileroVAD):
    """The bundled detector of speech with the defaults of LiveKit's.

    Args:
        model: `silero`, the only one.
        min_speech_duration: see `SileroVAD`; so are the other durations and thresholds.
        min_silence_duration: see `SileroVAD`.
        prefix_padding_duration: see `SileroVAD`.
        max_buffered_speech: see `SileroVAD`.
        activation_threshold: see `SileroVAD`.
        deactivation_threshold: see `SileroVAD`.
        executor: makes no difference: it computes in a thread of its own.

    Raises:
        ValueError: there is no such model, or a value can't be.
    """

    def __init__(
        self,
        *,
        model: VADModels = "silero",
        min_speech_duration: float = 0.05,
        min_silence_duration: float = 0.25,
        prefix_padding_duration: float = 0.5,
        max_buffered_speech: float = 60.0,
        activation_threshold: float = 0.5,
        deactivation_threshold: NotGivenOr[float] = NOT_GIVEN,
        executor: Executor | None = None,
    ) -> None:
        if model != "silero":
            raise ValueError(f"model is {model!r}: the only one is 'silero'")
        super().__init__(
            min_speech_duration=min_speech_duration,
            min_silence_duration=min_silence_duration,
            prefix_padding_duration=prefix_padding_duration,
            max_buffered_speech=max_buffered_speech,
            activation_threshold=activation_threshold,
            deactivation_threshold=deactivation_threshold,
        )

    @property
    def min_silence_duration(self) -> float:
        """Seconds of silence before speech is reported as over."""
        return self.options.min_silence_duration

    def update_options(
        self,
        *,
        min_speech_duration: NotGivenOr[float] = NOT_GIVEN,
        min_silence_duration: NotGivenOr[float] = NOT_GIVEN,
        prefix_padding_duration: NotGivenOr[float] = NOT_GIVEN,
        max_buffered_speech: NotGivenOr[float] = NOT_GIVEN,
        activation_threshold: NotGivenOr[float] = NOT_GIVEN,
        deactivation_threshold: NotGivenOr[float] = NOT_GIVEN,
    ) -> None:
        """Change what is given, for streams begun from now on."""
        given = {
            "min_speech_duration": min_speech_duration,
            "min_silence_duration": min_silence_duration,
            "prefix_padding_duration": prefix_padding_duration,
            "max_buffered_speech": max_buffered_speech,
            "activation_threshold": activation_threshold,
            "deactivation_threshold": deactivation_threshold,
        }
        changed = {name: value for name, value in given.items() if is_given(value)}
        self.options = dataclasses.replace(self.options, **changed)


class TurnDetector(AudioTurnDetector):
    """The bundled detector that listens for the end of a turn. Nothing of it is asked of the gateway.

    Args:
        version: makes no difference; nor does what names a gateway or how to ask it.
        unlikely_threshold: probability below which the user is taken to go on, or one for each language.
        backchannel_threshold: makes no difference: the bundled detector has no opinion on that.
        base_url: makes no difference.
        api_key: makes no difference.
        api_secret: makes no difference.
        sample_rate: makes no difference: audio of any rate is listened to.
        local_fallback: makes no difference.
        http_session: makes no difference.
        conn_options: makes no difference.

    Raises:
        MissingDependencyError: the detector's weights aren't installed.
    """

    def __init__(
        self,
        *,
        version: NotGivenOr[TurnDetectorVersions] = NOT_GIVEN,
        unlikely_threshold: NotGivenOr[float | Mapping[str, float]] = NOT_GIVEN,
        backchannel_threshold: NotGivenOr[float | Mapping[str, float]] = NOT_GIVEN,
        base_url: NotGivenOr[str] = NOT_GIVEN,
        api_key: NotGivenOr[str] = NOT_GIVEN,
        api_secret: NotGivenOr[str] = NOT_GIVEN,
        sample_rate: int = 16_000,
        local_fallback: bool = True,
        http_session: aiohttp.ClientSession | None = None,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> None:
        super().__init__()
        self._by_language: dict[str, float] = {}
        self.update_options(unlikely_threshold=unlikely_threshold)

    def update_options(
        self,
        *,
        unlikely_threshold: NotGivenOr[float | Mapping[str, float]] = NOT_GIVEN,
        backchannel_threshold: NotGivenOr[float | Mapping[str, float]] = NOT_GIVEN,
    ) -> None:
        """Change the threshold."""
        if isinstance(unlikely_threshold, NotGiven):
            return
        if isinstance(unlikely_threshold, Mapping):
            self._threshold = THRESHOLD
            self._by_language = {LanguageCode(name): value for name, value in unlikely_threshold.items()}
        else:
            self._threshold, self._by_language = unlikely_threshold, {}

    async def unlikely_threshold(self, language: str | None) -> float | None:
        """Below this probability the user is taken to go on; None for a language that it doesn't know."""
        if language and self._by_language:
            code = LanguageCode(language)
            if (found := self._by_language.get(code, self._by_language.get(code.language))) is not None:
                return found
        return self._threshold if await self.supports_language(language) else None

    async def backchannel_threshold(self, language: str | None) -> float | None:
        """None: it has no opinion on where a listener's word would fit."""
        return None

    async def supports_language(self, language: str | None) -> bool:
        """Whether the model was trained on it; a language that isn't known is taken for one."""
        return language is None or LanguageCode(language).language in LANGUAGES

    def stream(self, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS) -> AudioTurnDetectorStream:
        """See `AudioTurnDetector.stream`."""
        return _Stream(self)


class _Stream(AudioTurnDetectorStream):
    def __init__(self, detector: TurnDetector) -> None:
        super().__init__(detector, detector._weights, detector._threshold)
        self._thresholds = detector

    async def unlikely_threshold(self, language: str | None) -> float | None:
        """See `AudioTurnDetectorStream.unlikely_threshold`."""
        return await self._thresholds.unlikely_threshold(language)
