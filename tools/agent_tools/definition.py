"""How a tool's arguments are described and checked, apart from the function that is called with them.

Tools that are bound to many instances share one definition. What costs time, pydantic's validator and the schema, is
made when it is first needed; a signature whose types might be refused is tried where it is decorated.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any

from pydantic import Field
from pydantic.fields import FieldInfo

from agent_tools import json_schema
from agent_tools.arguments import Arguments, parse_arguments
from agent_tools.call_context import CallContext
from agent_tools.json_schema import JsonSchema
from agent_tools.signature import ContextParameter, Parameter, Scope, Signature, is_plain
from agent_tools.tool import CONFIRM_DUPLICATE_DESCRIPTION, CONFIRM_DUPLICATE_PARAM

RAW_ARGUMENTS = "raw_arguments"


class Definition(ABC):
    """What a tool takes."""

    takes_instance: bool
    """Whether the function is a method, called on an instance or a class."""

    @abstractmethod
    def contexts(self) -> list[ContextParameter]:
        """Give the parameters that the caller fills in."""

    @abstractmethod
    def schema(self) -> JsonSchema:
        """Give the JSON schema of the parameters that the model fills in."""

    @abstractmethod
    def describe(self, name: str, description: str, *, strict: bool) -> dict[str, Any]:
        """Give the function as OpenAI's API takes it."""

    @abstractmethod
    def validate(self, tool: str, arguments: str | Mapping[str, Any]) -> dict[str, Any]:
        """Give the keyword arguments that the model's stand for."""

    def defaults(self) -> dict[str, Any]:
        """Give the values of the parameters that the model may leave out."""
        return {}

    def add_contexts(self, tool: str, kwargs: dict[str, Any], context: CallContext | None) -> None:
        """Fill in the parameters that ask for a context.

        Raises:
            TypeError: there is no context of the class that one asks for, and it has no default.
        """
        for parameter in self.contexts():
            if isinstance(context, parameter.kind):
                kwargs[parameter.name] = context
            elif parameter.default is not inspect.Parameter.empty:
                kwargs[parameter.name] = parameter.default
            else:
                given = "none was given" if context is None else f"a {type(context).__name__} was given"
                raise TypeError(f"{tool} asks for a {parameter.kind.__name__} in {parameter.name!r} and {given}")


class SignatureDefinition(Definition):
    """A definition that comes from a function's signature.

    Raises:
        TypeError: a parameter can't be described; the message names function and parameter.
    """

    def __init__(self, signature: Signature, scope: Scope, *, confirm: bool) -> None:
        signature.check_kinds()
        self._signature = signature
        self._scope: Scope | None = scope
        self._confirm = confirm
        self.takes_instance = signature.takes_instance
        try:
            filled, _ = self._resolved
            if all(is_plain(parameter.hint) for parameter in filled):
                self._scope = None  # nothing is left to resolve: let go of the frame
            else:
                self._arguments  # noqa: B018 - made now, so that a type without a schema is refused where it stands
        except NameError:
            return  # a name that comes into being later is looked up again in use

    def contexts(self) -> list[ContextParameter]:
        """Give the parameters that the caller fills in."""
        return self._resolved[1]

    def schema(self) -> JsonSchema:
        """Give the JSON schema of the parameters that the model fills in."""
        return self._arguments.schema

    def describe(self, name: str, description: str, *, strict: bool) -> dict[str, Any]:
        """Give the function as OpenAI's API takes it; without `strict` if the schema has no strict form."""
        if strict and self._strict_schema is not None:
            return {"name": name, "description": description, "parameters": self._strict_schema, "strict": True}
        return {"name": name, "description": description, "parameters": self.schema()}

    def validate(self, tool: str, arguments: str | Mapping[str, Any]) -> dict[str, Any]:
        """Give the keyword arguments that the model's stand for."""
        return self._arguments.validate(arguments)

    def defaults(self) -> dict[str, Any]:
        """Give the values of the parameters that the model may leave out."""
        # A default that is a pydantic Field is filled in by the validation.
        return {
            parameter.name: parameter.default
            for parameter in self._resolved[0]
            if parameter.default is not inspect.Parameter.empty and not isinstance(parameter.default, FieldInfo)
        }

    @cached_property
    def _resolved(self) -> tuple[list[Parameter], list[ContextParameter]]:
        return self._signature.resolve(self._scope.names if self._scope else {})

    @cached_property
    def _arguments(self) -> Arguments:
        filled = [*self._resolved[0], *([_CONFIRM] if self._confirm else [])]
        arguments = Arguments(self._signature.name, filled, self._scope.names if self._scope else {})
        self._scope = None  # everything is resolved: let go of the frame
        return arguments

    @cached_property
    def _strict_schema(self) -> JsonSchema | None:
        return json_schema.strict(self.schema())


