"""Names that files of `livekit-plugins-google` and `-baseten` import from inside of livekit-agents."""

from __future__ import annotations

from typing import Final, TypedDict

from agent_runtime.llm.chat_context import ChatContext
from agent_runtime.llm.chat_items import ChatRole
from agent_runtime.llm.instructions import DYNAMIC_INSTRUCTIONS_MESSAGE_ID
from agent_runtime.llm.provider_format.grouping import INLINE_INSTRUCTIONS, with_one_preamble
from agent_runtime.tts.markup import EXPR, MarkReplacer, mark_attributes
from agent_runtime.voice.agent import INSTRUCTIONS_ID

__all__ = [
    "_DEFAULT_INLINE_INSTRUCTIONS_TEMPLATE",
    "Mark",
    "convert_mid_conversation_instructions",
    "remove_instructions",
    "split_expr_markup",
]

_DEFAULT_INLINE_INSTRUCTIONS_TEMPLATE: Final = INLINE_INSTRUCTIONS


class Mark(TypedDict):
    """How something is to be said."""

    type: str
    """`expression`, `sound`, `break`, `prosody` or `spell`."""
    value: str


def convert_mid_conversation_instructions(
    chat_ctx: ChatContext,
    *,
    role: ChatRole = "user",
    template: str = INLINE_INSTRUCTIONS,
    merge_dynamic_instructions: bool = True,
) -> ChatContext:
    """The conversation with one system text at most, before all else; see `with_one_preamble`."""
    items = with_one_preamble(chat_ctx.items, merge_dynamic=merge_dynamic_instructions, role=role, template=template)
    return ChatContext(items)


def remove_instructions(chat_ctx: ChatContext) -> None:
    """Take the agent's instructions out of a conversation."""
    for item in list(chat_ctx.items):
        if item.id in (INSTRUCTIONS_ID, DYNAMIC_INSTRUCTIONS_MESSAGE_ID):
            chat_ctx.items.remove(item)


def split_expr_markup(text: str) -> tuple[str, list[Mark]]:
    """The text without `<expr>` marks, and those; a voice's own marks stay in the text."""
    found: list[Mark] = []

    def take(mark: str) -> str:
        attributes = mark_attributes(mark)
        if not mark.startswith("</"):
            found.append({"type": attributes.get("type", ""), "value": attributes.get("label", "").strip()})
        return ""

    marks = MarkReplacer((EXPR,), take)
    return marks.push(text) + marks.flush(), found
