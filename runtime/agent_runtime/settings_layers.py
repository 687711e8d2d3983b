"""Where the values of `Settings` come from, layer over layer, and what is wrong with them, by file and line."""

from __future__ import annotations

import ast
import difflib
import inspect
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field, replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, get_args

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import PydanticBaseSettingsSource

from agent_runtime.errors import ConfigError
from agent_runtime.records import record
from agent_runtime.settings import PROFILES, URLS, Settings
from agent_runtime.settings_places import (
    CONVENTIONAL_VARIABLES,
    ENV_PREFIX,
    find_project_file,
    user_config_file,
)
from agent_runtime.toml_lines import TomlFileError, at_line, line_of_name, read_toml

DEFAULT_ORIGIN: Final = "default"


@cache
def setting_fields() -> dict[str, FieldInfo]:
    """Every setting by its dotted name, `audio.input_device` for one inside a section."""

    def walk(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, FieldInfo]]:
        for name, info in model.model_fields.items():
            section = info.annotation
            if isinstance(section, type) and issubclass(section, BaseModel):
                yield from walk(section, f"{prefix}{name}.")
            else:
                yield f"{prefix}{name}", info

    return dict(walk(Settings, ""))


@cache
def setting_descriptions() -> dict[str, str]:
    """What each setting is, by its dotted name: the text under it in the model's source.

    pydantic could read it too, but would do so, slowly, each time that the model is imported.
    """

    def walk(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, str]]:
        body = ast.parse(inspect.getsource(model)).body[0]
        assert isinstance(body, ast.ClassDef)
        texts: dict[str, str] = {}
        for line, text in pairwise(body.body):
            if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
                value = text.value if isinstance(text, ast.Expr) else None
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    texts[line.target.id] = inspect.cleandoc(value.value)
        for name, info in model.model_fields.items():
            section = info.annotation
            if isinstance(section, type) and issubclass(section, BaseModel):
                yield from walk(section, f"{prefix}{name}.")
            else:
                yield f"{prefix}{name}", texts.get(name, "")

    return dict(walk(Settings, ""))


@record(frozen=True, slots=True)
class Layer:
    """Values from one place, by dotted name, and for each the words that tell where exactly it stands."""

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    problems: list[ConfigError] = field(default_factory=list)
    """What stands there and is no setting."""
    is_file: bool = False
    """Whether it is read anew each time from where somebody edits it: what is wrong in it can be left out and said."""

    def leave_out(self, name: str) -> None:
        """Forget a value."""
        del self.values[name], self.origins[name]


class _LayerSource(PydanticBaseSettingsSource):
    """Hands a layer to pydantic-settings, which merges the layers and validates the result."""

    def __init__(self, layer: Layer) -> None:
        super().__init__(Settings)
        self._layer = layer

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        nested = self()
        return nested.get(field_name), field_name, isinstance(nested.get(field_name), dict)

    def __call__(self) -> dict[str, Any]:
        nested: dict[str, Any] = {}
        for dotted, value in self._layer.values.items():
            *sections, name = dotted.split(".")
            target = nested
            for section in sections:
                target = target.setdefault(section, {})
            target[name] = value
        return nested


@record(frozen=True, slots=True)
class SettingRow:
    """One setting for people: its value (secrets masked) and where it came from."""

    name: str
    value: str
    origin: str
    description: str