class RawDefinition(Definition):
    """A definition that its author wrote.

    Raises:
        TypeError: the schema has properties and the function doesn't take `raw_arguments`, or it takes more than that
            and contexts.
        ValueError: the schema lacks its name or its parameters.
    """

    def __init__(self, signature: Signature, raw_schema: Mapping[str, Any], scope: Scope, *, confirm: bool) -> None:
        if not raw_schema.get("name"):
            raise ValueError(f"raw_schema of {signature.name} has no 'name'")
        if not isinstance(raw_schema.get("parameters"), dict):
            raise ValueError(f"raw_schema of {signature.name} has no 'parameters': give a JSON schema of type object")
        self.name = str(raw_schema["name"])
        self.raw_schema = dict(raw_schema)
        if confirm:
            self.raw_schema["parameters"] = _with_confirmation(raw_schema["parameters"])
        self.takes_instance = signature.takes_instance
        self._parameters = self.raw_schema["parameters"]
        filled, self._contexts = signature.resolve(scope.names)
        self._takes_arguments = RAW_ARGUMENTS in signature.parameter_names
        if not self._takes_arguments and raw_schema["parameters"].get("properties"):
            raise TypeError(f"{signature.name} can't be a tool: with raw_schema it must take {RAW_ARGUMENTS!r}")
        for parameter in filled:
            if parameter.name != RAW_ARGUMENTS and parameter.default is inspect.Parameter.empty:
                raise signature.error(parameter.name, f"can't be filled in: with raw_schema only {RAW_ARGUMENTS!r} is")

    def schema(self) -> JsonSchema:
        """Give the JSON schema of the parameters that the model fills in."""
        return dict(self._parameters)

    def contexts(self) -> list[ContextParameter]:
        """Give the parameters that the caller fills in."""
        return self._contexts

    def describe(self, name: str, description: str, *, strict: bool) -> dict[str, Any]:
        """Give the function as its author described it."""
        return {**self.raw_schema, "name": name}

    def validate(self, tool: str, arguments: str | Mapping[str, Any]) -> dict[str, Any]:
        """Give the model's arguments as the one keyword argument that they are, and the confirmation beside it."""
        raw = parse_arguments(tool, arguments)
        confirmed = {CONFIRM_DUPLICATE_PARAM: raw.pop(CONFIRM_DUPLICATE_PARAM, None)}
        return {RAW_ARGUMENTS: raw, **confirmed} if self._takes_arguments else confirmed


_CONFIRM = Parameter(
    CONFIRM_DUPLICATE_PARAM,
    Annotated[bool | None, Field(description=CONFIRM_DUPLICATE_DESCRIPTION)],
    False,
    "",
)


def _with_confirmation(parameters: Mapping[str, Any]) -> JsonSchema:
    confirmation = {"type": ["boolean", "null"], "description": CONFIRM_DUPLICATE_DESCRIPTION}
    return {**parameters, "properties": {**parameters.get("properties", {}), CONFIRM_DUPLICATE_PARAM: confirmation}}
