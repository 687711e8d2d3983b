"""What an agent's file gives but can't be had here: it is left to whoever runs the session.

Off, unless `allow` is called, as the console does: a worker that serves callers should rather not start than answer
with another voice than its author chose. `agent_runtime.compat.guards` makes stand-ins where an import or a key is
missing.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Generator, Iterable
from typing import Any, Final, TypeVar

from agent_runtime.errors import ConfigError
from agent_runtime.types import NOT_GIVEN

logger = logging.getLogger(__name__)
T = TypeVar("T")

INSTEAD: Final = "the console's own part is used instead"

_allowed = False
_told: set[str] = set()


def allow(allowed: bool = True) -> None:
    """From now on give stand-ins for what isn't there; False: say so, as an error, again."""
    global _allowed
    _allowed = allowed
    _told.clear()


def are_allowed() -> bool:
    """Whether stand-ins are given."""
    return _allowed


class StandIn:
    """In the place of a vendor's name that can't be used here: anything may be called, awaited and taken of it.

    As a session's or an agent's part it counts as left out.
    """

    def __init__(self, name: str = "", *_: Any, **__: Any) -> None:
        self._stands_for = name

    def __call__(self, *values: Any, **named: Any) -> Any:
        """What it makes stands in too. A model that the file asks by itself is the session's own."""
        if self._stands_for.endswith("LLM.chat") and (model := _own_model()) is not None:
            return model.chat(*values, **named)
        return StandIn(self._stands_for)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # what asks for such names wants to know whether they are there
            raise AttributeError(name)
        return StandIn(f"{self._stands_for}.{name}")

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[type, ...]:
        return (StandIn,)

    def __instancecheck__(self, instance: object) -> bool:
        return False

    def __or__(self, other: Any) -> StandIn:
        return self

    __ror__ = __or__

    def __getitem__(self, _: Any) -> StandIn:
        return self

    def __await__(self) -> Generator[Any, None, StandIn]:
        return self
        yield  # makes it a generator

    async def __aenter__(self) -> StandIn:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def __aiter__(self) -> AsyncIterator[Any]:
        return
        yield  # makes it a generator

    def __repr__(self) -> str:
        return f"<stands in for {self._stands_for}>"


def _own_model() -> Any:
    """The model of the session that the present job has; None without one."""
    from agent_runtime.worker.job import current_job

    job = current_job.get()
    session = job._primary_session if job is not None else None
    return None if session is None or not hasattr(session.llm, "chat") else session.llm


def given_part(kind: str, value: Any) -> Any:
    """A part as a session or agent takes it: what only stands in isn't given, and a name is that of a hosted model.

    Raises ConfigError for a hosted model that can't be asked, where no stand-ins are allowed.
    """
    if isinstance(value, StandIn):
        return NOT_GIVEN
    if not isinstance(value, str):
        return value
    from agent_runtime.inference.by_name import hosted_part

    try:
        return hosted_part(kind, value)
    except ConfigError as problem:
        if not _allowed:
            raise
        tell(f"{problem}; {INSTEAD}")  # the same for all parts, and so told once
        return NOT_GIVEN


def usable_tools(tools: Iterable[T] | None) -> list[T]:
    """The tools that aren't stand-ins."""
    return [tool for tool in tools or () if not isinstance(tool, StandIn)]


def tell(text: str) -> None:
    """Once, in the log."""
    if text not in _told:
        _told.add(text)
        logger.warning(text)


def told() -> list[str]:
    """What was told since `allow`, for whoever shows it."""
    return sorted(_told)
