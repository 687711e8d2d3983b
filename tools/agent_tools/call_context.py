"""The context that a call carries, and how a parameter asks for it."""

from __future__ import annotations

import types
from typing import Annotated, Any, Union, get_args, get_origin


class CallContext:
    """Base of what a tool may ask for about the call that it serves.

    A parameter annotated with this class or a subclass of it, with or without type arguments, is filled in by whoever
    executes the tool and is left out of the schema that the model sees.
    """


def accepts_none(hint: Any) -> bool:
    """Whether a type is a union with None."""
    return get_origin(hint) in (Union, types.UnionType) and type(None) in get_args(hint)


def context_class(hint: Any) -> type[CallContext] | None:
    """Give the context class that a parameter's type asks for, None if it asks for none.

    `RunContext`, `RunContext[MyData]`, `Annotated[RunContext, ...]` and `RunContext | None` ask for one.
    """
    origin = get_origin(hint)
    if origin is Annotated:
        return context_class(get_args(hint)[0])
    if origin is Union or origin is types.UnionType:
        members = [member for member in get_args(hint) if member is not type(None)]
        return context_class(members[0]) if len(members) == 1 else None
    candidate = hint if origin is None else origin
    return candidate if isinstance(candidate, type) and issubclass(candidate, CallContext) else None
