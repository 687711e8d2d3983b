"""Has models read what was said while nobody waits for them, so that the next answer begins sooner."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from agent_runtime.errors import APIError
from agent_runtime.llm import ChatMessage
from agent_runtime.providers.loading import Primable

if TYPE_CHECKING:
    from agent_runtime.voice.events import ConversationItemAddedEvent
    from agent_runtime.voice.session import AgentSession

logger = logging.getLogger(__name__)


class ReadAhead:
    """Primes `models` with the conversation: at once, and each time that the agent has said something.

    Reading costs an embedded model milliseconds a token. What it said itself it knows, but not a tool's result that was
    spoken without it, the end that an interruption left, or all that is left once older turns no longer fit.
    """

    def __init__(self, session: AgentSession[Any], models: Sequence[Primable]) -> None:
        self._session = session
        self._models = models
        self._said = asyncio.Event()
        self._said.set()

    async def run(self) -> None:
        """Go on until cancelled."""
        self._session.on("conversation_item_added", self._added)
        try:
            while True:
                await self._said.wait()
                self._said.clear()
                for model in self._models:
                    await self._prime(model)
        finally:
            self._session.off("conversation_item_added", self._added)

    async def _prime(self, model: Primable) -> None:
        try:
            await model.prime(self._session.current_agent.chat_ctx)
        except APIError as exc:  # the next answer reads it then, and tells what is wrong if it still is
            logger.warning("the conversation can't be read ahead: %s", exc.message)

    def _added(self, event: ConversationItemAddedEvent) -> None:
        if isinstance(event.item, ChatMessage) and event.item.role == "assistant":
            self._said.set()
