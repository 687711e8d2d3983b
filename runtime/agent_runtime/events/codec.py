"""Events as JSON, one a line: how they are recorded, replayed and sent to another process.

A line is `{"seq", "time", "session_id", "turn_id", "cause", "data": {"type", …}}`. A reader of an older version ignores
fields that it doesn't know, and fills in those that an older writer didn't have; it can't know a new `type`.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config
from pydantic_core import PydanticSerializationError, to_json
from typing_extensions import TypedDict

from agent_runtime.errors import EventDecodeError
from agent_runtime.events.event import Event
from agent_runtime.events.types import AnyEvent, EventData

logger = logging.getLogger(__name__)


@with_config(ConfigDict(title="Event"))
class _Line(TypedDict):
    seq: int
    time: float
    session_id: str
    turn_id: str | None
    cause: str | None
    data: Annotated[EventData, Field(discriminator="type")]


def dumps(event: AnyEvent) -> str:
    """Write an event as one line of JSON, without the newline.

    Raises ValueError if it holds something that isn't plain data.
    """
    try:
        return _to_json(event)
    except PydanticSerializationError:
        # Text that a terminal or a decoder broke has lone surrogates, which no encoding can write. Anything else fails
        # here again.
        return _to_json(_mend(dataclasses.asdict(event)))


def loads(line: str | bytes) -> AnyEvent:
    """Read an event. Raises `EventDecodeError`."""
    try:
        fields = _adapter().validate_json(line)
    except ValidationError as e:
        raise EventDecodeError(_problem(e)) from None
    return Event(**fields)


def read_events(path: Path | str) -> Iterator[AnyEvent]:
    """The events of a file, in its order. Raises `EventDecodeError`, which names the line, and OSError.

    A last line without a newline that can't be read is what a process that was killed was writing: it is left out.
    """
    with Path(path).open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.isspace():
                continue
            try:
                yield loads(line)
            except EventDecodeError as e:
                if not line.endswith(b"\n"):
                    logger.warning("%s:%d: the last event is cut off: %s", path, number, e.problem)
                    return
                raise EventDecodeError(e.problem, path=str(path), line=number) from None


def schema() -> dict[str, Any]:
    """The JSON schema of a line."""
    return _adapter().json_schema(mode="serialization")


def _to_json(value: object) -> str:
    # A level of -inf dBFS (silence) becomes a string, since JSON has no number for it.
    return to_json(value, inf_nan_mode="strings").decode()


@functools.cache
def _adapter() -> TypeAdapter[_Line]:
    # Building it takes tens of milliseconds, which a program that records nothing needn't pay.
    return TypeAdapter(_Line)


def _problem(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "union_tag_invalid":
        return f"the event type {first.get('ctx', {}).get('tag')!r} isn't known: it may come from a newer version"
    return f"{where}: {first['msg']}" if where else first["msg"]


def _mend(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_mend(key): _mend(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_mend(inner) for inner in value]
    return value
