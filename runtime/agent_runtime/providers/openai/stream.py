"""One streamed chat completion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent_runtime.errors import APIConnectionError
from agent_runtime.llm import ChatChunk, ChatContext, ChoiceDelta, CompletionUsage, FunctionToolCall, LLMStream
from agent_runtime.llm.thinking import ThinkingFilter
from agent_runtime.providers.openai.json_values import as_count, as_dict, as_list, as_text
from agent_runtime.providers.openai.tool_calls import ToolCallAssembler
from agent_runtime.types import APIConnectOptions
from agent_tools import Tool

if TYPE_CHECKING:
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
            error = self._openai.translate(e, self._openai._patience(self._conn_options))
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
    """Reads chunks, which are plain JSON, as servers differ in sending them; what isn't as it should be is skipped."""

    def __init__(self) -> None:
        self.began = False
        self._id = ""
        self._calls = ToolCallAssembler()
        self._thinking = ThinkingFilter()

    def read(self, chunk: object) -> list[ChatChunk]:
        """What a chunk adds; nothing where it is only a keep-alive or a thought."""
        fields = as_dict(chunk)
        self._id = as_text(fields.get("id")) or self._id
        parts: list[ChatChunk] = []
        # Only one answer is asked for. Azure sends a chunk without any first, others one at the end with the usage.
        for choice in map(as_dict, as_list(fields.get("choices"))[:1]):
            self.began = True
            delta = as_dict(choice.get("delta"))
            text = self._thinking.feed(_content(delta.get("content")))
            calls = self._calls.feed(as_list(delta.get("tool_calls")))
            if choice.get("finish_reason"):
                text += self._thinking.finish()
                calls += self._calls.finish()
            parts += self._part(text, calls, as_dict(delta.get("extra_content")) or None)
        if usage := as_dict(fields.get("usage")):
            self.began = True
            parts.append(ChatChunk(id=self._id, usage=_usage(usage, as_text(fields.get("service_tier")) or None)))
        return parts

    def finish(self) -> list[ChatChunk]:
        """What is left where the server didn't say that the answer is finished."""
        return self._part(self._thinking.finish(), self._calls.finish(), None)

    def _part(self, text: str, calls: list[FunctionToolCall], extra: dict[str, Any] | None) -> list[ChatChunk]:
        if not (text or calls or extra):
            return []
        delta = ChoiceDelta(role="assistant", content=text or None, tool_calls=calls, extra=extra)
        return [ChatChunk(id=self._id, delta=delta)]


def _content(content: object) -> str:
    """Some servers send a list of parts, as the other direction allows."""
    if isinstance(content, list):
        return "".join(as_text(as_dict(part).get("text")) for part in content)
    return as_text(content)


def _usage(usage: dict[str, Any], service_tier: str | None) -> CompletionUsage:
    prompt, completion = as_dict(usage.get("prompt_tokens_details")), as_dict(usage.get("completion_tokens_details"))
    cached = as_count(prompt.get("cached_tokens"))
    prompt_tokens, completion_tokens = as_count(usage.get("prompt_tokens")), as_count(usage.get("completion_tokens"))
    return CompletionUsage(
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        prompt_cached_tokens=cached,
        cache_read_tokens=cached,
        cache_creation_tokens=as_count(prompt.get("cache_write_tokens")),
        reasoning_tokens=as_count(completion.get("reasoning_tokens")),
        total_tokens=as_count(usage.get("total_tokens")) or prompt_tokens + completion_tokens,
        service_tier=service_tier,
    )
