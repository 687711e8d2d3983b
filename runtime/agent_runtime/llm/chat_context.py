"""A conversation, in the order of time, and what one does with it before it goes to a model."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, NoReturn, SupportsIndex, overload

from pydantic import TypeAdapter

from agent_runtime.llm import provider_format
from agent_runtime.llm.chat_items import (
    AgentConfigUpdate,
    AgentHandoff,
    AudioContent,
    ChatContent,
    ChatItem,
    ChatMessage,
    ChatRole,
    FunctionCall,
    FunctionCallOutput,
    ImageContent,
    MetricsReport,
)
from agent_runtime.llm.instructions import DYNAMIC_INSTRUCTIONS_MESSAGE_ID, Instructions
from agent_runtime.types import NOT_GIVEN, NotGivenOr, is_given
from agent_tools import FunctionTool, RawFunctionTool, Tool, Toolset

if TYPE_CHECKING:
    from livekit.protocol.agent_pb import agent_session

_FUNCTION_ITEMS = (FunctionCall, FunctionCallOutput)


class ChatContext:
    """The items of a conversation, oldest first."""

    def __init__(self, items: NotGivenOr[list[ChatItem]] = NOT_GIVEN) -> None:
        self._items: list[ChatItem] = items if is_given(items) else []

    @classmethod
    def empty(cls) -> ChatContext:
        """One without items."""
        return cls([])

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> ChatContext:
        """Read what `to_dict` wrote. Raises `pydantic.ValidationError`."""
        return cls(_items_adapter().validate_python(data["items"]))

    @property
    def items(self) -> list[ChatItem]:
        """The items themselves, not a copy."""
        return self._items

    @items.setter
    def items(self, items: list[ChatItem]) -> None:
        self._items = items

    @property
    def readonly(self) -> bool:
        """Whether changing it raises RuntimeError."""
        return False

    def messages(self) -> list[ChatMessage]:
        """Its messages, without calls, outputs and changes of the agent."""
        return [item for item in self._items if isinstance(item, ChatMessage)]

    def get_by_id(self, item_id: str) -> ChatItem | None:
        """The item of that id."""
        index = self.index_by_id(item_id)
        return None if index is None else self._items[index]

    def index_by_id(self, item_id: str) -> int | None:
        """Where the item of that id is. It looks from the end, where the items are that people ask for."""
        for index in range(len(self._items) - 1, -1, -1):
            if self._items[index].id == item_id:
                return index
        return None

    def add_message(
        self,
        *,
        role: ChatRole,
        content: Sequence[ChatContent] | str | Instructions,
        id: NotGivenOr[str] = NOT_GIVEN,
        interrupted: NotGivenOr[bool] = NOT_GIVEN,
        created_at: NotGivenOr[float] = NOT_GIVEN,
        metrics: NotGivenOr[MetricsReport] = NOT_GIVEN,
        extra: NotGivenOr[dict[str, Any]] = NOT_GIVEN,
    ) -> ChatMessage:
        """Make a message and put it at the end, or where it belongs if its time is given."""
        given: dict[str, Any] = {
            name: value
            for name, value in (
                ("id", id),
                ("interrupted", interrupted),
                ("created_at", created_at),
                ("metrics", metrics),
                ("extra", extra),
            )
            if is_given(value)
        }
        if isinstance(content, Instructions):
            content = content.render()
        parts: list[ChatContent] = [content] if isinstance(content, str) else list(content)
        message = ChatMessage(role=role, content=parts, **given)
        if is_given(created_at):
            self.insert(message)
        else:
            self._items.append(message)
        return message

    def insert(self, item: ChatItem | Sequence[ChatItem]) -> None:
        """Put items where they belong by the time of their creation; after those of the same time."""
        for new in item if isinstance(item, Sequence) else (item,):
            self._items.insert(self.find_insertion_index(created_at=new.created_at), new)

    def find_insertion_index(self, *, created_at: float) -> int:
        """Where an item of that time (seconds since the epoch) belongs."""
        for index in range(len(self._items), 0, -1):
            if self._items[index - 1].created_at <= created_at:
                return index
        return 0

    def remove(self, item: ChatItem | str) -> None:
        """Take out an item, given itself or by its id. Raises ValueError if it isn't there."""
        item_id = item if isinstance(item, str) else item.id
        index = self.index_by_id(item_id)
        if index is None:
            raise ValueError(f"there is no item {item_id!r} in the chat context")
        del self._items[index]

    def copy(
        self,
        *,
        exclude_function_call: bool = False,
        exclude_instructions: bool = False,
        exclude_empty_message: bool = False,
        exclude_handoff: bool = False,
        exclude_config_update: bool = False,
        tools: NotGivenOr[Sequence[Tool | Toolset | str]] = NOT_GIVEN,
    ) -> ChatContext:
        """A context of the same items, which aren't copied themselves, without those that are excluded.

        With `tools`, calls and outputs of any other tool are left out.
        """
        kept: Iterable[ChatItem] = self._items
        excluded = _excluded_types(exclude_function_call, exclude_handoff, exclude_config_update)
        if excluded:
            kept = [item for item in kept if not isinstance(item, excluded)]
        if exclude_instructions:
            kept = [item for item in kept if not _is_instructions(item)]
        if exclude_empty_message:
            kept = [item for item in kept if not (isinstance(item, ChatMessage) and not item.content)]
        if is_given(tools):
            kept = _of_tools(kept, set(_tool_names(tools)))
        return ChatContext(list(kept))

    def truncate(self, *, max_items: int) -> ChatContext:
        """Keep the last `max_items` items, in place.

        The instructions at the beginning are kept besides. The rest doesn't start with a tool call or an output, and
        holds no output whose call is gone: providers refuse both. Raises ValueError if `max_items` is negative.
        """
        if max_items < 0:
            raise ValueError(f"max_items is {max_items}; it must be 0 or more")
        if len(self._items) <= max_items:
            return self
        instructions = self._leading_instructions()
        kept = self._items[len(self._items) - max_items :]
        first = next((i for i, item in enumerate(kept) if not isinstance(item, _FUNCTION_ITEMS)), len(kept))
        kept = _without_orphans(kept[first:])
        kept_ids = {item.id for item in kept}
        self._items[:] = [item for item in instructions if item.id not in kept_ids] + kept
        return self

    def merge(
        self,
        other_chat_ctx: ChatContext,
        *,
        exclude_function_call: bool = False,
        exclude_instructions: bool = False,
        exclude_config_update: bool = False,
    ) -> ChatContext:
        """Put the items of another context where they belong by time, in place, but those that are here already."""
        excluded = _excluded_types(exclude_function_call, False, exclude_config_update)
        known = {item.id for item in self._items}
        for item in other_chat_ctx.items:
            if item.id in known or isinstance(item, excluded) or (exclude_instructions and _is_instructions(item)):
                continue
            known.add(item.id)
            self.insert(item)
        return self

    def is_equivalent(self, other: ChatContext) -> bool:
        """Whether both say the same: equal ids, types and content, whatever the times and measurements."""
        if self is other:
            return True
        if len(self._items) != len(other._items):
            return False
        # Each turn asks it of a context and its copy, which share their items: a long history has to cost little.
        different = [(a, b) for a, b in zip(self._items, other._items, strict=True) if a is not b]
        return all(a.id == b.id and a.type == b.type and a.essence() == b.essence() for a, b in different)

    def to_dict(
        self,
        *,
        exclude_image: bool = True,
        exclude_audio: bool = True,
        exclude_timestamp: bool = True,
        exclude_function_call: bool = False,
        exclude_metrics: bool = False,
        exclude_config_update: bool = False,
        strip_markup: bool = False,
    ) -> dict[str, Any]:
        """Plain data that can be written as JSON and read with `from_dict`: `{"items": [...]}`.

        `strip_markup` takes the marks that say how a text is spoken out of what the agent said.
        """
        fields = {name for name, out in (("created_at", exclude_timestamp), ("metrics", exclude_metrics)) if out}
        media: tuple[type, ...] = (
            *([ImageContent] if exclude_image else []),
            *([AudioContent] if exclude_audio else []),
        )
        excluded = _excluded_types(exclude_function_call, False, exclude_config_update)
        dicts = []
        for item in self._items:
            if isinstance(item, excluded):
                continue
            if media and isinstance(item, ChatMessage) and any(isinstance(part, media) for part in item.content):
                item = item.model_copy(update={"content": [p for p in item.content if not isinstance(p, media)]})
            if strip_markup:
                item = _without_markup(item)
            dicts.append(item.model_dump(mode="json", exclude_none=True, exclude=fields))
        return {"items": dicts}

    def to_proto(self) -> agent_session.ChatContext:
        """The protocol's message of it, as LiveKit's server and its clients read it; images and sound are left out."""
        from agent_runtime.llm.wire_format import encode

        return encode(self._items)

    @overload
    def to_provider_format(
        self, format: Literal["openai", "openai.responses"], **options: Any
    ) -> tuple[list[dict[str, Any]], None]: ...

    @overload
    def to_provider_format(
        self, format: Literal["anthropic"], **options: Any
    ) -> tuple[list[dict[str, Any]], provider_format.AnthropicFormatData]: ...

    @overload
    def to_provider_format(
        self, format: Literal["google"], **options: Any
    ) -> tuple[list[dict[str, Any]], provider_format.GoogleFormatData]: ...

    @overload
    def to_provider_format(self, format: str, **options: Any) -> tuple[list[dict[str, Any]], Any]: ...

    def to_provider_format(self, format: str, **options: Any) -> tuple[list[dict[str, Any]], Any]:
        """The messages as a vendor's API takes them, and what goes elsewhere in the request.

        Formats: `openai` (Chat Completions), `openai.responses`, `anthropic`, `google`, `aws` (Bedrock's Converse) and
        `mistralai` (Conversations). With `inject_dummy_user_message=False`, no user message is made up where a vendor
        demands one and there is none. A tool call without an output, or an output without a call, is left out. Raises
        ValueError for an unknown format.
        """
        return provider_format.convert(self._items, format, **options)

    def _leading_instructions(self) -> list[ChatItem]:
        first = next((i for i, item in enumerate(self._items) if _is_instructions(item)), None)
        if first is None:
            return []
        follows = self._items[first + 1 : first + 2]
        dynamic = [item for item in follows if item.id == DYNAMIC_INSTRUCTIONS_MESSAGE_ID]
        return [self._items[first], *dynamic]


