"""One streamed chat completion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent_runtime.errors import APIConnectionError
from agent_runtime.llm import ChatChunk, ChatContext, ChoiceDelta, CompletionUsage, FunctionToolCall, LLMStream
from agent_runtime.providers.openai.thinking import ThinkingFilter
from agent_runtime.providers.openai.tool_calls import ToolCallAssembler
from agent_runtime.types import APIConnectOptions
from agent_tools import Tool

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletionChunk

    from agent_runtime.providers.openai.llm import LLM


class OpenAIStream(LLMStream):
    """See `LLMStream`. `request` holds the arguments of the API besides messages and tools."""

    def __init__(
        self,
        llm: LLM,
        *,
        chat_ctx: ChatContext,
        tools: list[Tool],
        conn_options: APIConnectOptions,
        request: dict[str, Any],
    ) -> None:
        super().__init__(llm, chat_ctx=chat_ctx, tools=tools, conn_options=conn_options)
        self._openai = llm
        self._request = request

    async def _run(self) -> None:
        answer = _Answer()
        try:
            async with await self._openai.create(
                self._request, self._chat_ctx, self._tools, self._conn_options
            ) as stream:
                async for chunk in stream:
                    for part in answer.read(chunk):
                        self._event_ch.send_nowait(part)
        except Exception as e:
            error = self._openai.translate(e, self._conn_options)
        else:
            for part in answer.finish():
                self._event_ch.send_nowait(part)
            if answer.began:
                return
            error = APIConnectionError(
                f"{self._openai.base_url} ended its answer before it began: check that it is an OpenAI-compatible API"
            )
        # Outside of the handler, so that a traceback shows one error and not the package's own beneath it.
        raise error


class _Answer:
    """Reads chunks as servers differ in sending them."""

    def __init__(self) -> None:
        self.began = False
        self._id = ""
        self._calls = ToolCallAssembler()
        self._thinking = ThinkingFilter()

    def read(self, chunk: ChatCompletionChunk) -> list[ChatChunk]:
        """What a chunk adds; nothing where it is only a keep-alive or a thought."""
        self._id = getattr(chunk, "id", None) or self._id
        parts: list[ChatChunk] = []
        # Only one answer is asked for. Azure sends a chunk without any first, others at the end with the usage.
        for choice in (getattr(chunk, "choices", None) or [])[:1]:
            self.began = True
            delta = getattr(choice, "delta", None)
            finished = getattr(choice, "finish_reason", None) is not None
            text = self._thinking.feed(_text(getattr(delta, "content", None)))
            calls = self._calls.feed(getattr(delta, "tool_calls", None) or [])
            if finished:
                text += self._thinking.finish()
                calls += self._calls.finish()
            extra = getattr(delta, "extra_content", None)
            parts += self._part(text, calls, extra if isinstance(extra, dict) else None)
        if (usage := getattr(chunk, "usage", None)) is not None:
            self.began = True
            parts.append(ChatChunk(id=self._id, usage=_usage(usage, getattr(chunk, "service_tier", None))))
        return parts

    def finish(self) -> list[ChatChunk]:
        """What is left where the server didn't say that the answer is finished."""
        return self._part(self._thinking.finish(), self._calls.finish(), None)

    def _part(self, text: str, calls: list[FunctionToolCall], extra: dict[str, Any] | None) -> list[ChatChunk]:
        if not (text or calls or extra):
            return []
        delta = ChoiceDelta(role="assistant", content=text or None, tool_calls=calls, extra=extra)
        return [ChatChunk(id=self._id, delta=delta)]


def _text(content: object) -> str:
    """Some servers send a list of parts, as the other direction allows."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str))
    return ""


def _usage(usage: Any, service_tier: str | None) -> CompletionUsage:
    prompt = getattr(usage, "prompt_tokens_details", None)
    completion = getattr(usage, "completion_tokens_details", None)
    cached = getattr(prompt, "cached_tokens", None) or 0
    prompt_tokens, completion_tokens = usage.prompt_tokens or 0, usage.completion_tokens or 0
    return CompletionUsage(
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        prompt_cached_tokens=cached,
        cache_read_tokens=cached,
        cache_creation_tokens=getattr(prompt, "cache_write_tokens", None) or 0,
        reasoning_tokens=getattr(completion, "reasoning_tokens", None) or 0,
        total_tokens=getattr(usage, "total_tokens", None) or prompt_tokens + completion_tokens,
        service_tier=service_tier,
    )
