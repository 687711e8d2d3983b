"""Objects that the conversation holds on to become instances of the new classes, where they are."""

from __future__ import annotations

import dataclasses
import enum
import logging
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any, Final

from agent_runtime.project import CodeVersion

if TYPE_CHECKING:
    from agent_runtime.voice.agent import Agent

logger = logging.getLogger(__name__)

_MOST_OBJECTS: Final = 20_000


def rebind(roots: Iterable[Any], old: CodeVersion, new: CodeVersion, *, keep: Agent) -> int:
    """Rebind what `roots` hold, directly, in collections or in attributes of the project's objects; return how many.

    An object gets the class of the same name in the module of the same name, and keeps its attributes. An agent other
    than `keep` is also made again in its place with the arguments that it was made with: its instructions and tools are
    the new code's, and it remembers its conversation. What can't be rebound is logged and stays with the old class.
    """
    count = 0
    for found in _reachable(roots, old, new):
        cls = type(found)
        target = new.find_class(cls) if cls in old and cls not in new else None
        if target is not None and found is not keep and not isinstance(found, enum.Enum):
            count += _rebind(found, target)
    return count


def _rebind(found: Any, cls: type) -> bool:
    from agent_runtime.voice.agent import Agent

    before = type(found)
    attributes = dict(vars(found)) if isinstance(found, Agent) else {}
    try:
        object.__setattr__(found, "__class__", cls)
        if isinstance(found, Agent):
            _make_again(found)
    except Exception as exc:
        if attributes:
            object.__setattr__(found, "__class__", before)
            vars(found).clear()
            vars(found).update(attributes)
        why = f"{type(exc).__name__}: {exc}"
        logger.warning("an instance of %s stays with its old code: %s", before.__qualname__, why)
        return False
    return True


def _make_again(agent: Agent) -> None:
    context, engine = agent._chat_ctx, agent._activity
    arguments, named = agent._made_with
    agent.__init__(*arguments, **named)  # type: ignore[misc]  # on purpose: others hold on to this very object
    agent._chat_ctx, agent._activity = context, engine


def _reachable(roots: Iterable[Any], old: CodeVersion, new: CodeVersion) -> Iterator[Any]:
    """The project's objects, each once. What others' objects hold inside is theirs."""
    seen: set[int] = set()
    waiting = list(roots)
    while waiting and len(seen) < _MOST_OBJECTS:
        value = waiting.pop()
        if id(value) in seen or isinstance(value, str | bytes | int | float | type | None):
            continue
        seen.add(id(value))
        if isinstance(value, Mapping):
            waiting += [*value.keys(), *value.values()]
        elif isinstance(value, list | tuple | AbstractSet):
            waiting += value
        cls = type(value)
        if cls in old or cls in new:
            waiting += _attributes(value)
            yield value


def _attributes(value: Any) -> Iterator[Any]:
    yield from getattr(value, "__dict__", {}).values()
    if dataclasses.is_dataclass(value):
        yield from (getattr(value, f.name, None) for f in dataclasses.fields(value))
