"""Themes as TOML files: the bundled ones, and those that people drop into their config folder.

A file has a `name`, `dark` (true or false), `ansi` (true for one in the terminal's own colours), a table `[colors]`
with Textual's colours (`background`, `foreground` and `primary` at least) and a table `[tokens]` with our own
(`TOKENS`), which may be left out. A colour is written as Textual takes it: `"#e8b06a"`, `"rgb(232,176,106)"`, `"teal"`,
or `"ansi_blue"` in a theme that is `ansi`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from textual.color import Color, ColorParseError
from textual.theme import BUILTIN_THEMES, Theme

from agent_console.data import data_folder
from agent_runtime.records import record
from agent_runtime.toml_lines import TomlFileError, at_line, line_of, read_toml

DARK: Final = "nocturne"
LIGHT: Final = "paper"

COLORS: Final = (
    "background",
    "surface",
    "panel",
    "foreground",
    "primary",
    "secondary",
    "accent",
    "success",
    "warning",
    "error",
)
_REQUIRED: Final = ("background", "foreground", "primary")

TOKENS: Final[Mapping[str, tuple[str, float]]] = {
    "user": ("accent", 1.0),
    "agent": ("primary", 1.0),
    "tool": ("secondary", 1.0),
    "muted": ("foreground", 0.65),
    "faint": ("foreground", 0.42),
    "unheard": ("foreground", 0.5),
    "interim": ("foreground", 0.6),
    "track": ("foreground", 0.2),
    "speech": ("success", 1.0),
    "level": ("primary", 1.0),
}
"""Our own tokens: for a theme that doesn't set one, the colour that it takes and how much of it stands out from
the background."""


@record(frozen=True, slots=True)
class ThemeProblem:
    """Why a theme file is left out."""

    file: Path
    field: str
    problem: str
    line: int | None = None

    def __str__(self) -> str:
        place = at_line(self.file.name, self.line)
        where = f"{place}: {self.field}" if self.field else place
        return f"{where}: {self.problem}"


@record(frozen=True, slots=True)
class Themes:
    """What was found: the themes that can be used, and what is wrong with the others."""

    themes: tuple[Theme, ...]
    problems: tuple[ThemeProblem, ...]


class _BadThemeError(Exception):
    def __init__(self, field: str, problem: str) -> None:
        self.field = field
        self.problem = problem


def load_themes(folders: Iterable[Path] = ()) -> Themes:
    """Every theme in the bundled folder and in `folders`; of two with one name the later stays."""
    found: dict[str, Theme] = {}
    problems: list[ThemeProblem] = []
    for folder in (data_folder("themes"), *folders):
        for file in sorted(folder.glob("*.toml")) if folder.is_dir() else ():
            text = ""
            try:
                text, data = read_toml(file)
                theme = _theme(data, file.stem)
            except TomlFileError as error:
                problems.append(ThemeProblem(file, "", error.problem, error.line))
            except _BadThemeError as error:
                problems.append(ThemeProblem(file, error.field, error.problem, _line(text, error.field)))
            else:
                found[theme.name] = theme
    return Themes(tuple(found.values()), tuple(problems))


def files_in(folders: Iterable[Path]) -> tuple[tuple[str, int, int], ...]:
    """The theme files that there are, with what tells that one was saved."""
    found = [file for folder in folders if folder.is_dir() for file in sorted(folder.glob("*.toml"))]
    stats = []
    for file in found:
        with contextlib.suppress(FileNotFoundError):  # an editor that saves by renaming takes it away for a moment
            stats.append((file, file.stat()))
    return tuple((str(file), stat.st_mtime_ns, stat.st_size) for file, stat in stats)


def _line(text: str, field: str) -> int | None:
    table, _, key = field.rpartition(".")
    return line_of(text, table, key) or line_of(text, table or key)


def with_fallbacks(variables: Mapping[str, str]) -> dict[str, str]:
    """A theme's CSS variables, with our tokens derived for themes that don't know them."""
    background = Color.parse(variables["background"])
    filled = dict(variables)
    for token, (source, share) in TOKENS.items():
        if token not in filled:
            filled[token] = _blend(background, variables[source], share)
    return filled


def _blend(background: Color, color: str, share: float) -> str:
    parsed = Color.parse(color)
    # An ANSI colour has no components to mix.
    return color if parsed.ansi is not None else background.blend(parsed, share, alpha=1.0).hex


def _theme(data: dict[str, Any], file_name: str) -> Theme:
    name = data.pop("name", file_name)
    dark = data.pop("dark", True)
    ansi = data.pop("ansi", False)
    if not isinstance(name, str) or not name:
        raise _BadThemeError("name", "must be a text")
    if not isinstance(dark, bool):
        raise _BadThemeError("dark", "must be true or false")
    if not isinstance(ansi, bool):
        raise _BadThemeError("ansi", "must be true or false")
    colors = _table(data, "colors", COLORS)
    tokens = _table(data, "tokens", TOKENS)
    for unknown in data:
        raise _BadThemeError(unknown, "isn't known; there are name, dark, ansi, [colors] and [tokens]")
    for required in _REQUIRED:
        if required not in colors:
            raise _BadThemeError(f"colors.{required}", "is missing")
    # Textual's own style sheet asks a theme in the terminal's colours for variables that only such a theme has.
    needed = BUILTIN_THEMES["ansi-dark" if dark else "ansi-light"].variables if ansi else {}
    return Theme(name=name, dark=dark, ansi=ansi, variables={**needed, **tokens}, **colors)


def _table(data: dict[str, Any], table: str, known: Iterable[str]) -> dict[str, Any]:
    values = data.pop(table, {})
    if not isinstance(values, dict):
        raise _BadThemeError(table, "must be a table")
    for key, value in values.items():
        field = f"{table}.{key}"
        if key not in known:
            raise _BadThemeError(field, f"isn't known; there are {', '.join(known)}")
        try:
            Color.parse(value if isinstance(value, str) else "")
        except ColorParseError as error:
            raise _BadThemeError(field, f'{value!r} isn\'t a colour; write it like "#e8b06a"') from error
    return values