class ReadOnlyChatContext(ChatContext):
    """A snapshot of a context that can't be changed; its items are the same objects."""

    def __init__(self, items: Iterable[ChatItem]) -> None:
        super().__init__(_FrozenList(items))

    @property
    def items(self) -> list[ChatItem]:
        """The items, in a list that raises RuntimeError when it is changed."""
        return self._items

    @items.setter
    def items(self, items: list[ChatItem]) -> None:
        _refuse()

    @property
    def readonly(self) -> bool:
        """True."""
        return True


def _refuse(*_: Any, **__: Any) -> NoReturn:
    raise RuntimeError("this chat context is read-only: change a `.copy()` of it and call `update_chat_ctx` with that")


class _FrozenList(list[ChatItem]):
    append = extend = insert = pop = remove = clear = sort = reverse = _refuse
    __delitem__ = __iadd__ = __imul__ = _refuse

    def __setitem__(self, key: SupportsIndex | slice, value: Any) -> NoReturn:
        _refuse()

    def copy(self) -> list[ChatItem]:
        return list(self)


def _without_markup(item: ChatItem) -> ChatItem:
    if not isinstance(item, ChatMessage) or item.role != "assistant":
        return item
    from agent_runtime.tts.markup import strip_markup

    content = [strip_markup(part) if isinstance(part, str) else part for part in item.content]
    return item.model_copy(update={"content": content})


