"""Opens files whose vendors aren't here: what can't be made is left to whoever runs the session.

Off, unless `allow` is called, as the console does: a worker that serves callers should rather not start than answer
with another voice than its author chose.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import AsyncIterator, Callable, Generator, Iterable
from types import ModuleType
from typing import Any, Final, TypeVar

from agent_runtime.types import NOT_GIVEN, NotGivenOr

logger = logging.getLogger(__name__)
T = TypeVar("T")

_ADAPTERS: Final = frozenset({"FallbackAdapter", "StreamAdapter"})
_PARTS: Final = frozenset({"STT", "TTS", "LLM", "VAD", "RealtimeModel"})
"""Names of the classes that packages of providers offer."""

_OWN_HOSTS: Final = ("//localhost", "//127.", "//[::1]", "//0.0.0.0")

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


def given_part(kind: str, value: T) -> T | NotGivenOr[Any]:
    """A part as a session or agent takes it: what only stands in, or names a model of LiveKit's cloud, isn't given.

    Raises ValueError for a model of LiveKit's cloud where no stand-ins are allowed.
    """
    if isinstance(value, StandIn):
        return NOT_GIVEN
    if not isinstance(value, str):
        return value
    problem = f"{kind}={value!r} is a model of LiveKit's cloud, which can't be asked from here"
    if not _allowed:
        raise ValueError(f"{problem}: give a provider, or leave it out for the bundled one")
    tell(f"{problem}: {_INSTEAD}")
    return NOT_GIVEN


_INSTEAD: Final = "the console's own part is used instead"


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


def stand_in(fullname: str, why: str) -> StandIn:
    """For a name that isn't there, and told."""
    tell(f"{why}; {_INSTEAD}")
    return StandIn(fullname.rpartition("livekit.plugins.")[2])


def in_place_of(module: ModuleType, why: str) -> None:
    """Have a module that can't be imported give stand-ins for all its names."""

    class Missing(ModuleType):
        def __getattr__(self, name: str) -> Any:
            if name.startswith("_"):
                raise AttributeError(name)
            return stand_in(f"{self.__name__}.{name}", why)

    module.__class__ = Missing
    module.__path__ = []


def guarded_parts(module: ModuleType) -> None:
    """Have the providers of an installed package give a stand-in where they can't be made."""
    for name in _PARTS:
        if isinstance(value := vars(module).get(name), type):
            setattr(module, name, guarded(value, f"{module.__name__}.{name}"))


@functools.cache
def guarded(cls: type, fullname: str) -> type:
    """A class of providers that gives a stand-in where it can't be made, such as for want of a key, or of another."""
    if cls.__name__ not in _PARTS | _ADAPTERS:
        return cls
    short = fullname.rpartition("livekit.plugins.")[2]

    def make(how: Callable[[], Any], given: Iterable[Any]) -> Any:
        if any(isinstance(value, StandIn) for value in _flat(given)):
            return StandIn(short)
        try:
            return how()
        except Exception as exc:
            reason = (str(exc).splitlines() or [type(exc).__name__])[0]
            return stand_in(fullname, f"{short} can't be made: {reason}")

    class Guard(type(cls)):  # type: ignore[misc]  # the metaclass of a class that is only known now
        def __call__(self, *values: Any, **named: Any) -> Any:
            if _wants_a_key(named):
                return stand_in(fullname, f"{short} gets no key: api_key is None")
            return make(lambda: super(Guard, self).__call__(*values, **named), [*values, *named.values()])

    namespace = {"__module__": cls.__module__, "__doc__": cls.__doc__, "__qualname__": cls.__qualname__}
    made = Guard(cls.__name__, (cls,), namespace)
    for name, value in vars(cls).items():
        if name.startswith("with_") and isinstance(value, staticmethod):
            setattr(made, name, staticmethod(_guarded_call(make, value.__func__)))
    return made


def _wants_a_key(named: dict[str, Any]) -> bool:
    """Whether a key was to come from a variable that isn't set, for a server that isn't this machine's."""
    url = str(named.get("base_url") or "")
    return "api_key" in named and named["api_key"] is None and bool(url) and not any(own in url for own in _OWN_HOSTS)


def _guarded_call(make: Callable[[Callable[[], Any], Iterable[Any]], Any], call: Callable[..., Any]) -> Any:
    return lambda *values, **named: make(lambda: call(*values, **named), [*values, *named.values()])


def _flat(values: Iterable[Any]) -> Iterable[Any]:
    for value in values:
        if isinstance(value, list | tuple):
            yield from value
        else:
            yield value
