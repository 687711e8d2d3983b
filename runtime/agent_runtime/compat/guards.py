"""Has the vendors' names of an agent's file give stand-ins where a package, or what a provider needs, isn't here."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any, Final

from agent_runtime.stand_ins import INSTEAD, StandIn, tell

_ADAPTERS: Final = frozenset({"FallbackAdapter", "StreamAdapter"})
_PARTS: Final = frozenset({"STT", "TTS", "LLM", "VAD", "RealtimeModel", "TurnDetector"})
"""Names of the classes that packages of providers offer."""

_UNSEEN: Final = "an avatar needs a room that others are in"

_HOSTED: Final = "livekit.agents.inference."

_OWN_HOSTS: Final = ("//localhost", "//127.", "//[::1]", "//0.0.0.0")


def stand_in(fullname: str, why: str) -> StandIn:
    """For a name that isn't there, and told."""
    tell(f"{why}; {INSTEAD}")
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
    """Have the providers of an installed package give a stand-in where they can't be made, and its avatars always."""
    if "AvatarSession" in vars(module):
        name = f"{module.__name__}.AvatarSession"
        module.AvatarSession = lambda *_, **__: stand_in(name, _UNSEEN)  # type: ignore[attr-defined]  # was a class
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
            hosted = fullname.startswith(_HOSTED)  # whose reason is the same for each, and so told once
            return stand_in(fullname, reason if hosted else f"{short} can't be made: {reason}")

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
