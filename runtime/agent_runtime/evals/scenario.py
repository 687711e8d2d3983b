"""What stands in a scenario file, and how it is read: an error names the file, the line and the field."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final, Literal, Self, cast

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from agent_runtime.errors import ScenarioError

SUFFIXES: Final = (".yaml", ".yml")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ToolMock(_Strict):
    """What calls of a tool come to instead of the tool's own work."""

    output: str | None = Field(None, description="What the model reads as the tool's result.")
    error: str | None = Field(None, description="What the model reads as the tool's failure.")
    delay: float = Field(0.0, ge=0, description="Seconds before that; alone, before the tool itself begins.")

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if self.output is not None and self.error is not None:
            raise ValueError("a tool gives an output or an error, not both")
        return self


class Expectation(_Strict):
    """What has to hold of everything that followed the user's last words. All that is named has to."""

    tool: str | None = Field(None, description="A tool of this name was called.")
    arguments: dict[str, Any] | None = Field(None, description="With these arguments; others don't count.")
    no_tool: str | None = Field(None, description="No tool of this name was called; `any`: none at all.")
    text: str | None = Field(None, description="The agent's words have this in them, whatever the case.")
    regex: str | None = Field(None, description="A pattern is found in the agent's words.")
    intent: str | None = Field(None, description="A language model finds that the agent's words do this.")
    latency: float | None = Field(None, gt=0, description="Seconds from the user's last word to the agent's first.")
    handoff: str | None = Field(None, description="An agent of this class or id took over.")
    interrupted: bool | None = Field(None, description="Whether the agent was cut short.")

    @model_validator(mode="after")
    def _something(self) -> Self:
        if all(getattr(self, name) is None for name in type(self).model_fields):
            raise ValueError(f"nothing is expected: use {', '.join(type(self).model_fields)}")
        if self.arguments is not None and self.tool is None:
            raise ValueError("arguments are those of a tool: name it too")
        return self

    @field_validator("regex")
    @classmethod
    def _a_pattern(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                re.compile(value)
            except re.error as exc:
                raise ValueError(f"no regular expression: {exc}") from exc
        return value


class Interruption(_Strict):
    """The user cuts in while the agent answers."""

    say: str = Field(min_length=1, description="With these words.")
    after: float | None = Field(None, ge=0, description="So many seconds after the agent began to speak.")
    after_words: int | None = Field(None, ge=1, description="When so many of its words were heard.")

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.after is None) == (self.after_words is None):
            raise ValueError("say when: either after (seconds) or after_words")
        return self


class Step(_Strict):
    """One thing that happens; a step has one of these."""

    say: str | None = Field(None, min_length=1, description="The user says this, and hears the answer out.")
    expect: Expectation | None = Field(None, description="What has to hold of the answer.")
    interrupt: Interruption | None = Field(None, description="The user cuts in on the answer to the `say` before.")
    wait: float | None = Field(None, gt=0, description="Nobody says anything for so many seconds.")

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if sum(getattr(self, name) is not None for name in type(self).model_fields) != 1:
            raise ValueError("a step has one of say, expect, interrupt, wait")
        return self


class ScriptedCall(_Strict):
    """The model calls a tool."""

    tool: str
    arguments: dict[str, Any] = {}


class Scenario(_Strict):
    """One conversation, from a fresh session on."""

    name: str = Field(min_length=1)
    by: Literal["text", "speech"] = Field("text", description="Typed, or spoken by the embedded voice and recognised.")
    tools: dict[str, ToolMock] = Field({}, description="Tools that aren't really run, by name. A text is an output.")
    answers: list[str | ScriptedCall] | None = Field(
        None, description="What the model answers, in order, in place of a real one. By text that takes no time at all."
    )
    patience: float = Field(60.0, gt=0, description="Seconds that an answer may take before the scenario fails.")
    steps: list[Step] = Field(min_length=1)

    @field_validator("tools", mode="before")
    @classmethod
    def _texts_are_outputs(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {name: {"output": mock} if isinstance(mock, str) else mock for name, mock in value.items()}

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        before: Step | None = None
        for number, step in enumerate(self.steps, start=1):
            if step.interrupt is not None and (before is None or before.say is None):
                raise ValueError(f"step {number}: an interrupt comes right after the say whose answer it cuts")
            before = step
        return self


class ScenarioFile(_Strict):
    """A file of scenarios."""

    agent: str | None = Field(None, description="file.py, file.py:Name or package.module; a file counts from here.")
    judge: str | None = Field(None, description="The model that judges intents: openai or openai:MODEL.")
    scenarios: list[Scenario] = Field(min_length=1)

    @field_validator("judge")
    @classmethod
    def _can_judge(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"openai(:.+)?", value):
            raise ValueError("use openai or openai:MODEL; the embedded model is too small to judge")
        return value

    @field_validator("scenarios")
    @classmethod
    def _names_differ(cls, value: list[Scenario]) -> list[Scenario]:
        names = [scenario.name for scenario in value]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"two scenarios are called {twice!r}")
        return value


def scenario_files(path: Path) -> list[Path]:
    """The file, or those in the folder and below. Raises ScenarioError if there is none."""
    if path.is_dir():
        found = sorted(file for suffix in SUFFIXES for file in path.rglob(f"*{suffix}"))
        if not found:
            raise ScenarioError(str(path), "there is no scenario file (.yaml) in this folder")
        return found
    if not path.is_file():
        raise ScenarioError(str(path), "there is no such file")
    return [path]


def load_scenarios(path: Path) -> ScenarioFile:
    """Read a scenario file. Raises ScenarioError, with line and field, for what can't be used."""
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        content = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError) as exc:
        raise ScenarioError(str(path), f"it can't be read: {exc}") from exc
    except yaml.MarkedYAMLError as exc:
        line = exc.problem_mark.line + 1 if exc.problem_mark is not None else None
        raise ScenarioError(str(path), f"no YAML: {exc.problem or exc.context}", line=line) from exc
    except yaml.YAMLError as exc:
        raise ScenarioError(str(path), f"no YAML: {exc}") from exc
    if not isinstance(content, dict):
        raise ScenarioError(str(path), "it has to begin with `scenarios:`", line=1)
    try:
        return ScenarioFile.model_validate(content)
    except ValidationError as exc:
        error = exc.errors(include_url=False)[0]
        problem = error["msg"].removeprefix("Value error, ")
        if error["type"] == "extra_forbidden":
            problem = "there is no such field"
        field = ".".join(str(part) for part in error["loc"])
        raise ScenarioError(str(path), problem, line=_line_of(node, error["loc"]), field=field) from exc


def line_of_agent(path: Path) -> int | None:
    """Where a file that was read names its agent."""
    return _line_of(yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader), ("agent",))


def _line_of(node: yaml.Node | None, place: tuple[int | str, ...]) -> int | None:
    """The line of the innermost part of the place that is written down."""
    if node is None:
        return None
    line = node.start_mark.line + 1
    for part in place:
        if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = cast("yaml.Node", node.value[part])
            line = node.start_mark.line + 1
        elif isinstance(node, yaml.MappingNode):
            pair = next(((key, value) for key, value in node.value if key.value == str(part)), None)
            if pair is None:
                break
            line, node = pair[0].start_mark.line + 1, pair[1]
        else:
            break
    return line
