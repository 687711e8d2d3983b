"""Themes from files: the bundled ones are whole, a bad one is named and the rest load."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.color import Color
from textual.theme import BUILTIN_THEMES

from agent_console.themes import DARK, LIGHT, TOKENS, load_themes, with_fallbacks

BUNDLED = {DARK: True, LIGHT: False, "beacon": True, "ember": True, "moss": True, "terminal": True}
GOOD = 'name = "mine"\n[colors]\nbackground = "#000000"\nforeground = "#ffffff"\nprimary = "teal"\n'


def write(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text, "utf-8")
    return folder


def test_the_bundled_themes_are_whole() -> None:
    found = load_themes()
    assert found.problems == ()
    assert {theme.name: theme.dark for theme in found.themes} == BUNDLED
    assert [theme.name for theme in found.themes if theme.ansi] == ["terminal"]
    assert all(set(theme.variables) >= set(TOKENS) for theme in found.themes)


READABLE = [theme for theme in load_themes().themes if not theme.ansi]
"""A terminal's own colours are its user's affair."""


@pytest.mark.parametrize("theme", READABLE, ids=lambda theme: theme.name)
def test_text_can_be_read_on_its_background(theme: object) -> None:
    variables = with_fallbacks(theme.to_color_system().generate() | theme.variables)  # type: ignore[attr-defined]
    for token in ("foreground", "user", "agent", "tool", "muted", "success", "warning", "error"):
        for ground in ("background", "surface", "panel"):
            ratio = contrast(variables[token], variables[ground])
            assert ratio >= 4.0, (token, ground, ratio)
    for token in ("unheard", "interim"):
        assert contrast(variables[token], variables["background"]) >= 3.2


def test_the_high_contrast_theme_has_it() -> None:
    (theme,) = [theme for theme in READABLE if theme.name == "beacon"]
    variables = with_fallbacks(theme.to_color_system().generate() | theme.variables)
    for token in ("foreground", "user", "agent", "tool", "muted", "unheard", "interim", "success", "warning", "error"):
        assert all(contrast(variables[token], variables[ground]) >= 7 for ground in ("background", "surface", "panel"))


def contrast(first: str, second: str) -> float:
    """The contrast ratio of WCAG 2."""
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(color: str) -> float:
    parts = [channel / 255 for channel in Color.parse(color).rgb]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_a_users_theme_is_found(tmp_path: Path) -> None:
    found = load_themes([write(tmp_path, "mine.toml", GOOD)])
    assert "mine" in [theme.name for theme in found.themes]


def test_a_users_theme_may_take_the_place_of_ours(tmp_path: Path) -> None:
    found = load_themes([write(tmp_path, "x.toml", GOOD.replace("mine", DARK))])
    (theme,) = [theme for theme in found.themes if theme.name == DARK]
    assert theme.background == "#000000"


def test_a_folder_that_is_not_there_is_fine(tmp_path: Path) -> None:
    assert load_themes([tmp_path / "no"]).problems == ()


@pytest.mark.parametrize(
    ("text", "field", "problem"),
    [
        ("dark = true\nname = ", "", "isn't TOML"),
        (GOOD.replace('"teal"', '"blurple"'), "colors.primary", "isn't a colour"),
        (GOOD.replace('"teal"', "7"), "colors.primary", "isn't a colour"),
        (GOOD.replace('primary = "teal"\n', ""), "colors.primary", "is missing"),
        (GOOD + 'glow = "red"\n', "colors.glow", "isn't known"),
        (GOOD + '[tokens]\nowl = "red"\n', "tokens.owl", "isn't known; there are user, agent"),
        ("shade = 1\n" + GOOD, "shade", "isn't known"),
        ('dark = "yes"\n' + GOOD, "dark", "must be true or false"),
        (GOOD.replace('"mine"', "3"), "name", "must be a text"),
        ("colors = 3", "colors", "must be a table"),
    ],
)
def test_a_bad_theme_is_named_and_the_rest_load(tmp_path: Path, text: str, field: str, problem: str) -> None:
    write(tmp_path, "bad.toml", text)
    write(tmp_path, "good.toml", GOOD.replace("mine", "good"))
    found = load_themes([tmp_path])
    assert {theme.name for theme in found.themes} == {*BUNDLED, "good"}
    (only,) = found.problems
    assert only.field == field
    assert problem in only.problem
    assert str(only).startswith("bad.toml:")


def test_the_line_that_is_no_toml_is_named(tmp_path: Path) -> None:
    (problem,) = load_themes([write(tmp_path, "bad.toml", GOOD.replace('"teal"', "teal"))]).problems
    assert str(problem) == "bad.toml:5: isn't TOML: Invalid value"


def test_the_line_of_a_bad_colour_is_named(tmp_path: Path) -> None:
    (problem,) = load_themes([write(tmp_path, "bad.toml", GOOD.replace('"teal"', '"blurple"'))]).problems
    assert str(problem).startswith("bad.toml:5: colors.primary: ")


@pytest.mark.parametrize("name", BUILTIN_THEMES)
def test_our_tokens_are_there_in_every_theme_of_textual(name: str) -> None:
    variables = with_fallbacks(BUILTIN_THEMES[name].to_color_system().generate())
    assert all(Color.parse(variables[token]) for token in TOKENS)
