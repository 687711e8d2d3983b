"""A model's arguments: the schema that it is shown, and what it wrote, validated.

The parameters become a TypedDict, which takes any name that Python takes and gives back the keyword arguments as they
are passed. A parameter that was left out stays out, so that the function's own default applies.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NotRequired, get_args, get_origin

from pydantic import ConfigDict, PydanticSchemaGenerationError, PydanticUserError, TypeAdapter, ValidationError
from pydantic.errors import PydanticUndefinedAnnotation
from pydantic.fields import Field, FieldInfo
from pydantic_core import from_json, to_json, to_jsonable_python
from typing_extensions import TypedDict

from agent_tools import json_schema
from agent_tools.errors import InvalidArgumentsError
from agent_tools.json_schema import JsonSchema
from agent_tools.problems import data_steps, problems_of
from agent_tools.signature import Parameter

_CONFIG = ConfigDict(defer_build=True)


class Arguments:
    """The arguments that one tool takes.

    Args:
        tool: the tool's name, for messages.
        parameters: those that the model fills in.
        scope: names that forward references within the parameters' types may use.

    Raises:
        TypeError: pydantic can't describe a parameter's type; the message names the parameter.
        NameError: a forward reference can't be resolved (yet).
    """

    def __init__(self, tool: str, parameters: Sequence[Parameter], scope: Mapping[str, Any]) -> None:
        self._tool = tool
        self._parameters = parameters
        try:
            fields = {parameter.name: _field_type(parameter) for parameter in parameters}
            self._adapter = _adapter_of(tool, fields, scope)
            self.schema = self._make_schema()
        except PydanticUndefinedAnnotation as error:
            raise NameError(str(error), name=error.name) from error
        except (PydanticUserError, PydanticSchemaGenerationError) as error:
            raise self._culprit(error, scope) from error

    def validate(self, arguments: str | Mapping[str, Any]) -> dict[str, Any]:
        """Give the keyword arguments to call the function with.

        Args:
            arguments: the JSON text that the model wrote (empty for no arguments), or the same already parsed.

        Raises:
            InvalidArgumentsError: they don't fit.
        """
        validator = self._adapter.validator
        try:
            if isinstance(arguments, str):
                fit: dict[str, Any] = validator.validate_json(arguments or "{}")
            else:
                fit = validator.validate_python(arguments)
        except ValidationError as error:
            return self._validate_again(arguments, error)
        return fit

    def _validate_again(self, arguments: str | Mapping[str, Any], error: ValidationError) -> dict[str, Any]:
        """Try with nulls taken for left out: strict schemas make models write null where the default is meant."""
        data = parse_arguments(self._tool, arguments)
        _drop_nulls(data, error, self.schema)
        try:
            if isinstance(arguments, str):
                fit: dict[str, Any] = self._adapter.validator.validate_json(to_json(data))
            else:
                fit = self._adapter.validator.validate_python(data)
        except ValidationError as final:
            errors = final.errors(include_url=False)
            raise InvalidArgumentsError(self._tool, problems_of(errors, data, self.schema)) from None
        return fit

    def _make_schema(self) -> JsonSchema:
        with warnings.catch_warnings():
            # A default that isn't JSON is simply not shown to the model.
            warnings.simplefilter("ignore")
            schema = json_schema.tidy(self._adapter.json_schema())
        schema.setdefault("properties", {})
        # The TypedDict's own text says nothing about the tool.
        schema.pop("description", None)
        for parameter in self._parameters:
            node = schema["properties"].get(parameter.name)
            if node is not None and "default" not in node and not _is_required(parameter):
                _show_default(node, parameter.default)
        return schema

    def _culprit(self, error: Exception, scope: Mapping[str, Any]) -> TypeError:
        """Find the parameter whose type is at fault."""
        for parameter in self._parameters:
            try:
                _adapter_of(self._tool, {parameter.name: _field_type(parameter)}, scope).json_schema()
            except (PydanticUserError, PydanticSchemaGenerationError) as cause:
                reason = str(cause).splitlines()[0]
                hint = getattr(parameter.hint, "__name__", None) or parameter.hint
                problem = f"has a type that no schema can be made of, {hint}: {reason}"
                return TypeError(f"{self._tool} can't be a tool: parameter {parameter.name!r} {problem}")
        return TypeError(f"{self._tool} can't be a tool: {error}")


def parse_arguments(tool: str, arguments: str | Mapping[str, Any]) -> dict[str, Any]:
    """Give a model's arguments as a dict of our own, not validated.

    Nothing and null count as no arguments; an object that was written as JSON text inside a JSON string is taken out of
    it, as some models write it.

    Raises:
        InvalidArgumentsError: the text isn't JSON (it says where), or isn't an object.
    """
    if not isinstance(arguments, str):
        return {key: _copied(value) for key, value in arguments.items()}
    value: Any = arguments
    while isinstance(value, str):
        if not value.strip():
            return {}
        try:
            value = from_json(value)
        except ValueError as error:
            problem = f"the arguments aren't valid JSON ({error}): {_shorten(arguments)}"
            raise InvalidArgumentsError(tool, [problem]) from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        problem = f"the arguments must be one JSON object with a value for each parameter, not {_shorten(arguments)}"
        raise InvalidArgumentsError(tool, [problem])
    return value


def _field_type(parameter: Parameter) -> Any:
    """A parameter as the type of a TypedDict's key. What the author's own Field says wins over the docstring."""
    hint, metadata = parameter.hint, []
    if get_origin(hint) is Annotated:
        hint, *metadata = get_args(hint)
    if isinstance(parameter.default, FieldInfo):
        metadata.append(parameter.default)
    documented = Field(description=parameter.description or None)
    annotated: Any = Annotated[(hint, documented, *metadata)]
    return annotated if _is_required(parameter) else NotRequired[annotated]


def _is_required(parameter: Parameter) -> bool:
    if parameter.default is not inspect.Parameter.empty and not isinstance(parameter.default, FieldInfo):
        return False
    metadata = get_args(parameter.hint)[1:] if get_origin(parameter.hint) is Annotated else ()
    fields = [item for item in (*metadata, parameter.default) if isinstance(item, FieldInfo)]
    return all(item.is_required() for item in fields)


def _adapter_of(tool: str, fields: dict[str, Any], scope: Mapping[str, Any]) -> TypeAdapter[Any]:
    make_typed_dict: Any = TypedDict  # type checkers know the functional form with literal fields only
    kind = make_typed_dict(tool, fields)
    kind.__pydantic_config__ = _CONFIG
    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    adapter.rebuild(force=True, raise_errors=True, _types_namespace=scope)
    return adapter


def _show_default(node: JsonSchema, default: Any) -> None:
    try:
        node["default"] = to_jsonable_python(default)
    except Exception:  # a default may be any object, and its serializer may raise anything: it just isn't shown
        return


def _drop_nulls(data: dict[str, Any], error: ValidationError, schema: JsonSchema) -> None:
    """Take out each null that was refused where the key may be left out."""
    for detail in error.errors(include_url=False, include_context=False):
        container: Any = None
        value: Any = data
        nodes: list[JsonSchema] = [schema]
        above: list[JsonSchema] = []
        step: str | int = ""
        for step in data_steps(detail["loc"], data):
            container, above = value, nodes
            nodes = [child for node in nodes for child in json_schema.children(node, step, schema)]
            value = value[step]
        if value is not None or not isinstance(container, dict):
            continue
        candidates = [variant for node in above for variant in json_schema.variants(node, schema)]
        if any(step in node.get("properties", ()) and step not in node.get("required", ()) for node in candidates):
            del container[step]


def _copied(value: Any) -> Any:
    """A copy of the dicts and lists, which alone are changed afterwards."""
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value


def _shorten(text: str, limit: int = 120) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
