"""A language model that does what it is told, attempt by attempt."""

import asyncio
from collections.abc import Callable
from typing import Any

from agent_runtime.llm import LLM, ChatChunk, ChatContext, ChoiceDelta, CompletionUsage, FunctionToolCall, LLMStream
from agent_runtime.types import DEFAULT_API_CONNECT_OPTIONS, APIConnectOptions

USAGE = CompletionUsage(completion_tokens=10, prompt_tokens=7, prompt_cached_tokens=3, total_tokens=17)


def text(content: str, request_id: str = "r1") -> ChatChunk:
    return ChatChunk(id=request_id, delta=ChoiceDelta(role="assistant", content=content))


def call(name: str, arguments: str = "{}", call_id: str = "c1") -> ChatChunk:
    return ChatChunk(
        id="r1", delta=ChoiceDelta(tool_calls=[FunctionToolCall(name=name, arguments=arguments, call_id=call_id)])
    )


def usage() -> ChatChunk:
    return ChatChunk(id="r1", usage=USAGE)


class FakeLLM(LLM[str]):
    """Each attempt takes the next list of steps, the last one for ever: chunks, seconds to wait, exceptions."""

    def __init__(self, *attempts: list[Any], name: str = "fake") -> None:
        super().__init__()
        self.attempts = list(attempts)
        self.started_at: list[float] = []
        self.offered: list[list[Any]] = []
        self.requests: list[dict[str, Any]] = []
        self.seen: dict[str, list[Any]] = {"metrics_collected": [], "error": []}
        self._label = name
        for event, seen in self.seen.items():
            self.on(event, seen.append)

    @property
    def model(self) -> str:
        return self._label

    def chat(
        self,
        *,
        chat_ctx: ChatContext,
        tools: list[Any] | None = None,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
        **request: Any,
    ) -> LLMStream:
        self.offered.append(tools or [])
        self.requests.append({"conn_options": conn_options, **request})
        return FakeStream(self, chat_ctx=chat_ctx, tools=tools or [], conn_options=conn_options)

    def ask(self, **options: Any) -> LLMStream:
        return self.chat(chat_ctx=ChatContext.empty(), **options)


class FakeStream(LLMStream):
    async def _run(self) -> None:
        assert isinstance(self._llm, FakeLLM)
        self._llm.started_at.append(asyncio.get_running_loop().time())
        attempts = self._llm.attempts
        for step in attempts.pop(0) if len(attempts) > 1 else attempts[0]:
            if isinstance(step, Exception):
                raise step
            if isinstance(step, ChatChunk):
                self._event_ch.send_nowait(step)
            else:
                await asyncio.sleep(step)


def record(emitter: Any, event: str) -> list[Any]:
    """A list that grows with the payloads of an event."""
    seen: list[Any] = []
    callback: Callable[[Any], None] = seen.append
    emitter.on(event, callback)
    return seen
