"""Tool calls put together from the pieces in which servers stream them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from agent_runtime.llm import FunctionToolCall
from agent_runtime.providers.openai.json_values import as_dict, as_text
from agent_runtime.utils import shortuuid


@dataclass
class _Partial:
    index: object
    call_id: str
    name: str
    arguments: str
    extra: dict[str, Any] | None

    def complete(self) -> FunctionToolCall:
        return FunctionToolCall(
            name=self.name,
            arguments=self.arguments or "{}",
            call_id=self.call_id or shortuuid("call_"),
            extra=self.extra,
        )


class ToolCallAssembler:
    """Takes the `tool_calls` of each delta and gives each call once it has all of its arguments.

    OpenAI numbers calls by `index` and sends their id and name once. Others number every call 0, give no index, send no
    id, repeat the name with every piece, or send a call whole; so a piece begins another call if its index, its id or
    its name is new, or if it names a function after the arguments of the call before were complete.
    """

    def __init__(self) -> None:
        self._current: _Partial | None = None

    def feed(self, pieces: Iterable[Any]) -> list[FunctionToolCall]:
        """The calls that are complete now because another began."""
        completed: list[FunctionToolCall] = []
        for piece in map(as_dict, pieces):
            function = as_dict(piece.get("function"))
            index, call_id = piece.get("index"), as_text(piece.get("id"))
            name, arguments = as_text(function.get("name")), _arguments(function.get("arguments"))
            current = self._current
            if current is None or self._begins_another(current, index, call_id, name):
                completed += self.finish()
                self._current = _Partial(index, call_id, name, arguments, as_dict(piece.get("extra_content")) or None)
                continue
            current.call_id = current.call_id or call_id
            current.name = current.name or name
            current.arguments += arguments
        return completed

    def finish(self) -> list[FunctionToolCall]:
        """The last call, at the end of the answer; no more than one. A piece that never got a name is dropped."""
        current, self._current = self._current, None
        return [current.complete()] if current is not None and current.name else []

    @staticmethod
    def _begins_another(current: _Partial, index: object, call_id: str, name: str) -> bool:
        if index is not None and current.index is not None and index != current.index:
            return True
        if call_id and current.call_id and call_id != current.call_id:
            return True
        if not name or not current.name:
            return False
        return name != current.name or (not call_id and _is_complete(current.arguments))


def _arguments(arguments: object) -> str:
    """Some servers send an object instead of the text of one."""
    return json.dumps(arguments) if isinstance(arguments, dict) else as_text(arguments)


def _is_complete(arguments: str) -> bool:
    """Whether the braces are closed; what is inside is for the tool to check."""
    depth, in_string, escaped = 0, False, False
    for character in arguments:
        if escaped:
            escaped = False
        elif in_string:
            escaped = character == "\\"
            in_string = character != '"'
        elif character == '"':
            in_string = True
        elif character in "{[":
            depth += 1
        elif character in "}]":
            depth -= 1
    return bool(arguments.strip()) and depth == 0 and not in_string
