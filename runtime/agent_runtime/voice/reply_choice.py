"""Which tools a reply may call that the agent's own code asks for."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from agent_runtime.llm import AgentHandoff, ChatContext, ChatMessage, ToolChoice
from agent_runtime.types import NOT_GIVEN, NotGivenOr
from agent_runtime.voice.run_context import current_run_context

if TYPE_CHECKING:
    from agent_runtime.voice.session import AgentSession

logger = logging.getLogger(__name__)

CIRCLE: Final = 8
"""Handoffs in a row, without a word of anybody's, after which an agent has to answer the user itself."""


def given_choice(choice: NotGivenOr[ToolChoice], session: AgentSession[Any]) -> NotGivenOr[ToolChoice]:
    """What a reply without the user's words may call, unless it says so itself.

    None if a tool has it said, which might call itself; and none where agents do nothing but hand over to each other,
    each having its model answer what the user said to the one before.
    """
    if choice is not NOT_GIVEN:
        return choice
    context = current_run_context()
    if context is not None and context.session is session:
        return "none"
    if goes_in_circles(session.history):
        logger.warning("agents handed over %d times and nobody said a word: this one answers without its tools", CIRCLE)
        return "none"
    return choice


def goes_in_circles(history: ChatContext) -> bool:
    """Whether so many handoffs were the last that happened, but for the calls that made them."""
    count = 0
    for item in reversed(history.items):
        if isinstance(item, ChatMessage):
            return False
        count += isinstance(item, AgentHandoff)
        if count >= CIRCLE:
            return True
    return False
