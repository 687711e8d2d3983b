"""Voices that LiveKit hosts."""

from __future__ import annotations

import asyncio
import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from weakref import WeakSet

from pydantic import SecretStr

from agent_runtime import tts
from agent_runtime.inference import tts_models
from agent_runtime.inference.gateway import PROVIDER, Gateway, find_gateway
from agent_runtime.inference.model_names import TTSModels, split_model
from agent_runtime.inference.socket import GatewaySocket, open_socket
from agent_runtime.inference.tts_models import FallbackModel, FallbackModelType
from agent_runtime.inference.tts_stream import SynthesizeStream
from agent_runtime.language import LanguageCode
from agent_runtime.tts import ChunkedStream, TTSCapabilities
from agent_runtime.types import DEFAULT_API_CONNECT_OPTIONS, NOT_GIVEN, APIConnectOptions, NotGivenOr, is_given
from agent_runtime.utils import ConnectionPool

if TYPE_CHECKING:
    import aiohttp

TTSEncoding: TypeAlias = Literal["pcm_s16le"]

_ENCODING: TTSEncoding = "pcm_s16le"
_RATE = 24_000
_IDLE = 300.0
"""Seconds after which a connection that wasn't used isn't used again."""


@dataclass
class TTSOptions:
    """What is asked of the gateway."""

    gateway: Gateway
    model: str
    voice: str | None
    """None: the model's default."""
    language: LanguageCode | None
    encoding: TTSEncoding
    sample_rate: int
    """Hz."""
    conn_options: APIConnectOptions
    """What the gateway is told of its own connections."""
    extra_kwargs: dict[str, Any] = field(default_factory=dict)
    fallback: list[FallbackModel] = field(default_factory=list)


