"""What came of a call: the value, the text that the model reads, and what people read when it failed."""

from __future__ import annotations

import os
import traceback
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic_core import to_json, to_jsonable_python

from agent_tools.errors import StopResponse, ToolError

INTERNAL_ERROR: Final = "An internal error occurred"
"""All that the model learns of an exception that isn't a `ToolError`: LiveKit Agents' words."""

_PACKAGE: Final = os.path.dirname(__file__)


class HandoffTarget:
    """Base of what a tool returns to hand the conversation on: alone, or in a list or tuple beside its result."""


@dataclass
class ToolResult:
    """A tool's output, and whether it asks for a reply.

    Args:
        output: what the model reads: a string, None, or anything that can be written as JSON.
        reply_required: False keeps the output in the history without a reply being generated for it.
    """

    output: Any
    reply_required: bool = field(default=True, kw_only=True)


@dataclass(frozen=True, slots=True)
class ToolOutcome:
    """What came of one call of a tool."""

    value: Any
    """What the function returned, as it returned it; None if it raised."""
    output: str
    """The text that the model reads."""
    is_error: bool = False
    details: str = ""
    """The traceback of an exception that the model isn't told about."""
    exception: BaseException | None = None
    """What the tool raised (or returned as an exception), `StopResponse` included; or why its value isn't text."""
    reply_required: bool = True
    """Whether this outcome asks for a reply: not after `StopResponse`, nor when a tool has nothing to say."""
    handoff: HandoffTarget | None = None
    """To whom the tool hands the conversation."""


def outcome_of(tool: str, value: Any) -> ToolOutcome:
    """Describe what `tool` returned.

    A string is kept as it is, None becomes the empty string, everything else JSON (a date, an enum or a UUID as its
    bare text). A returned exception counts as raised.
    """
    if type(value) is str:
        return ToolOutcome(value, _encodable(value))
    if value is None:
        return ToolOutcome(None, "", reply_required=False)
    if isinstance(value, BaseException):
        return outcome_of_exception(value)
    rest, targets = _split_handoff(value)
    if len(targets) > 1:
        return ToolOutcome(value, f"{tool} handed over to more than one agent", is_error=True)
    # A tool without a word to say, such as a bare handoff, expects no reply.
    reply_required = rest is not None
    if isinstance(rest, ToolResult):
        rest, reply_required = rest.output, rest.reply_required
    try:
        output = text_of(rest)
    except Exception as error:  # whatever a value's own serializer raises: the model is told, people get the traceback
        kind = f"{type(rest).__module__}.{type(rest).__qualname__}".removeprefix("builtins.")
        message = f"{tool} returned a value of type {kind} that can't be given as text"
        return ToolOutcome(value, message, is_error=True, details=_traceback(error), exception=error)
    return ToolOutcome(value, output, reply_required=reply_required, handoff=targets[0] if targets else None)


def outcome_of_exception(error: BaseException) -> ToolOutcome:
    """Describe what a tool raised."""
    if isinstance(error, ToolError):
        return ToolOutcome(None, _encodable(error.message), is_error=True, exception=error)
    if isinstance(error, StopResponse):
        return ToolOutcome(None, "", exception=error, reply_required=False)
    return ToolOutcome(None, INTERNAL_ERROR, is_error=True, details=_traceback(error), exception=error)


def text_of(value: Any) -> str:
    """Write a value for the model.

    Raises:
        pydantic_core.PydanticSerializationError: something in it has no JSON form.
    """
    if value is None:
        return ""
    if isinstance(value, str) and type(value) is str:
        return _encodable(value)
    if hasattr(value, "__next__") or hasattr(value, "__anext__"):
        raise TypeError("an iterator would be used up by writing it; return a list")
    plain = to_jsonable_python(value)
    return _encodable(plain) if isinstance(plain, str) else to_json(plain).decode()


def _split_handoff(value: Any) -> tuple[Any, list[HandoffTarget]]:
    """Part a returned value into what the model reads and whom the conversation goes to."""
    if isinstance(value, HandoffTarget):
        return None, [value]
    if not isinstance(value, (list, tuple, set, frozenset)):
        return value, []
    targets = [item for item in value if isinstance(item, HandoffTarget)]
    if not targets:
        return value, []
    rest = [item for item in value if not isinstance(item, HandoffTarget)]
    return (rest if len(rest) > 1 else rest[0] if rest else None), targets


def _encodable(text: str) -> str:
    """Replace lone surrogates, which no wire can carry; text read with `surrogateescape` may hold them."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _traceback(error: BaseException) -> str:
    """The traceback from the tool's own first frame on: the frames that called it say nothing about it."""
    inner = error.__traceback__
    while inner is not None and inner.tb_frame.f_code.co_filename.startswith(_PACKAGE):
        inner = inner.tb_next
    return "".join(traceback.format_exception(type(error), error, inner or error.__traceback__))
