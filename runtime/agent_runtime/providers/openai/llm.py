"""OpenAI's language models, and those of servers that speak the same protocol (Ollama, llama.cpp, vLLM and others)."""

from __future__ import annotations

import asyncio
import ipaddress
import os
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from pydantic import SecretStr

from agent_runtime import llm
from agent_runtime.errors import ConfigError
from agent_runtime.llm import ChatContext, ToolChoice, ToolContext
from agent_runtime.llm.tool_arguments import to_openai_response_format
from agent_runtime.providers.openai.stream import OpenAIStream
from agent_runtime.types import DEFAULT_API_CONNECT_OPTIONS, NOT_GIVEN, APIConnectOptions, NotGivenOr, is_given
from agent_tools import Tool

if TYPE_CHECKING:
    from openai import AsyncOpenAI, AsyncStream

OPENAI_URL: Final = "https://api.openai.com/v1"

_KEEPALIVE: Final = 120.0
"""Seconds that an unused connection is kept: turns are far apart, and each new handshake is silence."""

_LOCAL_FIRST_TOKEN: Final = 60.0
"""Seconds that a server on this machine may take at least: it loads the model's weights with the first request."""

_CHECK_TIMEOUT: Final = 5.0


class LLM(llm.LLM[str]):
    """A model behind the Chat Completions API.

    The `openai` package is imported, in a thread, when the first request is made; `prewarm` does that earlier.

    Args:
        model: its name at the server.
        api_key: default `OPENAI_API_KEY`. Only OpenAI itself can't do without.
        base_url: default `OPENAI_BASE_URL`, else OpenAI's.
        client: a client of the `openai` package to use instead, which isn't closed.
        temperature: and the other sampling options are left to the server unless they are given.
        max_completion_tokens: the longest answer.
        parallel_tool_calls: whether one answer may hold several calls.
        tool_choice: see `llm.LLM.chat`, which can say otherwise for one request.
        strict_tool_schema: whether arguments are guaranteed to follow the schema; by default only at OpenAI, since
            other servers refuse or ignore it.
        timeout: seconds; default that of `conn_options`.
        options: any other argument of the API, such as `top_p`, `reasoning_effort`, `service_tier` or `extra_body`.

    Raises:
        ConfigError: the URL can't be one, or there is no key and OpenAI wants one.
    """

    def __init__(
        self,
        *,
        model: str = "gpt-4.1",
        api_key: NotGivenOr[SecretStr | str] = NOT_GIVEN,
        base_url: NotGivenOr[str] = NOT_GIVEN,
        client: AsyncOpenAI | None = None,
        temperature: NotGivenOr[float] = NOT_GIVEN,
        max_completion_tokens: NotGivenOr[int] = NOT_GIVEN,
        parallel_tool_calls: NotGivenOr[bool] = NOT_GIVEN,
        tool_choice: NotGivenOr[ToolChoice] = NOT_GIVEN,
        strict_tool_schema: NotGivenOr[bool] = NOT_GIVEN,
        timeout: float | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        self._model = model
        self._base_url = str(client.base_url).rstrip("/") if client is not None else _resolve_url(base_url)
        self._host = urlsplit(self._base_url).hostname or ""
        self._key = _resolve_key(api_key)
        if client is None and not self._key.get_secret_value() and self._is_openai:
            problem = "OpenAI needs an API key: set it, or set OPENAI_BASE_URL to another server"
            raise ConfigError("OPENAI_API_KEY", "", problem)
        self._client = client
        self._owns_client = client is None
        self._client_lock = asyncio.Lock()
        self._timeout = timeout
        self._strict = strict_tool_schema if is_given(strict_tool_schema) else self._is_openai
        self._tool_options: dict[str, Any] = _given(parallel_tool_calls=parallel_tool_calls, tool_choice=tool_choice)
        # Servers that follow OpenAI's older API take no notice of the newer name.
        max_tokens = "max_completion_tokens" if self._is_openai else "max_tokens"
        self._options = {**_given(temperature=temperature, **{max_tokens: max_completion_tokens}), **_given(**options)}

    @property
    def model(self) -> str:
        """The model's name."""
        return self._model

    @property
    def provider(self) -> str:
        """The server's host, e.g. `api.openai.com`."""
        return self._host

    @property
    def _opts(self) -> SimpleNamespace:
        """What packages of compatible servers read that extend this class under LiveKit's name."""
        return SimpleNamespace(model=self._model)

    @property
    def base_url(self) -> str:
        """The server's URL, without the password that may be in it."""
        parts = urlsplit(self._base_url)
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()

    def chat(
        self,
        *,
        chat_ctx: ChatContext,
        tools: list[Tool] | None = None,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
        parallel_tool_calls: NotGivenOr[bool] = NOT_GIVEN,
        tool_choice: NotGivenOr[ToolChoice] = NOT_GIVEN,
        response_format: NotGivenOr[type | dict[str, Any]] = NOT_GIVEN,
        extra_kwargs: NotGivenOr[dict[str, Any]] = NOT_GIVEN,
    ) -> OpenAIStream:
        """See `llm.LLM.chat`.

        `response_format`: the pydantic model or TypedDict that the answer is to be the JSON of, or what the API takes.
        """
        request = dict(self._options)
        if isinstance(response_format, type):
            request["response_format"] = to_openai_response_format(response_format)
        elif is_given(response_format):
            request["response_format"] = response_format
        if tools:
            request |= self._tool_options
            request |= _given(parallel_tool_calls=parallel_tool_calls, tool_choice=tool_choice)
        if is_given(extra_kwargs):
            request |= extra_kwargs
        return OpenAIStream(self, chat_ctx=chat_ctx, tools=tools or [], conn_options=conn_options, request=request)

    async def check(self, *, timeout: float = _CHECK_TIMEOUT) -> list[str]:
        """Find out whether the server is there and takes the key, and which models it has.

        Raises `APIError`, whose message says what to do.
        """
        try:
            client = await self._get_client()
            # What isn't a list of models, the package doesn't notice.
            answer = (await client.models.with_raw_response.list(timeout=timeout)).http_response.json()
            models = answer.get("data") if isinstance(answer, dict) else None
            return [model["id"] for model in models or [] if isinstance(model, dict) and "id" in model]
        except Exception as e:
            error = self.translate(e, timeout)
        raise error

    async def aclose(self) -> None:
        """Close the connections."""
        await super().aclose()
        if self._client is not None and self._owns_client:
            client, self._client = self._client, None
            await client.close()

    async def create(
        self, request: dict[str, Any], chat_ctx: ChatContext, tools: list[Tool], conn_options: APIConnectOptions
    ) -> AsyncStream[object]:
        """Send a request; its answer comes in chunks, as plain JSON. Raises what the `openai` package does."""
        messages = self._messages(chat_ctx)
        if tools and (schemas := ToolContext(tools).parse_function_tools("openai", strict=self._strict)):
            request = {**request, "tools": schemas}
        client = await self._get_client()
        import openai

        # Its overloads know OpenAI's own models and options only.
        create: Any = client.chat.completions.with_raw_response.create
        response = await create(
            model=self._model,
            messages=messages,
            stream=True,
            stream_options={"include_usage": True},
            timeout=openai.Timeout(self._patience(conn_options), connect=self._timeout or conn_options.timeout),
            **request,
        )
        # Plain JSON, since the package takes 80 µs to make a chunk of each, of the 95 in all.
        stream: AsyncStream[object] = response.parse(to=openai.AsyncStream[object])
        return stream

    def translate(self, error: Exception, timeout: float) -> Exception:
        """What a request raised that had so many seconds, as one of our errors; what isn't the server's doing stays."""
        from agent_runtime.providers.openai.errors import Target, translate

        target = Target(self.base_url, self._model, self._key.get_secret_value(), timeout)
        return translate(error, target)

    def _messages(self, chat_ctx: ChatContext) -> list[dict[str, Any]]:
        return chat_ctx.to_provider_format("openai")[0]

    async def _prewarm_impl(self) -> None:
        await self.check()

    @property
    def _is_openai(self) -> bool:
        return self._host == "openai.com" or self._host.endswith(".openai.com")

    def _patience(self, conn_options: APIConnectOptions) -> float:
        if self._timeout is not None:
            return self._timeout
        return max(conn_options.timeout, _LOCAL_FIRST_TOKEN if _is_local(self._host) else 0.0)

    async def _get_client(self) -> AsyncOpenAI:
        async with self._client_lock:
            if self._client is None:
                # Importing it takes most of a second, in which the loop would play no audio.
                self._client = await asyncio.to_thread(self._make_client)
            return self._client

    def _make_client(self) -> AsyncOpenAI:
        import httpx2
        import openai

        limits = httpx2.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=_KEEPALIVE)
        client = openai.AsyncOpenAI(
            api_key=self._key.get_secret_value() or "none",
            base_url=self._base_url,
            max_retries=0,  # `LLMStream` retries
            http_client=openai.DefaultAsyncHttpxClient(limits=limits),
        )
        # These are imported when they are first asked for, which takes a good part of it.
        _ = client.models.with_raw_response, client.chat.completions.with_raw_response
        return client


def _resolve_url(base_url: str | Any) -> str:
    source = "base_url" if is_given(base_url) and base_url else "OPENAI_BASE_URL"
    url = (base_url if is_given(base_url) else None) or os.environ.get("OPENAI_BASE_URL") or OPENAI_URL
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(source, "", f"{url!r} is no URL of a server: write it like http://localhost:11434/v1")
    return url.rstrip("/")


def _resolve_key(api_key: SecretStr | str | Any) -> SecretStr:
    if not is_given(api_key):
        return SecretStr(os.environ.get("OPENAI_API_KEY", ""))
    return api_key if isinstance(api_key, SecretStr) else SecretStr(api_key)


def _given(**arguments: Any) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if is_given(value)}


def _is_local(host: str) -> bool:
    """Whether it is this machine, or one of the same network, where models are loaded when they are asked for."""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return host == "localhost" or host.endswith((".local", ".localhost")) or "." not in host