def _excluded_types(function_call: bool, handoff: bool, config_update: bool) -> tuple[type, ...]:
    types: tuple[type, ...] = _FUNCTION_ITEMS if function_call else ()
    types += (AgentHandoff,) if handoff else ()
    return types + ((AgentConfigUpdate,) if config_update else ())


def _is_instructions(item: ChatItem) -> bool:
    return isinstance(item, ChatMessage) and item.role in ("system", "developer")


def _tool_names(tools: Iterable[Tool | Toolset | str]) -> Iterator[str]:
    for tool in tools:
        if isinstance(tool, str):
            yield tool
        elif isinstance(tool, FunctionTool | RawFunctionTool):
            yield tool.info.name
        elif isinstance(tool, Toolset):
            yield from _tool_names(tool.tools)


def _of_tools(items: Iterable[ChatItem], names: set[str]) -> list[ChatItem]:
    # An output needn't have a name; then its call tells.
    items = list(items)
    call_ids = {item.call_id for item in items if isinstance(item, FunctionCall) and item.name in names}
    return [
        item
        for item in items
        if not isinstance(item, _FUNCTION_ITEMS) or (item.name in names if item.name else item.call_id in call_ids)
    ]


def _without_orphans(items: list[ChatItem]) -> list[ChatItem]:
    call_ids = {item.call_id for item in items if isinstance(item, FunctionCall)}
    return [item for item in items if not isinstance(item, FunctionCallOutput) or item.call_id in call_ids]


@functools.cache
def _items_adapter() -> TypeAdapter[list[ChatItem]]:
    return TypeAdapter(list[ChatItem])
