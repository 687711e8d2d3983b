"""Several language models behind one: the first that is up answers."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from agent_runtime.clock import Clock
from agent_runtime.errors import APIConnectionError, APITimeoutError
from agent_runtime.llm.chat_chunk import ChatChunk
from agent_runtime.llm.chat_context import ChatContext
from agent_runtime.llm.chat_items import MetricsMetadata
from agent_runtime.llm.llm import LLM, LLMStream
from agent_runtime.llm.tool_context import ToolChoice
from agent_runtime.types import DEFAULT_API_CONNECT_OPTIONS, NOT_GIVEN, APIConnectOptions, NotGivenOr
from agent_runtime.utils import aio
from agent_runtime.utils.circuit_breaker import CircuitBoard, CircuitBreaker
from agent_tools import Tool

logger = logging.getLogger(__name__)

DEFAULT_FALLBACK_API_CONNECT_OPTIONS: Final = APIConnectOptions(
    max_retry=0, timeout=DEFAULT_API_CONNECT_OPTIONS.timeout
)


@dataclass
class AvailabilityChangedEvent:
    """A model went down or came back."""

    llm: LLM[Any]
    available: bool


@dataclass
class _Member:
    llm: LLM[Any]
    breaker: CircuitBreaker
    probe: asyncio.Task[None] | None = None


class FallbackAdapter(LLM[Literal["llm_availability_changed"]]):
    """Asks the first model of a list, and the next one when that fails.

    A model that failed is skipped from then on. It is probed in the background, with the request that it failed or
    missed, and used again once it answers. If all are down, each is asked all the same.

    Event besides those of `LLM`: `llm_availability_changed` (`AvailabilityChangedEvent`). `metrics_collected` are those
    of the models. They aren't closed by `aclose`.

    Args:
        llm: the models, best first.
        attempt_timeout: seconds that a model may take for its next chunk, the first included.
        max_retry_per_llm: how often a model is asked again before the next one is.
        retry_interval: seconds between these.
        retry_on_chunk_sent: ask the next model even if the one that failed has said something already.
        sticky: stay with a model until it fails, even if a better one is back.
        clock: what the pauses between probes are measured with.
    """

    def __init__(
        self,
        llm: list[LLM[Any]],
        *,
        attempt_timeout: float = 5.0,
        max_retry_per_llm: int = 0,
        retry_interval: float = 0.5,
        retry_on_chunk_sent: bool = False,
        sticky: bool = False,
        clock: Clock | None = None,
    ) -> None:
        if not llm:
            raise ValueError("at least one LLM is needed")
        super().__init__()
        self.circuits = CircuitBoard()
        self._members = [_Member(model, self.circuits.add(model, CircuitBreaker(clock=clock))) for model in llm]
        self._attempt_timeout = attempt_timeout
        self._max_retry_per_llm = max_retry_per_llm
        self._retry_interval = retry_interval
        self._retry_on_chunk_sent = retry_on_chunk_sent
        self._sticky = sticky
        self._served_last = self._members[0]
        for member in self._members:
            member.llm.on("metrics_collected", self._forward_metrics)

    @property
    def model(self) -> str:
        """The model that is asked next."""
        return self._next.llm.model

    @property
    def provider(self) -> str:
        """The provider that is asked next."""
        return self._next.llm.provider

    @property
    def metrics_metadata(self) -> MetricsMetadata:
        """Of the model that answered last."""
        return self._served_last.llm.metrics_metadata

    def chat(
        self,
        *,
        chat_ctx: ChatContext,
        tools: list[Tool] | None = None,
        conn_options: APIConnectOptions = DEFAULT_FALLBACK_API_CONNECT_OPTIONS,
        parallel_tool_calls: NotGivenOr[bool] = NOT_GIVEN,
        tool_choice: NotGivenOr[ToolChoice] = NOT_GIVEN,
        extra_kwargs: NotGivenOr[dict[str, Any]] = NOT_GIVEN,
    ) -> LLMStream:
        """See `LLM.chat`. `conn_options` tell how often the whole list is tried again."""
        return FallbackLLMStream(
            self,
            chat_ctx=chat_ctx,
            tools=tools or [],
            conn_options=conn_options,
            request={
                "parallel_tool_calls": parallel_tool_calls,
                "tool_choice": tool_choice,
                "extra_kwargs": extra_kwargs,
            },
        )

    def prewarm(self, *, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """Prewarm the first model; the others are not expected to be asked."""
        self._members[0].llm.prewarm(loop=loop)

    async def aclose(self) -> None:
        """Stop probing and forwarding metrics."""
        for member in self._members:
            member.llm.off("metrics_collected", self._forward_metrics)
        await aio.cancel_and_wait(*(member.probe for member in self._members if member.probe is not None))
        await super().aclose()

    @property
    def _next(self) -> _Member:
        return next((member for member in self._order() if member.breaker.available), self._members[0])

    def _order(self) -> list[_Member]:
        if not self._sticky or not self._served_last.breaker.available:
            return self._members
        return [self._served_last, *(member for member in self._members if member is not self._served_last)]

    def _forward_metrics(self, metrics: object) -> None:
        self.emit("metrics_collected", metrics)

    def _report_success(self, member: _Member) -> None:
        if member.breaker.record_success():
            logger.info("%s is back", member.llm.label)
            self.emit("llm_availability_changed", AvailabilityChangedEvent(member.llm, available=True))

    def _report_failure(self, member: _Member, error: Exception) -> None:
        if member.breaker.record_failure(str(error)):
            self.emit("llm_availability_changed", AvailabilityChangedEvent(member.llm, available=False))


class FallbackLLMStream(LLMStream):
    """See `FallbackAdapter`."""

    _reports_metrics = False  # the models report their own

    def __init__(
        self,
        llm: FallbackAdapter,
        *,
        chat_ctx: ChatContext,
        tools: list[Tool],
        conn_options: APIConnectOptions,
        request: dict[str, Any],
    ) -> None:
        super().__init__(llm, chat_ctx=chat_ctx, tools=tools, conn_options=conn_options)
        self._adapter = llm
        self._retry_on_chunk_sent = llm._retry_on_chunk_sent
        self._request = request

    async def _run(self) -> None:
        adapter = self._adapter
        # Nothing is lost by asking a model that is thought to be down when every one is.
        all_down = not any(member.breaker.available for member in adapter._members)
        problems: list[str] = []
        for member in list(adapter._order()):
            if not (all_down or member.breaker.available):
                problems.append(f"{member.llm.label}: skipped, it failed before")
                self._probe(member)
                continue
            try:
                await self._answer(member)
            except Exception as e:
                logger.warning("%s failed, asking the next model: %s", member.llm.label, e)
                problems.append(f"{member.llm.label}: {e}")
                adapter._report_failure(member, e)
                self._probe(member)
                if self._event_ch.first_response is not None and not self._retry_on_chunk_sent:
                    raise
            else:
                adapter._report_success(member)
                return
        raise APIConnectionError(f"no language model answered: {'; '.join(problems)}")

    async def _answer(self, member: _Member) -> None:
        async for chunk in self._chunks(member.llm):
            self._adapter._served_last = member
            self._event_ch.send_nowait(chunk)

    async def _chunks(self, llm: LLM[Any]) -> AsyncIterator[ChatChunk]:
        """A model's answer. Raises `APITimeoutError` where it makes one wait too long."""
        adapter = self._adapter
        options = dataclasses.replace(
            self._conn_options,
            max_retry=adapter._max_retry_per_llm,
            timeout=adapter._attempt_timeout,
            retry_interval=adapter._retry_interval,
        )
        # A model whose own timeout doesn't work is left after all its attempts could have timed out.
        pauses = sum(options.interval_for(attempt) for attempt in range(options.max_retry))
        patience = options.timeout * (options.max_retry + 1) + pauses
        async with llm.chat(
            chat_ctx=self._chat_ctx, tools=self._tools, conn_options=options, **self._request
        ) as stream:
            stream._retry_on_chunk_sent = adapter._retry_on_chunk_sent
            while True:
                try:
                    async with asyncio.timeout(patience):
                        chunk = await anext(stream)
                except StopAsyncIteration:
                    return
                except TimeoutError:
                    raise APITimeoutError(f"{llm.label} sent nothing for {patience:g} s") from None
                yield chunk

    def _probe(self, member: _Member) -> None:
        if member.breaker.begin_probe():
            member.probe = asyncio.create_task(self._run_probe(member), name=f"{member.llm.label} probe")

    async def _run_probe(self, member: _Member) -> None:
        try:
            async for _ in self._chunks(member.llm):
                pass
        except Exception as e:
            logger.warning("%s is still down: %s", member.llm.label, e)
            self._adapter._report_failure(member, e)
        except asyncio.CancelledError:
            member.breaker.abandon_probe()
            raise
        else:
            self._adapter._report_success(member)
