"""The conversation as the server has it, and what is on its way to change it."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

from agent_runtime.llm.chat_context import ChatContext
from agent_runtime.llm.chat_items import ChatItem, ChatMessage, FunctionCall
from agent_runtime.llm.realtime import RealtimeError
from agent_runtime.llm.remote_chat_context import RemoteChatContext
from agent_runtime.llm.utils import compute_chat_ctx_diff
from agent_runtime.providers.openai.json_values import as_dict, as_text
from agent_runtime.providers.openai.realtime.answers import Send
from agent_runtime.providers.openai.realtime.items import from_wire, to_wire
from agent_runtime.utils.ids import shortuuid

logger = logging.getLogger(__name__)

_CONFIRM_TIMEOUT: Final = 5.0
"""Seconds that the server has to take changes in."""
_IS_THERE: Final = "item_create_duplicate_item_id"


class Conversation:
    """A mirror of the server's conversation.

    Args:
        send: takes an event for the server.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._items = RemoteChatContext()
        self._waiting: dict[str, tuple[dict[str, Any], asyncio.Future[None]]] = {}
        self._sent: set[str] = set()
        self._lock = asyncio.Lock()

    def to_chat_ctx(self) -> ChatContext:
        """The conversation as it is now."""
        return self._items.to_chat_ctx()

    def get(self, item_id: str) -> ChatItem | None:
        """The item of that id."""
        found = self._items.get(item_id)
        return found.item if found is not None else None

    async def change(self, chat_ctx: ChatContext) -> None:
        """Have the server take another conversation in; what it has already isn't sent.

        Raises:
            RealtimeError: it doesn't confirm that in time. Items that it refuses are logged.
        """
        async with self._lock:
            loop = asyncio.get_running_loop()
            events = self.changes(chat_ctx)
            self._waiting = {event["event_id"]: (event, loop.create_future()) for event in events}
            futures = [future for _, future in self._waiting.values()]
            for event in events:
                self._send(event)
            try:
                async with asyncio.timeout(_CONFIRM_TIMEOUT):
                    results = await asyncio.gather(*futures, return_exceptions=True)
            except TimeoutError:
                raise RealtimeError(
                    f"the model didn't take the conversation in within {_CONFIRM_TIMEOUT:g} s"
                ) from None
            finally:
                self._waiting = {}
                self._sent.clear()
        for result in results:
            if isinstance(result, BaseException):
                logger.warning("the model refused an item of the conversation: %s", result)

    def changes(self, chat_ctx: ChatContext) -> list[dict[str, Any]]:
        """The events that make the server's conversation the given one."""
        there = self.to_chat_ctx()
        known = {item.id for item in there.items}
        wanted = ChatContext(
            [
                item
                for item in chat_ctx.copy(exclude_handoff=True, exclude_config_update=True).items
                # An empty message stands for one whose sound the server has, if it knows it, and else for none.
                if not isinstance(item, ChatMessage) or item.content or item.id in known
            ]
        )
        items = {item.id: item for item in wanted.items}
        diff = compute_chat_ctx_diff(there, wanted)
        events = [_delete(item_id) for item_id in diff.to_remove]
        events += _creations(diff.to_create, items)
        for before, item_id in diff.to_update:
            old = self.get(item_id)
            if isinstance(old, ChatMessage) and not old.content:
                continue  # its sound is there, and its words come later
            events += [_delete(item_id), *_creations([(before, item_id)], items)]
        return events

    def replay(self) -> list[dict[str, Any]]:
        """What gives a new connection the conversation of the one before, and what that one didn't confirm."""
        said, self._items = self.to_chat_ctx().copy(exclude_empty_message=True), RemoteChatContext()
        open_events = [event for event, future in self._waiting.values() if not future.done()]
        unconfirmed = [event for event in open_events if event["event_id"] in self._sent]
        return self.changes(said) + unconfirmed

    def sent(self, event: dict[str, Any]) -> None:
        """An event went out; a new connection may have to hear it again."""
        if (event_id := event.get("event_id")) in self._waiting:
            self._sent.add(event_id)

    def added(self, event: dict[str, Any]) -> tuple[str | None, ChatItem] | None:
        """The server has an item more: the id of the one before it, and the item; None for a kind unknown here."""
        data = as_dict(event.get("item"))
        before = as_text(event.get("previous_item_id")) or None
        if before is not None and self._items.get(before) is None:
            before = self._items.tail_id  # the server may name one that it has just deleted
        item = from_wire(data)
        if item is not None:
            try:
                self._items.insert(before, item)
            except ValueError as error:
                logger.warning("the model told of an item that doesn't fit: %s", error)
                item = None
        self._confirm("conversation.item.create", as_text(data.get("id")))
        return (before, item) if item is not None else None

    def deleted(self, item_id: str) -> None:
        """The server has an item less."""
        if self._items.get(item_id) is not None:
            self._items.delete(item_id)
        self._confirm("conversation.item.delete", item_id)

    def refused(self, event_id: str, error: RealtimeError) -> bool:
        """The server didn't take an event; whether it was one of ours. An item that it has already is what we want."""
        waiting = self._waiting.get(event_id)
        if waiting is None:
            return False
        if not waiting[1].done():
            if error.code == _IS_THERE:
                waiting[1].set_result(None)
            else:
                waiting[1].set_exception(error)
        return True

    def called(self, call: dict[str, Any]) -> None:
        """The arguments of a tool call are complete; the item was there before them."""
        item = self.get(as_text(call.get("id")))
        if isinstance(item, FunctionCall):
            item.arguments = as_text(call.get("arguments"))

    def said(self, item_id: str, text: str, confidence: float | None = None) -> None:
        """The words of a message of sound."""
        item = self.get(item_id)
        if isinstance(item, ChatMessage) and text:
            item.content.append(text)
            item.transcript_confidence = confidence

    def _confirm(self, kind: str, item_id: str) -> None:
        for event, future in self._waiting.values():
            about = event.get("item_id") or as_dict(event.get("item")).get("id")
            if event["type"] == kind and about == item_id and not future.done():
                future.set_result(None)


def _delete(item_id: str) -> dict[str, Any]:
    return {"type": "conversation.item.delete", "event_id": shortuuid("chat_ctx_delete_"), "item_id": item_id}


def _creations(places: list[tuple[str | None, str]], items: dict[str, ChatItem]) -> list[dict[str, Any]]:
    events = []
    for before, item_id in places:
        if (item := to_wire(items[item_id])) is not None:
            kind = {"type": "conversation.item.create", "event_id": shortuuid("chat_ctx_create_")}
            events.append({**kind, "previous_item_id": before or "root", "item": item})
    return events
