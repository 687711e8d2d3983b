"""How many tokens a text is: by a provider's own tokenizer where it has one, else by a named estimate."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from agent_runtime.llm.chat_chunk import CompletionUsage
from agent_runtime.records import record
from agent_runtime.token_estimate import ESTIMATE, FRAME, estimate_tokens

if TYPE_CHECKING:
    from agent_runtime.llm.chat_context import ChatContext
    from agent_runtime.llm.chat_items import ChatItem


@record(frozen=True, slots=True)
class TokenCount:
    """How tokens are counted."""

    count: Callable[[str], int]
    """The tokens of a text."""
    name: str
    exact: bool
    frame: Callable[[str], int] = lambda role: FRAME
    """The tokens around a message of a role."""


@runtime_checkable
class CountsTokens(Protocol):
    """A language model that knows how its texts are cut."""

    async def token_count(self) -> TokenCount | None:
        """How to count, once that is ready; None where it turns out not to know."""
        ...


async def token_count(llm: Any) -> TokenCount:
    """How to count for a language model, which may be None."""
    own = await llm.token_count() if isinstance(llm, CountsTokens) else None
    return own or TokenCount(estimate_tokens, ESTIMATE, exact=False)


class UsageEstimate:
    """About what a session's requests use where the provider doesn't tell. What was sent before is counted once.

    The tools' schemas aren't counted: how a provider writes them down is its own affair.
    """

    def __init__(self) -> None:
        self._counted: list[ChatItem] = []
        self._tokens = 0

    def __call__(self, llm: Any, chat_ctx: ChatContext, answer: str) -> CompletionUsage:
        """The usage of a request that was answered so; nothing where there is no model."""
        if llm is None:
            return CompletionUsage(prompt_tokens=0, completion_tokens=0, total_tokens=0)
        prompt, completion = self._prompt(chat_ctx.items), estimate_tokens(answer)
        return CompletionUsage(prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion)

    def _prompt(self, items: list[ChatItem]) -> int:
        known = len(self._counted)
        if known > len(items) or not all(map(operator.is_, self._counted, items)):
            known, self._tokens = 0, 0
        self._tokens += sum(FRAME + estimate_tokens(text) for text in map(_text_of, items[known:]) if text is not None)
        self._counted = items[:]
        return self._tokens


def _text_of(item: ChatItem) -> str | None:
    """What is sent of an item; None for what is only a note in the history."""
    if item.type == "message":
        return item.text_content or ""
    if item.type == "function_call":
        return item.name + item.arguments
    return item.output if item.type == "function_call_output" else None
