"""Recognisers that LiveKit hosts."""

from __future__ import annotations

import dataclasses
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from weakref import WeakSet

from pydantic import SecretStr

from agent_runtime import stt
from agent_runtime.inference import stt_models
from agent_runtime.inference.gateway import PROVIDER, Gateway, find_gateway
from agent_runtime.inference.model_names import STTModels, split_model
from agent_runtime.inference.stt_models import FallbackModel, FallbackModelType
from agent_runtime.inference.stt_stream import SpeechStream
from agent_runtime.language import LanguageCode
from agent_runtime.stt import AudioBuffer, SpeechEvent, STTCapabilities
from agent_runtime.types import DEFAULT_API_CONNECT_OPTIONS, NOT_GIVEN, APIConnectOptions, NotGivenOr, is_given
from agent_runtime.vad import VAD

if TYPE_CHECKING:
    import aiohttp

logger = logging.getLogger(__name__)

STTEncoding: TypeAlias = Literal["pcm_s16le"]

_ENCODING: STTEncoding = "pcm_s16le"


@dataclass
class STTOptions:
    """What a recognition is begun with."""

    gateway: Gateway
    model: str | None
    """None: the gateway chooses."""
    language: LanguageCode | None
    encoding: STTEncoding
    sample_rate: int
    """Hz."""
    conn_options: APIConnectOptions
    """What the gateway is told of its own connections."""
    extra_kwargs: dict[str, Any] = field(default_factory=dict)
    fallback: list[FallbackModel] = field(default_factory=list)


