"""Language models that LiveKit hosts, behind the Chat Completions API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import SecretStr

from agent_runtime import llm
from agent_runtime.errors import APIStatusError, ConfigError
from agent_runtime.inference.gateway import (
    PROVIDER,
    PROVIDER_HEADER,
    URL_NAME,
    InferenceClass,
    find_gateway,
    quota_used,
)
from agent_runtime.inference.model_names import LLMModels, is_duplex_model, is_realtime_model
from agent_runtime.inference.model_options import drop_unsupported_params, supports_prompt_cache_breakpoints
from agent_runtime.llm import ChatContext, ToolChoice
from agent_runtime.providers import openai
from agent_runtime.types import (
    DEFAULT_API_CONNECT_OPTIONS,
    NOT_GIVEN,
    APIConnectOptions,
    NotGiven,
    NotGivenOr,
    is_given,
)
from agent_tools import Tool

if TYPE_CHECKING:
    from openai import AsyncOpenAI, AsyncStream

__all__ = ["LLM", "LLMStream", "llm_from_model_string"]

LLMStream = openai.LLMStream

_KEY = "LIVEKIT_API_KEY, with its LIVEKIT_API_SECRET,"
_CLASS = "inference_class"
"""Where a request's own class is kept among the arguments of the API until it is sent."""


class LLM(openai.LLM):
    """A model behind LiveKit's gateway: `inference.LLM("openai/gpt-4.1-mini")`.

    Args:
        model: `provider/model`.
        provider: who is to run a model that several do.
        base_url: of the gateway; else `LIVEKIT_INFERENCE_URL`, else LiveKit's.
        api_key: else `LIVEKIT_INFERENCE_API_KEY` or `LIVEKIT_API_KEY`.
        api_secret: else `LIVEKIT_INFERENCE_API_SECRET` or `LIVEKIT_API_SECRET`.
        inference_class: how urgent requests are.
        extra_kwargs: arguments of the API, such as `temperature`; what the model would refuse is left out.
        prompt_cache_breakpoints: whether the model is told of each `CacheBreakpoint`; `auto`: where it knows them.

    Raises:
        ConfigError: there is no key.
    """

    def __init__(
        self,
        model: LLMModels | str,
        *,
        provider: str | None = None,
        base_url: str | None = None,
        api_key: str | None = None,
        api_secret: SecretStr | str | None = None,
        inference_class: InferenceClass | None = None,
        extra_kwargs: dict[str, Any] | None = None,
        prompt_cache_breakpoints: bool | Literal["auto"] = "auto",
    ) -> None:
        self._gateway = gateway = find_gateway(base_url, api_key, api_secret)
        super().__init__(model=model, base_url=gateway.url, api_key=gateway.secret, strict_tool_schema=True)
        self._run_by = provider
        self._class = inference_class
        self._options = dict(extra_kwargs or {})
        self._breakpoints = prompt_cache_breakpoints

    @classmethod
    def from_model_string(cls, model: str) -> LLM:
        """The model that a name stands for."""
        return cls(model)

    @property
    def provider(self) -> str:
        """Who runs it."""
        return PROVIDER

    def update_options(
        self,
        *,
        model: NotGivenOr[LLMModels | str] = NOT_GIVEN,
        extra_kwargs: NotGivenOr[dict[str, Any]] = NOT_GIVEN,
        prompt_cache_breakpoints: NotGivenOr[bool | Literal["auto"]] = NOT_GIVEN,
    ) -> None:
        """Change what is given, from the next request on; `extra_kwargs` take the place of those there were."""
        if is_given(model):
            self._model = model
        if is_given(extra_kwargs):
            self._options = dict(extra_kwargs)
        if not isinstance(prompt_cache_breakpoints, NotGiven):
            self._breakpoints = prompt_cache_breakpoints

    def chat(
        self,
        *,
        chat_ctx: ChatContext,
        tools: list[Tool] | None = None,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
        parallel_tool_calls: NotGivenOr[bool] = NOT_GIVEN,
        tool_choice: NotGivenOr[ToolChoice] = NOT_GIVEN,
        response_format: NotGivenOr[type | dict[str, Any]] = NOT_GIVEN,
        inference_class: NotGivenOr[InferenceClass] = NOT_GIVEN,
        extra_kwargs: NotGivenOr[dict[str, Any]] = NOT_GIVEN,
    ) -> openai.LLMStream:
        """See `llm.LLM.chat`; `inference_class` is that of this request."""
        extra = dict(extra_kwargs) if is_given(extra_kwargs) else {}
        if is_given(inference_class):
            extra[_CLASS] = inference_class
        return super().chat(
            chat_ctx=chat_ctx,
            tools=tools,
            conn_options=conn_options,
            parallel_tool_calls=parallel_tool_calls,
            tool_choice=tool_choice,
            response_format=response_format,
            extra_kwargs=extra,
        )

    async def create(
        self, request: dict[str, Any], chat_ctx: ChatContext, tools: list[Tool], conn_options: APIConnectOptions
    ) -> AsyncStream[object]:
        """See `openai.LLM.create`."""
        request = drop_unsupported_params(self.model, request, tools)
        headers = self._gateway.headers(request.pop(_CLASS, self._class))
        if self._run_by:
            headers[PROVIDER_HEADER] = self._run_by
        request["extra_headers"] = {**(request.get("extra_headers") or {}), **headers}
        if not tools:
            for option in ("tool_choice", "parallel_tool_calls"):
                request.pop(option, None)
        return await super().create(request, chat_ctx, tools, conn_options)

    def translate(self, error: Exception, timeout: float) -> Exception:
        """See `openai.LLM.translate`; says how much of the project's limits is used where one is reached."""
        from agent_runtime.providers.openai.errors import Target, translate

        secret = self._gateway.secret.get_secret_value()
        target = Target(self.base_url, self.model, secret, timeout, key_name=_KEY, url_name=URL_NAME)
        translated = translate(error, target)
        headers: Mapping[str, str] = getattr(getattr(error, "response", None), "headers", {})
        if isinstance(translated, APIStatusError) and (used := quota_used(headers)):
            translated.args = (f"{translated} [{used}]",)
        return translated

    def _messages(self, chat_ctx: ChatContext) -> list[dict[str, Any]]:
        told = self._breakpoints
        marked = supports_prompt_cache_breakpoints(self.model) if told == "auto" else told
        return chat_ctx.to_provider_format("openai", prompt_cache_breakpoints=marked)[0]

    async def _get_client(self) -> AsyncOpenAI:
        client = await super()._get_client()
        client.api_key = self._gateway.token()
        return client


def llm_from_model_string(model: str) -> llm.LLM[Any]:
    """The model that a session's `llm="provider/model"` names.

    Raises:
        ConfigError: it hears and speaks, which the gateway's can't be asked for here; or there is no key.
    """
    if is_realtime_model(model) or is_duplex_model(model):
        problem = "models of LiveKit Inference that hear and speak can't be asked from here"
        instead = "use openai.realtime.RealtimeModel with a key of OpenAI's, or stt, llm and tts"
        raise ConfigError(f"llm={model!r}", "", f"{problem}: {instead}")
    return LLM.from_model_string(model)
