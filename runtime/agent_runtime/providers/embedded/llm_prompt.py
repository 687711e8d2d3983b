"""The prompt of the embedded model: ChatML, as short as the conversation allows, and stable from turn to turn."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from agent_runtime.records import record

if TYPE_CHECKING:
    from agent_runtime.llm import ChatContext, ChatItem

END = "<|im_end|>"
DEFAULT_INSTRUCTIONS = "You are a friendly voice assistant. Answer in one or two short sentences."

PROMPT_CHARACTERS = 2000
"""What a prompt may hold: about 500 tokens. So small a model makes nothing of more, and when older turns go, what is
left, half of it, is read again: a second on two cores, where a prompt of twice the size made people wait for two."""

QUESTION = 200
"""Characters that are kept free for the next question: a longer one may have the rest read again."""

Role = Literal["system", "user", "assistant"]


@record(frozen=True, slots=True)
class Turn:
    """One message of a prompt."""

    role: Role
    text: str

    def __str__(self) -> str:
        return f"<|im_start|>{self.role}\n{self.text}{END}\n"


def clean(text: str) -> str:
    """`text` without the marks that have a meaning in a prompt, so that no one can speak another's role."""
    return re.sub(r"<\|\s*(\w+)\s*\|>", r"\1", text).strip()


def turns_of(chat_ctx: ChatContext) -> list[Turn]:
    """The conversation as the model is shown it.

    A tool's call is left out: the model was never taught any. Its result is what the assistant knew when it spoke, so
    it stays only where the assistant has not put it in words yet.
    """
    turns: list[Turn] = []
    for item in chat_ctx.items:
        turn = _turn_of(item)
        if turn is not None:
            turns.append(turn)
    return turns


def _turn_of(item: ChatItem) -> Turn | None:
    if item.type != "message":
        return None
    text = clean(item.text_content or "")
    if not text:
        return None
    role: Role = item.role if item.role in ("user", "assistant") else "system"
    return Turn(role, text)


def fit(turns: Sequence[Turn], budget: int = PROMPT_CHARACTERS) -> list[Turn]:
    """The leading instructions and the latest turns that fit in `budget` characters; longer instructions are cut there.

    When the next question may make it too long, older turns go in one batch, down to half of the budget, each question
    with its answer. What goes depends on nothing but the conversation, and is known before the question is asked. So
    the next prompt begins like this one, and what was read ahead need not be read again.
    """
    head = [Turn("system", turns[0].text[:budget])] if turns and turns[0].role == "system" else []
    rest = turns[len(head) :]
    room = max(budget - sum(len(str(turn)) for turn in head), budget // 4)
    start = size = 0

    def drop(end: int) -> None:
        nonlocal start, size
        while start < end and (size > room // 2 or rest[start].role != "user"):
            size -= len(str(rest[start]))
            start += 1

    for index, turn in enumerate(rest):
        if turn.role == "user" and size > room - QUESTION:
            drop(index)
        size += len(str(turn))
        if turn.role == "user" and size > room:
            drop(index)
    if rest and rest[-1].role == "assistant" and size > room - QUESTION:
        drop(len(rest))
    return head + list(rest[start:])


def opening(turns: Sequence[Turn]) -> str:
    """What the prompt of the next question begins with, whatever is asked."""
    if not turns or turns[0].role != "system":
        turns = [Turn("system", DEFAULT_INSTRUCTIONS), *turns]
    return "".join(map(str, turns))


def render(turns: Sequence[Turn]) -> str:
    """The prompt: `turns`, then the opening of the assistant's answer."""
    return opening(turns) + "<|im_start|>assistant\n"
