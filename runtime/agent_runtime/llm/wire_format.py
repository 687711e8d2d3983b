"""A conversation as the messages of LiveKit's protocol."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from livekit.protocol.agent_pb import agent_session as proto

from agent_runtime.llm.chat_items import ChatItem, ChatMessage

_ROLES: Final = {
    "developer": proto.DEVELOPER,
    "system": proto.SYSTEM,
    "user": proto.USER,
    "assistant": proto.ASSISTANT,
}
_KINDS: Final[dict[str, type[Message]]] = {
    "function_call": proto.FunctionCall,
    "function_call_output": proto.FunctionCallOutput,
    "agent_handoff": proto.AgentHandoff,
    "agent_config_update": proto.AgentConfigUpdate,
}


def encode(items: Iterable[ChatItem]) -> proto.ChatContext:
    """The items of a conversation, in order."""
    return proto.ChatContext(items=[_item(item) for item in items])


def _item(item: ChatItem) -> proto.ChatContext.ChatItem:
    if isinstance(item, ChatMessage):
        texts = [proto.ChatMessage.ChatContent(text=part) for part in item.content if isinstance(part, str)]
        values = {**dict(item), "role": _ROLES[item.role], "content": texts}
        values["metrics"] = _filled(proto.MetricsReport, item.metrics)
        return proto.ChatContext.ChatItem(message=_filled(proto.ChatMessage, values))
    return proto.ChatContext.ChatItem(**{item.type: _filled(_KINDS[item.type], dict(item))})


def _filled(kind: type[Message], values: Mapping[str, Any]) -> Any:
    """A message of what it has fields for; what is None stays unset."""
    found: dict[str, Any] = {}
    for field in kind.DESCRIPTOR.fields:
        value = values.get(field.name)
        if value is None:
            continue
        of = field.message_type
        if of is not None and of.full_name == "google.protobuf.Timestamp":
            value = Timestamp(seconds=int(value // 1), nanos=int(value % 1 * 1e9))
        elif of is not None and of.GetOptions().map_entry:
            value = {key: str(inner) for key, inner in value.items()}
        found[field.name] = value
    return kind(**found)
