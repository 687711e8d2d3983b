"""Frozen dataclasses with slots, made in a third of the time.

The console has some two hundred of them in memory before it draws its first frame, and `dataclasses` compiles six
methods for each. Here only `__init__` is compiled; the others are shared. What works with a dataclass (`fields`,
`replace`, `asdict`, `match`, `copy`, `pickle`, pydantic) works with a record.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from operator import attrgetter
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

__all__ = ["record"]

C = TypeVar("C", bound=type)


def _record(*, frozen: bool, slots: bool) -> Callable[[C], C]:
    """`dataclass(frozen=True, slots=True)` for classes that are many; there is no other choice.

    Raises TypeError, as `dataclass` does, for fields that can't be.
    """
    if not (frozen and slots):
        raise TypeError("a record is frozen and has slots: use dataclass for another")
    return _made


def _made(cls: C) -> C:
    if any(map(dataclasses.is_dataclass, cls.__mro__[1:])) or not _SHARED.keys().isdisjoint(cls.__dict__):
        real: Any = dataclasses.dataclass(frozen=True, slots=True)
        return real(cls)  # type: ignore[no-any-return]  # `cls` again, with slots
    made: Any = dataclasses.dataclass(init=False, repr=False, eq=False, slots=True)(cls)
    fields = dataclasses.fields(made)
    made._compared = staticmethod(_values([field.name for field in fields if field.compare]))
    made._shown = tuple(field.name for field in fields if field.repr)
    made.__init__ = _init(made, fields)
    for name, method in _SHARED.items():
        setattr(made, name, method)
    return made  # type: ignore[no-any-return]  # and so here


def _values(names: list[str]) -> Callable[[object], tuple[Any, ...]]:
    """What gives the values of these attributes, always as a tuple."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda record: tuple(getattr(record, name) for name in names)


def _init(cls: type, fields: tuple[dataclasses.Field[Any], ...]) -> Callable[..., None]:
    """`__init__` for these fields, compiled: it runs for every event."""
    names: dict[str, Any] = {}
    parameters, body = ["self"], []
    for number, field in enumerate(fields):
        if field.kw_only or not field.init:
            raise TypeError(f"{cls.__qualname__}.{field.name}: a record's fields are given by position too")
        # What the slot's descriptor offers knows its place: no look-up by name, as `object.__setattr__` does it.
        names[f"_set{number}"] = cls.__dict__[field.name].__set__
        parameter, value = field.name, field.name
        if field.default is not dataclasses.MISSING:
            names[f"_default{number}"] = field.default
            parameter += f"=_default{number}"
        elif field.default_factory is not dataclasses.MISSING:
            names[f"_make{number}"], names["_missing"] = field.default_factory, dataclasses.MISSING
            parameter += "=_missing"
            value = f"_make{number}() if {field.name} is _missing else {field.name}"
        parameters.append(parameter)
        body.append(f"    _set{number}(self, {value})")
    if hasattr(cls, "__post_init__"):
        body.append("    self.__post_init__()")
    try:
        exec("\n".join([f"def __init__({', '.join(parameters)}):", *body, "    return None"]), names)
    except SyntaxError as exc:
        raise TypeError(f"{cls.__qualname__}: a field without a default follows one that has it") from exc
    init: Callable[..., None] = names["__init__"]
    init.__annotations__ = {field.name: field.type for field in fields} | {"return": None}
    init.__qualname__, init.__module__ = f"{cls.__qualname__}.__init__", cls.__module__
    return init


@recursive_repr()
def _repr(self: Any) -> str:
    shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._shown)
    return f"{type(self).__qualname__}({shown})"


def _eq(self: Any, other: Any) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    return self._compared(self) == self._compared(other)


def _hash(self: Any) -> int:
    return hash(self._compared(self))


def _refuse_to_set(self: Any, name: str, value: object) -> NoReturn:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(self: Any, name: str) -> NoReturn:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


@dataclasses.dataclass(frozen=True, slots=True)
class _Real:
    """Lends the methods that don't depend on the fields."""


_SHARED: Final[dict[str, Any]] = {
    "__repr__": _repr,
    "__eq__": _eq,
    "__hash__": _hash,
    "__setattr__": _refuse_to_set,
    "__delattr__": _refuse_to_delete,
    "__getstate__": _Real.__getstate__,
    "__setstate__": _Real.__setstate__,  # type: ignore[attr-defined]  # made by the decorator
    "__dataclass_params__": _Real.__dataclass_params__,  # type: ignore[attr-defined]  # as above
}

if TYPE_CHECKING:
    # Checkers know what a dataclass is, by any name.
    from dataclasses import dataclass as record
else:
    record = _record