class TTS(tts.TTS[Any]):
    """A voice behind LiveKit's gateway: `inference.TTS("cartesia/sonic-3:a-voice's-id")`.

    Connections are kept for the next speech.

    Args:
        model: `provider/model`, with a voice after a colon if it isn't given by itself.
        voice: the vendor's id of it; else the model's default.
        language: of the text.
        encoding: of the audio that is asked for.
        sample_rate: Hz; default 24000.
        base_url: of the gateway; else `LIVEKIT_INFERENCE_URL`, else LiveKit's.
        api_key: else `LIVEKIT_INFERENCE_API_KEY` or `LIVEKIT_API_KEY`.
        api_secret: else `LIVEKIT_INFERENCE_API_SECRET` or `LIVEKIT_API_SECRET`.
        http_session: of aiohttp, to connect with; it isn't closed.
        extra_kwargs: options of the model.
        fallback: models that the gateway goes on with if that one fails, in this order.
        conn_options: what the gateway does about its connection to the model's vendor.

    Raises:
        ConfigError: there is no key.
    """

    class Markup(tts.TTS.Markup):
        """What the present model understands."""

        def _provider_key(self) -> str:
            return tts_models.markup_of(self._tts.model)

    def __init__(
        self,
        model: TTSModels | str,
        *,
        voice: NotGivenOr[str] = NOT_GIVEN,
        language: NotGivenOr[str] = NOT_GIVEN,
        encoding: NotGivenOr[TTSEncoding] = NOT_GIVEN,
        sample_rate: NotGivenOr[int] = NOT_GIVEN,
        base_url: NotGivenOr[str] = NOT_GIVEN,
        api_key: NotGivenOr[str] = NOT_GIVEN,
        api_secret: NotGivenOr[SecretStr | str] = NOT_GIVEN,
        http_session: aiohttp.ClientSession | None = None,
        extra_kwargs: NotGivenOr[dict[str, Any]] = NOT_GIVEN,
        fallback: NotGivenOr[list[FallbackModelType] | FallbackModelType] = NOT_GIVEN,
        conn_options: NotGivenOr[APIConnectOptions] = NOT_GIVEN,
    ) -> None:
        name, named_voice = split_model(model)
        self._options = options = TTSOptions(
            gateway=find_gateway(base_url, api_key, api_secret),
            model=name,
            voice=voice if is_given(voice) else named_voice,
            language=LanguageCode(language) if is_given(language) and language else None,
            encoding=encoding or _ENCODING,
            sample_rate=sample_rate if is_given(sample_rate) else _RATE,
            conn_options=conn_options if is_given(conn_options) else DEFAULT_API_CONNECT_OPTIONS,
            extra_kwargs=dict(extra_kwargs) if is_given(extra_kwargs) else {},
            fallback=tts_models.fallback_models(fallback) if fallback else [],
        )
        abilities = TTSCapabilities(streaming=True, aligned_transcript=self._tells_words())
        super().__init__(capabilities=abilities, sample_rate=options.sample_rate, num_channels=1)
        self._http_session = http_session
        self._pool: ConnectionPool[GatewaySocket] = ConnectionPool(
            connect_cb=self._connect,
            close_cb=GatewaySocket.aclose,
            max_session_duration=_IDLE,
            mark_refreshed_on_get=True,
        )
        self._streams: WeakSet[SynthesizeStream] = WeakSet()
        self._hanging_up: set[asyncio.Task[None]] = set()

    @classmethod
    def from_model_string(cls, model: str) -> TTS:
        """The voice that a session's `tts="provider/model:voice"` names."""
        return cls(model)

    @property
    def model(self) -> str:
        """`provider/model`."""
        return self._options.model

    @property
    def provider(self) -> str:
        """Who runs it."""
        return PROVIDER

    def prewarm(self) -> None:
        """Connect ahead of the first speech."""
        self._pool.prewarm()

    def update_options(
        self,
        *,
        voice: NotGivenOr[str] = NOT_GIVEN,
        model: NotGivenOr[TTSModels | str] = NOT_GIVEN,
        language: NotGivenOr[str] = NOT_GIVEN,
        extra_kwargs: NotGivenOr[dict[str, Any]] = NOT_GIVEN,
    ) -> None:
        """Change what is given, from the next speech on; options are added to those there are."""
        if is_given(model):
            self._options.model = model
        if is_given(voice):
            self._options.voice = voice
        if is_given(language):
            self._options.language = LanguageCode(language)
        if is_given(extra_kwargs):
            self._options.extra_kwargs |= extra_kwargs
        self._capabilities.aligned_transcript = self._tells_words()

    def synthesize(self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS) -> ChunkedStream:
        """See `tts.TTS.synthesize`."""
        return self._synthesize_with_stream(text, conn_options=conn_options)

    def stream(self, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS) -> SynthesizeStream:
        """See `tts.TTS.stream`."""
        options = dataclasses.replace(self._options, extra_kwargs=dict(self._options.extra_kwargs))
        stream = SynthesizeStream(
            tts=self, options=options, conn_options=conn_options, pool=self._pool, expressive=self._expressive
        )
        self._streams.add(stream)
        return stream

    async def aclose(self) -> None:
        """Stop speaking, and close the connections."""
        for stream in list(self._streams):
            await stream.aclose()
        await self._pool.aclose()
        if self._hanging_up:
            await asyncio.wait(self._hanging_up)

    def _hang_up(self, socket: GatewaySocket) -> None:
        """End what the gateway does for a speech that was cut, without waiting for its goodbye."""
        task = asyncio.create_task(socket.aclose(), name="gateway tts hang up")
        self._hanging_up.add(task)
        task.add_done_callback(self._hanging_up.discard)

    def _tells_words(self) -> bool:
        return tts_models.tells_words(self._options.model, self._options.extra_kwargs)

    async def _connect(self, timeout: float) -> GatewaySocket:
        options = self._options
        socket = await open_socket(options.gateway, "tts", options.model, timeout=timeout, http=self._http_session)
        said: dict[str, Any] = {
            "type": "session.create",
            "sample_rate": str(options.sample_rate),
            "encoding": options.encoding,
            "extra": options.extra_kwargs,
            **spoken_by(options),
        }
        if options.fallback:
            models = [
                {"model": one["model"], "voice": one["voice"], "extra": one.get("extra_kwargs", {})}
                for one in options.fallback
            ]
            said["fallback"] = {"models": models}
        said["connection"] = {"timeout": options.conn_options.timeout, "retries": options.conn_options.max_retry}
        await socket.send(said)
        return socket


def spoken_by(options: TTSOptions) -> dict[str, Any]:
    """The fields of a message that say who speaks."""
    said = {"voice": options.voice, "model": options.model, "language": options.language and str(options.language)}
    return {name: value for name, value in said.items() if value}