@record(frozen=True, slots=True)
class ResolvedSettings:
    """The settings, and where each value came from by dotted name."""

    settings: Settings
    origins: Mapping[str, str]
    problems: tuple[ConfigError, ...] = ()
    """What was left out of files."""
    from_files: frozenset[str] = frozenset()
    """The settings that a file holds."""
    dotenv: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Everything that the `.env` beside the agent holds."""

    def without(self, name: str, problem: str) -> ResolvedSettings:
        """With a setting's default, because its value can't be used after all, as `problem` says.

        Raises ConfigError if the value doesn't come from a file.
        """
        origin = self.origins[name]
        error = ConfigError(origin, "" if origin.startswith("--") else name, problem)
        if name not in self.from_files:
            raise error
        *sections, leaf = name.split(".")
        default = setting_fields()[name].get_default(call_default_factory=True)
        update: dict[str, Any] = {leaf: default}
        for depth in range(len(sections), 0, -1):
            section = self.get(".".join(sections[:depth]))
            update = {sections[depth - 1]: section.model_copy(update=update)}
        origins = {key: value for key, value in self.origins.items() if key != name}
        settings = self.settings.model_copy(update=update)
        return replace(self, settings=settings, origins=origins, problems=(*self.problems, error))

    def rows(self) -> list[SettingRow]:
        """Every setting, in the order of the model."""
        return [
            SettingRow(name, _shown(self.get(name)), self.origins.get(name, DEFAULT_ORIGIN), description)
            for name, description in setting_descriptions().items()
        ]

    def get(self, dotted: str) -> Any:
        """The value of one setting."""
        value: Any = self.settings
        for name in dotted.split("."):
            value = getattr(value, name)
        return value


def load_settings(
    flags: Mapping[str, Any] | None = None,
    *,
    folder: Path | None = None,
    environ: Mapping[str, str] | None = None,
    project_file: Path | None = None,
    user_file: Path | None = None,
    lenient: bool = False,
) -> ResolvedSettings:
    """Find and check every setting.

    Args:
        flags: values by dotted name; None is a flag that wasn't given.
        folder: where the agent is; the current one if left out. Its `.env` is read, and the nearest
            `agent-console.toml` there or above.
        environ: environment variables; the process's own if left out.
        project_file: read this file instead of looking for one.
        user_file: the user's own file; the platform's usual place if left out.
        lenient: leave out what is wrong in a file and say so in `problems`, instead of raising.

    Raises:
        ConfigError: a value is wrong. It names the place, the setting and what would be right.
    """
    folder = (folder or Path.cwd()).resolve()
    if project_file is not None and not project_file.is_file():
        raise ConfigError(str(project_file), "", "there is no such file: check --config")
    project_file = project_file or find_project_file(folder)
    user_file = user_file or user_config_file()
    dotenv, beside = dotenv_layer(folder / ".env")
    layers = [
        flags_layer(flags or {}),
        environment_layer(os.environ if environ is None else environ),
        beside,
        *([toml_layer(project_file)] if project_file else []),
        *([toml_layer(user_file)] if user_file.is_file() else []),
    ]
    problems: list[ConfigError] = []
    for layer in layers:
        if layer.problems and not (lenient and layer.is_file):
            raise layer.problems[0]
        problems += layer.problems
    settings, origins = _merged(layers, problems if lenient else None)
    holders = {name: next((layer for layer in layers if name in layer.origins), None) for name in origins}
    from_files = frozenset(name for name, holder in holders.items() if holder is not None and holder.is_file)
    return ResolvedSettings(settings, origins, tuple(problems), from_files, dotenv)


def _merged(layers: list[Layer], problems: list[ConfigError] | None) -> tuple[Settings, dict[str, str]]:
    """The settings and where each comes from. What is wrong is raised; with `problems`, files lose it to that list."""
    while True:
        with_profile = [*layers, *_profile_layers(layers)]
        origins: dict[str, str] = {}
        for layer in reversed(with_profile):
            origins.update(layer.origins)
        try:
            return Settings.from_sources(tuple(_LayerSource(layer) for layer in with_profile)), origins
        except ValidationError as exc:
            for name, error in _config_errors(exc, origins):
                holder = next(layer for layer in with_profile if name in layer.values)
                if problems is None or not holder.is_file:
                    raise error from None
                holder.leave_out(name)
                problems.append(error)


def _profile_layers(layers: Iterable[Layer]) -> list[Layer]:
    profile = next((layer.values["profile"] for layer in layers if "profile" in layer.values), "dev")
    return [profile_layer(profile)] if isinstance(profile, str) and profile in PROFILES else []


def flags_layer(flags: Mapping[str, Any]) -> Layer:
    """Values given on the command line."""
    given = {name: value for name, value in flags.items() if value is not None}
    return Layer(given, {name: _flag(name, value) for name, value in given.items()})


def environment_layer(environ: Mapping[str, str], places: Mapping[str, str] | None = None) -> Layer:
    """`AGENT_CONSOLE_…` and the conventional variables. An empty one counts as not set.

    Args:
        environ: the variables.
        places: where each of them stands, if that is in a file.
    """
    by_variable = {ENV_PREFIX + name.replace(".", "_").upper(): name for name in setting_fields()}
    layer = Layer(is_file=places is not None)

    def origin(variable: str) -> str:
        return variable if places is None else f"{places[variable]}: {variable}"

    for variable, name in (CONVENTIONAL_VARIABLES | by_variable).items():
        if value := environ.get(variable):
            layer.values[name] = value
            layer.origins[name] = origin(variable)
    for variable in environ:
        if variable.startswith(ENV_PREFIX) and variable not in by_variable:
            problem = f"there is no such setting{_near(variable, by_variable)}"
            layer.problems.append(ConfigError(origin(variable), "", problem))
    return layer


def read_dotenv(path: Path) -> dict[str, str]:
    """The variables of a `.env` file; none if there is no such file."""
    if not path.is_file():
        return {}
    from dotenv import dotenv_values

    try:
        return {name: value for name, value in dotenv_values(path).items() if value}
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(str(path), "", f"can't be read: {exc}") from exc


def dotenv_layer(path: Path) -> tuple[dict[str, str], Layer]:
    """What a `.env` file holds, and the settings among it; variables that mean nothing to us are left alone."""
    try:
        variables = read_dotenv(path)
    except ConfigError as exc:
        return {}, Layer(problems=[ConfigError(_short(path), "", exc.problem)], is_file=True)
    lines: dict[str, int] = {}
    for number, line in enumerate(path.read_text("utf-8").splitlines() if variables else (), start=1):
        if assigned := re.match(r"\s*(?:export\s+)?'?(\w+)'?\s*=", line):
            lines[assigned[1]] = number
    return variables, environment_layer(variables, {name: at_line(_short(path), lines.get(name)) for name in variables})


def toml_layer(path: Path) -> Layer:
    """The settings that a TOML file holds. A path in it is relative to the file."""
    layer = Layer(is_file=True)
    try:
        text, document = read_toml(path)
    except TomlFileError as exc:
        layer.problems.append(ConfigError(at_line(_short(path), exc.line), "", exc.problem))
        return layer
    fields = setting_fields()
    for name, value in _flatten(document, path, text, layer.problems):
        if isinstance(value, str) and _is_path(fields[name]):
            value = path.parent / value
        elif isinstance(value, str) and name == "agent" and ".py" in value:
            value = str(path.parent / value)
        layer.values[name] = value
        layer.origins[name] = _place(path, text, name)
        if isinstance(value, dict):
            layer.origins.update({f"{name}.{key}": _place(path, text, f"{name}.{key}") for key in value})
    return layer


def profile_layer(profile: str) -> Layer:
    """What a profile sets."""
    values = PROFILES[profile]
    return Layer(dict(values), dict.fromkeys(values, f"profile {profile}"))


def _flatten(
    document: dict[str, Any], path: Path, text: str, problems: list[ConfigError], prefix: str = ""
) -> Iterator[tuple[str, Any]]:
    """Settings by dotted name; what is none goes to `problems`."""
    fields = setting_fields()
    sections = {name.rpartition(".")[0] for name in fields} - {""}
    for key, value in document.items():
        name = f"{prefix}{key}"
        if name in fields:
            yield name, value
        elif name in sections and isinstance(value, dict):
            yield from _flatten(value, path, text, problems, f"{name}.")
        else:
            problem = f"this is a section: write [{name}] and lines in it"
            if name not in sections:
                problem = f"there is no such setting{_near(name, [*fields, *sections])}"
            problems.append(ConfigError(_place(path, text, name), name, problem))


def _near(name: str, known: Mapping[str, object] | list[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    if not near:  # the right name in the wrong section
        near = [other for other in known if other.rpartition(".")[2] == name.rpartition(".")[2]]
    return f"; did you mean {near[0]!r}?" if near else "; `agent-console config` lists them all"


def _place(path: Path, text: str, dotted: str) -> str:
    """`file:line` of a setting in a TOML file, or the file alone where the line isn't plain to see."""
    return at_line(_short(path), line_of_name(text, dotted))


