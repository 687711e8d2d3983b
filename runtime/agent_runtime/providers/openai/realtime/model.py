"""A realtime model of OpenAI's."""

from __future__ import annotations

import logging
import os
from typing import Any, Literal
from urllib.parse import urlsplit
from weakref import WeakSet

from pydantic import SecretStr

from agent_runtime import llm
from agent_runtime.errors import ConfigError
from agent_runtime.llm.tool_context import ToolChoice
from agent_runtime.providers.openai.realtime import options as settings
from agent_runtime.providers.openai.realtime.connection import Socket, open_socket
from agent_runtime.providers.openai.realtime.session import RealtimeSession
from agent_runtime.types import DEFAULT_API_CONNECT_OPTIONS, NOT_GIVEN, APIConnectOptions, NotGivenOr, is_given
from agent_runtime.utils import http_context

logger = logging.getLogger(__name__)


class RealtimeModel(llm.RealtimeModel):
    """A model behind OpenAI's Realtime API, to be given to a session as its `llm`.

    Options may be objects of the `openai` package or dicts as the API takes them.

    Args:
        model: its name at the server.
        voice: of its answers.
        modalities: `["text"]` for a model that a TTS speaks for.
        input_audio_transcription: who tells what the user said; None: nobody.
        input_audio_noise_reduction: `near_field`, `far_field`, or an object that says so.
        turn_detection: how the server finds the user's turns; None: the session does.
        tool_choice: which tools it may or must call.
        speed: of its voice, 1.0 as it is.
        tracing: of the API's dashboard.
        truncation: how the server forgets the beginning of a long conversation.
        reasoning: effort of a model that reasons.
        api_key: default `OPENAI_API_KEY`.
        base_url: default `OPENAI_BASE_URL`, else OpenAI's. A path that isn't an API's root is the endpoint itself.
        http_session: of aiohttp, to connect with; it isn't closed.
        azure_deployment: the name of a deployment, whose server is Azure's then.
        entra_token: to sign in at Azure without a key.
        max_session_duration: seconds after which the connection is made anew; None: never.
        conn_options: seconds to connect, and how often to try again.
        temperature: has no effect; the API takes none any more.
        api_version: Azure's API before its first version, which isn't spoken here.

    Raises:
        ConfigError: there is no key, or no URL of Azure's.
        ValueError: `api_version` is given.
    """

    def __init__(
        self,
        *,
        model: str = "gpt-realtime",
        voice: str = settings.DEFAULT_VOICE,
        modalities: NotGivenOr[list[Literal["text", "audio"]]] = NOT_GIVEN,
        tool_choice: NotGivenOr[ToolChoice | None] = NOT_GIVEN,
        base_url: NotGivenOr[str] = NOT_GIVEN,
        input_audio_transcription: NotGivenOr[Any] = NOT_GIVEN,
        input_audio_noise_reduction: NotGivenOr[Any] = NOT_GIVEN,
        turn_detection: NotGivenOr[Any] = NOT_GIVEN,
        speed: NotGivenOr[float] = NOT_GIVEN,
        tracing: NotGivenOr[Any] = NOT_GIVEN,
        truncation: NotGivenOr[Any] = NOT_GIVEN,
        reasoning: NotGivenOr[Any] = NOT_GIVEN,
        api_key: SecretStr | str | None = None,
        http_session: Any = None,
        azure_deployment: str | None = None,
        entra_token: SecretStr | str | None = None,
        max_session_duration: NotGivenOr[float | None] = NOT_GIVEN,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
        temperature: NotGivenOr[float] = NOT_GIVEN,
        api_version: str | None = None,
    ) -> None:
        if api_version is not None:
            raise ValueError(f"api_version is {api_version!r}: leave it out, so that Azure's current API is used")
        azure = azure_deployment is not None or entra_token is not None
        self._options = settings.RealtimeOptions(
            model=model,
            base_url=base_url if is_given(base_url) else _default_url(azure),
            api_key=SecretStr(_text(api_key)) if azure else settings.openai_key(api_key),
            voice=voice,
            transcription=dict(settings.DEFAULT_TRANSCRIPTION),
            turn_detection=dict(settings.DEFAULT_TURN_DETECTION),
            azure_deployment=azure_deployment,
            entra_token=SecretStr(_text(entra_token)) if entra_token else None,
            conn_options=conn_options,
        )
        if is_given(modalities):
            self._options.modalities = list(modalities)
        if is_given(max_session_duration):
            self._options.max_session_duration = max_session_duration
        self._apply(
            self._options,
            tool_choice=tool_choice,
            input_audio_transcription=input_audio_transcription,
            input_audio_noise_reduction=input_audio_noise_reduction,
            turn_detection=turn_detection,
            speed=speed,
            tracing=tracing,
            truncation=truncation,
            reasoning=reasoning,
        )
        super().__init__(capabilities=self._abilities(can_disable=not is_given(turn_detection)))
        _warn_of_half_a_turn_detection(self._options)
        self._http_session = http_session
        self._sessions: WeakSet[RealtimeSession] = WeakSet()

    @classmethod
    def with_azure(
        cls,
        *,
        azure_deployment: str,
        azure_endpoint: str | None = None,
        api_key: SecretStr | str | None = None,
        entra_token: SecretStr | str | None = None,
        base_url: str | None = None,
        **options: Any,
    ) -> RealtimeModel:
        """A deployment at Azure; see the class for the other options.

        Args:
            azure_deployment: its name.
            azure_endpoint: the resource's URL, default `AZURE_OPENAI_ENDPOINT`; or else `base_url`.
            api_key: default `AZURE_OPENAI_API_KEY`.
            entra_token: instead of a key.
            base_url: the API's own URL.
            options: those of the class.

        Raises:
            ConfigError: there is neither key nor token, or no URL.
            ValueError: both URLs are given.
        """
        if base_url is not None and azure_endpoint is not None:
            raise ValueError("base_url and azure_endpoint are both given: give one")
        key = _text(api_key) or os.environ.get("AZURE_OPENAI_API_KEY", "")
        if not key and not entra_token:
            raise ConfigError("AZURE_OPENAI_API_KEY", "", "Azure needs a key: set it, or give api_key or entra_token")
        if azure_endpoint is not None:
            base_url = f"{azure_endpoint.rstrip('/')}/openai"
        if base_url is not None:
            options["base_url"] = base_url
        return cls(azure_deployment=azure_deployment, api_key=key, entra_token=entra_token, **options)

    @property
    def model(self) -> str:
        """The model's name."""
        return self._options.model

    @property
    def provider(self) -> str:
        """The server's host, e.g. `api.openai.com`."""
        return urlsplit(self._options.base_url).netloc.rpartition("@")[2]

    def session(self, *, turn_detection_disabled: bool = False) -> RealtimeSession:
        """Begin a conversation. With `turn_detection_disabled` the server leaves turns to us."""
        session = RealtimeSession(self, turn_detection_disabled=turn_detection_disabled)
        self._sessions.add(session)
        return session

    def update_options(self, **changed: Any) -> None:
        """Change options of the model and of the sessions that it has, by their names; see the class.

        `max_response_output_tokens` is how long an answer may be.
        """
        self._apply(self._options, **changed)
        self._capabilities = self._abilities(can_disable=self._capabilities.can_disable_turn_detection)
        if is_given(changed.get("turn_detection", NOT_GIVEN)):
            _warn_of_half_a_turn_detection(self._options)
        for session in list(self._sessions):
            session.update_options(**changed)

    async def aclose(self) -> None:
        """Nothing is held: sessions are closed by themselves."""

    async def _connect(self, options: settings.RealtimeOptions) -> Socket:
        http = self._http_session or http_context.http_session()
        return await open_socket(http, options.endpoint(), options.headers(), options.conn_options.timeout)

    def _abilities(self, *, can_disable: bool) -> llm.RealtimeCapabilities:
        return llm.RealtimeCapabilities(
            message_truncation=True,
            turn_detection=self._options.server_answers,
            can_disable_turn_detection=can_disable,
            user_transcription=self._options.transcription is not None,
            auto_tool_reply_generation=False,
            audio_output="audio" in self._options.modalities,
            manual_function_calls=True,
            mutable_chat_context=True,
            mutable_instructions=True,
            mutable_tools=True,
            per_response_tool_choice=True,
        )

    @staticmethod
    def _apply(
        options: settings.RealtimeOptions,
        *,
        input_audio_transcription: NotGivenOr[Any] = NOT_GIVEN,
        input_audio_noise_reduction: NotGivenOr[Any] = NOT_GIVEN,
        max_response_output_tokens: NotGivenOr[Any] = NOT_GIVEN,
        temperature: NotGivenOr[float] = NOT_GIVEN,
        **same: Any,
    ) -> None:
        """Set what is given, as the API writes it. Raises TypeError for a name that there isn't."""
        if is_given(input_audio_noise_reduction):
            options.noise_reduction = settings.noise_reduction_json(input_audio_noise_reduction)
        named = {"transcription": input_audio_transcription, "max_output_tokens": max_response_output_tokens}
        for name, value in (named | same).items():
            if name not in _CHANGEABLE:
                raise TypeError(f"a realtime model has no option {name!r}")
            if is_given(value):
                setattr(options, name, settings.as_json(value))


_CHANGEABLE = frozenset(
    {"voice", "turn_detection", "tool_choice", "transcription", "max_output_tokens", "speed", "tracing", "truncation"}
    | {"reasoning"}
)


def _warn_of_half_a_turn_detection(options: settings.RealtimeOptions) -> None:
    found = options.turn_detection
    if found is not None and found.get("create_response") is False and found.get("interrupt_response") is not False:
        logger.warning("create_response is False but interrupt_response isn't: the server still cuts answers by itself")


def _default_url(azure: bool) -> str:
    if not azure:
        return os.environ.get("OPENAI_BASE_URL") or settings.OPENAI_URL
    endpoint = os.environ.get("AZURE_OPENAI_ENDPOINT", "")
    if not endpoint:
        raise ConfigError("AZURE_OPENAI_ENDPOINT", "", "it must be set, or base_url given, to find Azure's server")
    return f"{endpoint.rstrip('/')}/openai"


def _text(secret: SecretStr | str | None) -> str:
    return secret.get_secret_value() if isinstance(secret, SecretStr) else secret or ""
