"""What a function's signature says: which parameters the model fills in, which the caller does, and of what types.

Annotations are resolved where the function was decorated, so a class that is local to a function may be used, also
under `from __future__ import annotations`. A name that doesn't exist yet is looked up again when the tool
is first used.
"""

from __future__ import annotations

import functools
import inspect
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin

from agent_tools.call_context import CallContext, accepts_none, context_class
from agent_tools.docstrings import Docstring, parse_docstring

_PLAIN_TYPES = frozenset({str, int, float, bool, type(None)})
_VALUES = (bool, int, float, complex, str, bytes, list, tuple, dict, set)
_PLAIN_CONTAINERS = frozenset({list, dict, set, tuple, Union, types.UnionType})


@dataclass(frozen=True, slots=True)
class Parameter:
    """One that the model fills in. `default` is `inspect.Parameter.empty` if it must."""

    name: str
    hint: Any
    default: Any
    description: str


@dataclass(frozen=True, slots=True)
class ContextParameter:
    """One that the caller fills in with a context of `kind` (or a subclass).

    `default` is what it takes when there is none, `inspect.Parameter.empty` if it must have one.
    """

    name: str
    kind: type[CallContext]
    default: Any


class Scope:
    """The names that an annotation may use: those of the frame that decorates, and of the class body's surroundings."""

    def __init__(self, frame: types.FrameType | None) -> None:
        self._frames: list[types.FrameType] = []
        while frame is not None and frame.f_locals is not frame.f_globals:
            self._frames.append(frame)
            # A class body sees the function around it; a function's caller is none of its business.
            if "__qualname__" not in frame.f_locals:
                break
            frame = frame.f_back

    @property
    def names(self) -> dict[str, Any]:
        """The names as they are now."""
        merged: dict[str, Any] = {}
        for frame in reversed(self._frames):
            merged.update(frame.f_locals)
        return merged


class Signature:
    """A function as a tool: its name, its documentation and its parameters.

    Raises:
        TypeError: the function can't be a tool; the message names it and the parameter.
    """

    def __init__(self, func: Callable[..., Any], *, static: bool = False) -> None:
        self.func = func
        innermost = inspect.unwrap(func.func if isinstance(func, functools.partial) else func)
        if not callable(innermost) or not hasattr(innermost, "__name__"):
            raise TypeError(f"{func!r} can't be a tool: it must be a function")
        self.name: str = getattr(func, "__name__", innermost.__name__)
        documented = innermost if isinstance(func, functools.partial) else func
        self.doc: Docstring = parse_docstring(documented.__doc__)
        self._globals: dict[str, Any] = getattr(innermost, "__globals__", {})
        if inspect.isgeneratorfunction(innermost) or inspect.isasyncgenfunction(innermost):
            raise TypeError(f"{self.name} can't be a tool: it is a generator; return its values as a list")
        parameters = list(inspect.signature(func).parameters.values())
        self.takes_instance = not static and _takes_instance(innermost, parameters)
        if self.takes_instance:
            parameters = parameters[1:]
        bound = func.keywords if isinstance(func, functools.partial) else {}
        self._parameters = [parameter for parameter in parameters if parameter.name not in bound]

    @property
    def parameter_names(self) -> list[str]:
        """Every parameter that isn't the instance, contexts included."""
        return [parameter.name for parameter in self._parameters]

    def check_kinds(self) -> None:
        """Raise TypeError if a parameter can't be filled in by name."""
        for parameter in self._parameters:
            if parameter.kind is parameter.POSITIONAL_ONLY:
                raise self.error(parameter.name, "is positional-only, and arguments are passed by name: remove the `/`")
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                stars = "*" if parameter.kind is parameter.VAR_POSITIONAL else "**"
                problem = "has no schema: name each parameter, or describe them with raw_schema="
                raise self.error(stars + parameter.name, problem)
            if parameter.annotation is parameter.empty:
                raise self.error(parameter.name, "has no type annotation, from which its schema is made")

    def resolve(self, scope: Mapping[str, Any]) -> tuple[list[Parameter], list[ContextParameter]]:
        """Give the parameters with their types: those that the model fills in and those that the caller does.

        Raises:
            NameError: an annotation uses a name that doesn't exist (yet).
        """
        filled: list[Parameter] = []
        contexts: list[ContextParameter] = []
        for parameter in self._parameters:
            hint = self._resolve_hint(parameter, scope)
            if (kind := context_class(hint)) is not None:
                default = None if parameter.default is parameter.empty and accepts_none(hint) else parameter.default
                contexts.append(ContextParameter(parameter.name, kind, default))
            else:
                description = self.doc.parameters.get(parameter.name, "")
                filled.append(Parameter(parameter.name, hint, parameter.default, description))
        return filled, contexts

    def error(self, parameter: str, problem: str) -> TypeError:
        """Make the error that names the function and the parameter."""
        return TypeError(f"{self.name} can't be a tool: parameter {parameter!r} {problem}")

    def _resolve_hint(self, parameter: inspect.Parameter, scope: Mapping[str, Any]) -> Any:
        annotation = parameter.annotation
        if isinstance(annotation, type) and annotation in _PLAIN_TYPES:
            return annotation
        holder = types.SimpleNamespace(__annotations__={parameter.name: annotation})
        try:
            hints = typing.get_type_hints(holder, self._globals, dict(scope), include_extras=True)
        except (SyntaxError, TypeError, AttributeError) as error:
            raise self.error(parameter.name, f"has an annotation that isn't a type: {error}") from error
        hint = hints[parameter.name]
        if isinstance(hint, _VALUES):
            raise self.error(parameter.name, f"has an annotation that isn't a type: {hint!r}")
        return hint


def is_plain(hint: Any) -> bool:
    """Whether a type is made of the JSON types only, so that a schema of it can't fail."""
    if isinstance(hint, type) and hint in _PLAIN_TYPES:
        return True
    origin = get_origin(hint)
    if origin is Literal:
        return all(isinstance(value, str | int | bool | None) for value in get_args(hint))
    return origin in _PLAIN_CONTAINERS and all(is_plain(member) for member in get_args(hint) if member is not Ellipsis)


def _takes_instance(func: Callable[..., Any], parameters: list[inspect.Parameter]) -> bool:
    """Whether the first parameter is the instance (or class) that a method is called on.

    A decorator runs before the class exists, so it is told by the name `self`, or by an unannotated first parameter of
    a function that is defined in a class body.
    """
    if not parameters or parameters[0].kind not in (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
    ):
        return False
    if parameters[0].name == "self":
        return True
    where = func.__qualname__.rpartition(".")[0]
    in_class_body = bool(where) and not where.endswith("<locals>")
    return in_class_body and parameters[0].annotation is inspect.Parameter.empty