def _short(path: Path) -> str:
    """The path as a person in the current folder would write it."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _flag(name: str, value: Any) -> str:
    leaf = name.rpartition(".")[2].replace("_", "-")
    return f"--no-{leaf}" if value is False else f"--{leaf}"


def _is_path(info: FieldInfo) -> bool:
    return Path in (info.annotation, *get_args(info.annotation))


def _is_secret(info: FieldInfo) -> bool:
    return SecretStr in (info.annotation, *get_args(info.annotation))


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, SecretStr):
        return "********"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return ", ".join(f"{key} = {entry}" for key, entry in value.items())
    return str(value)


def _config_errors(exc: ValidationError, origins: Mapping[str, str]) -> list[tuple[str, ConfigError]]:
    """What pydantic found wrong, by setting, in words that name place, setting and remedy."""
    fields = setting_fields()
    found: dict[str, ConfigError] = {}
    for error in exc.errors(include_url=False):
        place = ".".join(str(part) for part in error["loc"])
        name = next(name for name in fields if place == name or place.startswith(f"{name}."))
        message = error["msg"].removeprefix("Value error, ").replace("items after validation", "characters")
        if error["type"] != "value_error":
            message = URLS.get(error.get("ctx", {}).get("pattern", ""), message[:1].lower() + message[1:])
            if not _is_secret(fields[name]):
                message = f"{error.get('input')!r}: {message}"
        origin = origins.get(name, DEFAULT_ORIGIN)
        # A flag is its own name.
        found.setdefault(name, ConfigError(origin, "" if origin.startswith("--") else name, message))
    return list(found.items())
