"""Language models: what every provider shares, and the retries, metrics and errors around a request."""

from __future__ import annotations

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, ClassVar, Generic, Literal, TypeVar

from pydantic import ConfigDict, Field

from agent_runtime.errors import APIConnectionError, APIError, APIStatusError
from agent_runtime.lazy_model import LazyModel
from agent_runtime.llm.chat_chunk import ChatChunk, CollectedResponse, CompletionUsage
from agent_runtime.llm.chat_context import ChatContext
from agent_runtime.llm.tool_context import ToolChoice
from agent_runtime.metrics import LLMMetrics, Metadata
from agent_runtime.types import DEFAULT_API_CONNECT_OPTIONS, NOT_GIVEN, APIConnectOptions, NotGivenOr
from agent_runtime.utils import EventEmitter, aio
from agent_runtime.utils.provider import Provider
from agent_tools import Tool

logger = logging.getLogger(__name__)

_CLIENT_CLOSED_REQUEST = 499
"""Status by which nginx and those after it say that the client hung up: we did, so it is no error."""

TEvent = TypeVar("TEvent")


class LLMError(LazyModel):
    """A request failed. `recoverable` says whether it is tried again."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    type: Literal["llm_error"] = "llm_error"
    timestamp: float
    """Seconds since the epoch."""
    label: str
    error: Exception = Field(exclude=True)
    recoverable: bool


class LLM(Provider, ABC, EventEmitter[Literal["metrics_collected", "error"] | TEvent], Generic[TEvent]):
    """A language model. A provider's class implements `chat`, which makes its own kind of `LLMStream`.

    Events: `metrics_collected` (`LLMMetrics`) after each request, `error` (`LLMError`) at each failure.
    """

    def __init__(self) -> None:
        super().__init__()
        self._prewarm_task: asyncio.Task[None] | None = None

    @abstractmethod
    def chat(
        self,
        *,
        chat_ctx: ChatContext,
        tools: list[Tool] | None = None,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
        parallel_tool_calls: NotGivenOr[bool] = NOT_GIVEN,
        tool_choice: NotGivenOr[ToolChoice] = NOT_GIVEN,
        extra_kwargs: NotGivenOr[dict[str, Any]] = NOT_GIVEN,
    ) -> LLMStream:
        """Ask for an answer. The request begins at once; close the stream to cancel it.

        Args:
            chat_ctx: the conversation so far.
            tools: what the model may call.
            conn_options: timeout and retries.
            parallel_tool_calls: whether one answer may hold several calls.
            tool_choice: whether the model may, must or must not call a tool, or which.
            extra_kwargs: more arguments of the provider's own API.
        """

    def prewarm(self, *, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """Get the connection ready in the background, so that the first answer comes sooner. Once is enough."""
        if self._prewarm_task is None and type(self)._prewarm_impl is not LLM._prewarm_impl:
            self._prewarm_task = (loop or asyncio.get_running_loop()).create_task(self._prewarm())

    async def aclose(self) -> None:
        """Give back what is held; a subclass calls this too."""
        if self._prewarm_task is not None:
            await aio.cancel_and_wait(self._prewarm_task)

    async def _prewarm_impl(self) -> None:
        """Open the connection with a request that costs nothing; a provider that can, overrides it."""

    async def _prewarm(self) -> None:
        try:
            await self._prewarm_impl()
        except Exception as e:
            # The request that needs the connection will tell, with its retries.
            logger.debug("could not prewarm %s: %s", self.label, e)


class LLMStream(ABC):
    """An answer as it comes: iterate over its chunks, inside `async with`, or `collect()` it.

    A provider's subclass implements `_run`, which makes one request and sends chunks to `_event_ch`. It is called again
    after an `APIError` that is retryable, first after 0.1 s, then after `conn_options.retry_interval` each, unless text
    or a tool call was sent already.
    """

    _reports_metrics: ClassVar[bool] = True
    """Whether the request itself is measured; not where it only hands on another model's answer."""

    def __init__(
        self, llm: LLM[Any], *, chat_ctx: ChatContext, tools: list[Tool], conn_options: APIConnectOptions
    ) -> None:
        self._llm = llm
        self._chat_ctx = chat_ctx
        self._tools = tools
        self._conn_options = conn_options
        self._retry_on_chunk_sent = False
        self._event_ch = _ChunkChannel()
        self._task = asyncio.create_task(self._main_task(), name=f"{llm.label} request")
        self._task.add_done_callback(self.__on_done)

    @property
    def chat_ctx(self) -> ChatContext:
        """The conversation that is answered."""
        return self._chat_ctx

    @property
    def tools(self) -> list[Tool]:
        """The tools that were offered."""
        return self._tools

    @abstractmethod
    async def _run(self) -> None:
        """Make the request once and send its chunks to `_event_ch`. Raises `APIError`."""

    async def aclose(self) -> None:
        """Cancel the request if it goes on, and end the iteration."""
        await aio.cancel_and_wait(self._task)

    async def collect(self) -> CollectedResponse:
        """Wait for the whole answer and close the stream. Raises what the request fails with."""
        response = CollectedResponse()
        texts: list[str] = []
        async with self:
            async for chunk in self:
                if chunk.delta is not None:
                    texts.append(chunk.delta.content or "")
                    response.tool_calls.extend(chunk.delta.tool_calls)
                    response.extra.update(chunk.delta.extra or {})
                response.usage = chunk.usage or response.usage
        response.text = "".join(texts).strip()
        return response

    async def to_str_iterable(self) -> AsyncIterator[str]:
        """Only the text of the answer, as it comes. The stream is closed at its end."""
        async with self:
            async for chunk in self:
                if chunk.delta is not None and chunk.delta.content:
                    yield chunk.delta.content

    def __aiter__(self) -> AsyncIterator[ChatChunk]:
        return self

    async def __anext__(self) -> ChatChunk:
        try:
            return await self._event_ch.recv()
        except aio.ChanClosed:
            pass
        # Raised outside of the handler: the error keeps its own cause and doesn't point at the channel.
        if not self._task.cancelled() and (error := self._task.exception()) is not None:
            raise error
        raise StopAsyncIteration

    async def __aenter__(self) -> LLMStream:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _main_task(self) -> None:
        options = self._conn_options
        for attempt in range(options.max_retry + 1):
            try:
                return await self._run()
            except APIStatusError as e:
                if e.status_code == _CLIENT_CLOSED_REQUEST:
                    return None
                await self.__retry_or_raise(e, attempt)
            except APIError as e:
                await self.__retry_or_raise(e, attempt)
            except Exception as e:
                self._emit_error(e, recoverable=False)
                raise

    async def __retry_or_raise(self, error: APIError, attempt: int) -> None:
        """Wait until the next attempt, or raise if there is none."""
        options = self._conn_options
        if self._event_ch.first_response is not None and not self._retry_on_chunk_sent:
            error.retryable = False  # the caller can't take back what it has already
        asked_for = (isinstance(error, APIStatusError) and error.retry_after) or 0.0
        if asked_for > options.timeout:
            error.retryable = False  # nobody in a conversation waits that long
        retry = error.retryable and attempt < options.max_retry
        self._emit_error(error, recoverable=retry)
        if not error.retryable or options.max_retry == 0:
            raise error
        if not retry:
            raise APIConnectionError(f"{self._llm.label} failed {attempt + 1} times: {error}") from error
        interval = max(options.interval_for(attempt), asked_for)
        logger.warning("%s failed, trying again in %s s: %s", self._llm.label, interval, error)
        await asyncio.sleep(interval)

    def _emit_error(self, error: Exception, *, recoverable: bool) -> None:
        self._llm.emit(
            "error",
            LLMError(timestamp=time.time(), label=self._llm.label, error=error, recoverable=recoverable),
        )

    def __on_done(self, task: asyncio.Task[None]) -> None:
        # Whoever iterates gets the exception; reading it here keeps asyncio from reporting one that nobody waits for.
        failed = not task.cancelled() and task.exception() is not None
        if not failed and self._event_ch.received:
            self.__report_metrics(cancelled=task.cancelled())
        self._event_ch.close()

    def __report_metrics(self, *, cancelled: bool) -> None:
        if not (self._reports_metrics and self._llm.has_listeners("metrics_collected")):
            return
        channel, usage = self._event_ch, self._event_ch.usage
        duration = channel.loop.time() - channel.started
        metrics = LLMMetrics(
            label=self._llm.label,
            request_id=channel.request_id,
            timestamp=time.time(),
            duration=duration,
            ttft=-1.0 if channel.first_response is None else channel.first_response - channel.started,
            cancelled=cancelled,
            completion_tokens=usage.completion_tokens if usage else 0,
            prompt_tokens=usage.prompt_tokens if usage else 0,
            prompt_cached_tokens=usage.prompt_cached_tokens if usage else 0,
            cache_creation_tokens=usage.cache_creation_tokens if usage else 0,
            reasoning_tokens=usage.reasoning_tokens if usage else 0,
            total_tokens=usage.total_tokens if usage else 0,
            tokens_per_second=usage.completion_tokens / duration if usage and duration > 0 else 0.0,
            metadata=Metadata(model_name=self._llm.model, model_provider=self._llm.provider),
        )
        self._llm.emit("metrics_collected", metrics)


class _ChunkChannel(aio.Chan[ChatChunk]):
    """Chunks on their way to the caller, and what metrics tell about them. Times are the event loop's."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.get_running_loop()
        self.started = self.loop.time()
        self.first_response: float | None = None
        """When the first text or tool call was sent."""
        self.received = False
        self.request_id = ""
        self.usage: CompletionUsage | None = None

    def send_nowait(self, value: ChatChunk) -> None:
        super().send_nowait(value)
        self.received = True
        self.request_id = value.id or self.request_id
        if value.usage is not None:
            self.usage = value.usage
        if self.first_response is None and value.has_response():
            self.first_response = self.loop.time()