class STT(stt.STT[Any]):
    """A recogniser behind LiveKit's gateway: `inference.STT("deepgram/nova-3:en")`.

    Args:
        model: `provider/model`, with a language after a colon if it isn't given by itself.
        language: of what is said.
        base_url: of the gateway; else `LIVEKIT_INFERENCE_URL`, else LiveKit's.
        encoding: of the audio that is sent.
        sample_rate: Hz of the audio that is sent; 24000 for OpenAI's models, which take no other, else 16000.
        api_key: else `LIVEKIT_INFERENCE_API_KEY` or `LIVEKIT_API_KEY`.
        api_secret: else `LIVEKIT_INFERENCE_API_SECRET` or `LIVEKIT_API_SECRET`.
        http_session: of aiohttp, to connect with; it isn't closed.
        extra_kwargs: options of the model.
        fallback: models that the gateway goes on with if that one fails, in this order.
        conn_options: what the gateway does about its connection to the model's vendor.
        vad: finds the pauses for models that don't (OpenAI's, and two of Speechmatics'); else the bundled one does.

    Raises:
        ConfigError: there is no key.
    """

    def __init__(
        self,
        model: NotGivenOr[STTModels | str] = NOT_GIVEN,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        base_url: NotGivenOr[str] = NOT_GIVEN,
        encoding: NotGivenOr[STTEncoding] = NOT_GIVEN,
        sample_rate: NotGivenOr[int] = NOT_GIVEN,
        api_key: NotGivenOr[str] = NOT_GIVEN,
        api_secret: NotGivenOr[SecretStr | str] = NOT_GIVEN,
        http_session: aiohttp.ClientSession | None = None,
        extra_kwargs: NotGivenOr[dict[str, Any]] = NOT_GIVEN,
        fallback: NotGivenOr[list[FallbackModelType] | FallbackModelType] = NOT_GIVEN,
        conn_options: NotGivenOr[APIConnectOptions] = NOT_GIVEN,
        vad: NotGivenOr[VAD | None] = NOT_GIVEN,
    ) -> None:
        name, named_language = split_model(model) if is_given(model) else (None, None)
        spoken = language if is_given(language) else named_language
        self._rate_is_chosen = is_given(sample_rate)
        self._options = STTOptions(
            gateway=find_gateway(base_url, api_key, api_secret),
            model=name,
            language=LanguageCode(spoken) if spoken else None,
            encoding=encoding or _ENCODING,
            sample_rate=sample_rate
            if is_given(sample_rate)
            else stt_models.needed_rate(name) or stt_models.DEFAULT_RATE,
            conn_options=conn_options if is_given(conn_options) else DEFAULT_API_CONNECT_OPTIONS,
            extra_kwargs=dict(extra_kwargs) if is_given(extra_kwargs) else {},
            fallback=stt_models.fallback_models(fallback) if fallback else [],
        )
        super().__init__(capabilities=self._abilities())
        self._http_session = http_session
        self._terms: list[str] = []
        self._streams: WeakSet[SpeechStream] = WeakSet()
        self._vad = self._pauses(vad if is_given(vad) else None)
        self._warn_of_rate()

    @classmethod
    def from_model_string(cls, model: str) -> STT:
        """The recogniser that a session's `stt="provider/model:language"` names."""
        return cls(model)

    @property
    def model(self) -> str:
        """`provider/model`."""
        return self._options.model or "unknown"

    @property
    def provider(self) -> str:
        """Who runs it."""
        return PROVIDER

    async def _recognize_impl(
        self, buffer: AudioBuffer, *, language: NotGivenOr[str] = NOT_GIVEN, conn_options: APIConnectOptions
    ) -> SpeechEvent:
        raise NotImplementedError("LiveKit Inference recognises live audio only: use stream()")

    def stream(
        self,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> SpeechStream:
        """See `stt.STT.stream`."""
        options = dataclasses.replace(self._options, extra_kwargs=dict(self._options.extra_kwargs))
        if is_given(language):
            options.language = LanguageCode(language)
        stream = SpeechStream(
            stt=self, options=options, conn_options=conn_options, vad=self._vad, http_session=self._http_session
        )
        self._streams.add(stream)
        return stream

    def update_options(
        self,
        *,
        model: NotGivenOr[STTModels | str] = NOT_GIVEN,
        language: NotGivenOr[str] = NOT_GIVEN,
        extra: NotGivenOr[dict[str, Any]] = NOT_GIVEN,
    ) -> None:
        """Change what is given. Live streams are told; a model of another provider is for streams begun later."""
        spoken = language
        if is_given(model):
            self._options.model, named_language = split_model(model)
            spoken = language if is_given(language) or named_language is None else named_language
            self._vad = self._pauses(self._vad)
            if not self._rate_is_chosen:
                self._options.sample_rate = stt_models.needed_rate(self._options.model) or stt_models.DEFAULT_RATE
            self._warn_of_rate()
        if is_given(spoken):
            self._options.language = LanguageCode(spoken)
        if is_given(extra):
            self._options.extra_kwargs |= extra
        self._capabilities = self._abilities()
        for stream in self._streams:
            stream.update_options(model=model, language=language, extra=extra)

    async def aclose(self) -> None:
        """Close the streams that are still open."""
        for stream in list(self._streams):
            await stream.aclose()

    def _update_session_keyterms(self, keyterms: list[str]) -> None:
        if not self.capabilities.keyterms:
            super()._update_session_keyterms(keyterms)
        elif keyterms != self._terms:
            self._terms = list(keyterms)
            for stream in self._streams:
                stream._terms_changed()

    def _push_conversation_item(self, ev: Any) -> None:
        if not self.capabilities.chat_context:
            super()._push_conversation_item(ev)
        elif ev.item.type == "message" and ev.item.role == "assistant" and (text := ev.item.text_content):
            self.update_options(extra={"agent_context": text[-stt_models.CONTEXT_CHARACTERS :]})

    def _abilities(self) -> STTCapabilities:
        options = self._options
        models = [options.model, *(one["model"] for one in options.fallback)]
        return STTCapabilities(
            streaming=True,
            interim_results=True,
            diarization=stt_models.tells_speakers(options.extra_kwargs),
            aligned_transcript="word" if stt_models.tells_words(models) else False,
            offline_recognize=False,
            keyterms=stt_models.takes_terms(options.model),
            chat_context=stt_models.takes_context(options.model),
        )

    def _pauses(self, vad: VAD | None) -> VAD | None:
        """Who finds the pauses for the present model; None where the gateway does."""
        if not stt_models.needs_our_pauses(self._options.model):
            if vad is not None:
                logger.warning("vad has no effect: %s finds the pauses by itself", self.model)
            return None
        if vad is not None:
            return vad
        from agent_runtime.providers.embedded.vad import SileroVAD

        return SileroVAD()

    def _warn_of_rate(self) -> None:
        needed, rate = stt_models.needed_rate(self._options.model), self._options.sample_rate
        if needed not in (None, rate):
            logger.warning("%s takes audio of %s Hz only, and sample_rate is %s", self.model, needed, rate)
