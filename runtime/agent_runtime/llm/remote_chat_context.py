"""A conversation that a server holds, rebuilt here from what it tells: this item came after that one."""

from __future__ import annotations

from dataclasses import dataclass

from agent_runtime.llm.chat_context import ChatContext
from agent_runtime.llm.chat_items import ChatItem


@dataclass(frozen=True)
class RemoteChatItem:
    """Where an item of the server's is kept."""

    item: ChatItem


class RemoteChatContext:
    """Items in the server's order, each known by its id. For realtime models."""

    def __init__(self) -> None:
        self._ids: list[str] = []
        self._items: dict[str, RemoteChatItem] = {}

    def to_chat_ctx(self) -> ChatContext:
        """The conversation as it is now."""
        return ChatContext([self._items[item_id].item for item_id in self._ids])

    def get(self, item_id: str) -> RemoteChatItem | None:
        """The item of that id, in `.item`."""
        return self._items.get(item_id)

    @property
    def tail_id(self) -> str | None:
        """The last item's id; None while there is none."""
        return self._ids[-1] if self._ids else None

    def insert(self, previous_item_id: str | None, message: ChatItem) -> None:
        """Put an item after another, or before all (None).

        Raises:
            ValueError: it is there already, or the other isn't.
        """
        if message.id in self._items:
            raise ValueError(f"there is an item {message.id!r} already")
        at = 0 if previous_item_id is None else self._place(previous_item_id) + 1
        self._ids.insert(at, message.id)
        self._items[message.id] = RemoteChatItem(message)

    def delete(self, item_id: str) -> None:
        """Take an item out. Raises ValueError if it isn't there."""
        del self._ids[self._place(item_id)]
        del self._items[item_id]

    def _place(self, item_id: str) -> int:
        if item_id not in self._items:
            raise ValueError(f"there is no item {item_id!r}")
        return self._ids.index(item_id)
