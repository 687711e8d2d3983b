"""Writes docs/reference.md, of commands, flags and keys, from the code itself.

python -m tests.support.reference_page
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

from agent_console import arguments
from agent_console.panels import every_action
from agent_console.replay.keys import COMPARISON, PLAYER

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "reference.md"
COMMANDS: Final[dict[str, Callable[..., Any]]] = {
    "": arguments.run,
    "new": arguments.new,
    "test": arguments.hold_to,
    "replay": arguments.replay,
    "bench": arguments.bench,
    "attach": arguments.attach,
    "devices": arguments.devices,
    "config": arguments.config,
    "doctor": arguments.doctor,
    "schema": arguments.schema,
}
HEAD: Final = """\
# Reference

Every command, flag and key, as the code has them. Settings, with their defaults and where they may stand, are on
[a page of their own](settings.md).
"""


def page() -> str:
    """The page as it should be."""
    parts = [HEAD, "## Commands\n", *(_command(name, function) for name, function in COMMANDS.items())]
    return "\n".join([*parts, _keys()])


def _command(name: str, function: Callable[..., Any]) -> str:
    told = inspect.cleandoc(function.__doc__ or "")
    sentence = told.partition("\n")[0]
    descriptions = dict(re.findall(r"^ {4}(\w+): (.+)$", told, flags=re.MULTILINE))
    hints = get_type_hints(function)
    rows, words = [], []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.POSITIONAL_ONLY:
            needed = parameter.default is parameter.empty
            words.append(parameter.name.upper() if needed else f"[{parameter.name.upper()}]")
            rows.append(f"| `{parameter.name.upper()}` | {descriptions[parameter.name]} |")
        elif dataclasses.is_dataclass(hints[parameter.name]):
            rows += _group(hints[parameter.name])
        else:
            rows.append(_flag(parameter, hints[parameter.name], descriptions[parameter.name]))
    line = " ".join(["agent-console", *([name] if name else []), *words])
    table = "\n".join(["| | |", "|---|---|", *rows]) + "\n" if rows else ""
    return f"### `{line}`\n\n{sentence}\n\n{table}".rstrip("\n") + "\n"


def _group(flags: type[Any]) -> list[str]:
    """The rows of flags that are fields of one class; what each is for stands under it."""
    told = re.findall(r"^ {4}(\w+): .+\n {4}\"\"\"(.+)\"\"\"$", inspect.getsource(flags), flags=re.MULTILINE)
    hints, parameters = get_type_hints(flags), inspect.signature(flags).parameters
    return [_flag(parameters[name], hints[name], description) for name, description in told]


def _flag(parameter: inspect.Parameter, hint: Any, description: str) -> str:
    name = parameter.name.replace("_", "-")
    shown = f"--{name}{_value(hint)}"
    if "bool" in parameter.annotation and "negative" not in parameter.annotation:
        shown = f"--{name}, --no-{name}"
    return f"| `{shown}` | {description} |"


def _value(hint: Any) -> str:
    """What follows the flag: its choices, or what kind of value it takes."""
    kinds = [kind for kind in get_args(hint) or (hint,) if kind is not type(None)]
    if get_origin(hint) is Literal:
        kinds = [hint]
    kind = kinds[0]
    if get_origin(kind) is Literal:
        return " " + ", ".join(str(choice) for choice in get_args(kind))
    return {bool: "", Path: " FILE", int: " NUMBER", float: " NUMBER"}.get(kind, " TEXT")


def _keys() -> str:
    lines = ["## Keys\n", "The ids are what a keymap names: see [the console](console.md).\n"]
    actions = (*every_action(), *PLAYER, *COMPARISON)
    groups = dict.fromkeys(action.group for action in actions)
    for group in groups:
        lines += [f"### {group}\n", "| key | id | |", "|---|---|---|"]
        lines += [
            f"| {_shown(action.keys)} | `{action.id}` | {action.help} |" for action in actions if action.group == group
        ]
        lines.append("")
    return "\n".join(lines)


def _shown(keys: str) -> str:
    return ", ".join(f"`{key}`" for key in keys.split(",") if key)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
