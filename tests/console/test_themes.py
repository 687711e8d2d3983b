"""Themes while the console runs: a saved file is drawn at once, a broken one is named; NO_COLOR leaves no colour."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.color import Color
from textual.theme import Theme

from agent_console.panels import panels
from agent_console.themes import load_themes
from tests.console.opening import Console, Open

MINE = 'name = "mine"\n[colors]\nbackground = "#101010"\nforeground = "#ffffff"\nprimary = "teal"\n'


def write(file: Path, text: str) -> None:
    file.write_text(text, "utf-8")


async def save(it: Console, file: Path, text: str) -> None:
    """Write the file and let the console's own second pass."""
    write(file, text)
    it.app._second()
    await it.pilot.pause()


@pytest.mark.parametrize("theme", load_themes().themes, ids=lambda theme: theme.name)
async def test_every_theme_draws_every_panel(console: Open, theme: Theme) -> None:
    async with console(theme=theme.name, size=(120, 40)) as it:
        for spec in panels():
            await it.press(spec.key)
        assert it.app.current_theme.name == theme.name


async def test_a_theme_that_is_saved_is_drawn_at_once(console: Open, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    write(file, MINE)
    async with console(theme="mine", theme_folders=[tmp_path]) as it:
        assert it.screen.styles.background == Color.parse("#101010")
        await save(it, file, MINE.replace("#101010", "#203040"))
        assert it.screen.styles.background == Color.parse("#203040")


async def test_a_theme_that_is_new_can_be_picked(console: Open, tmp_path: Path) -> None:
    async with console(theme_folders=[tmp_path]) as it:
        await save(it, tmp_path / "new.toml", MINE.replace("mine", "new"))
        it.app.use_theme("new")
        await asyncio.sleep(0)
        assert it.app.current_theme.name == "new"
        assert "new" in it.app.own_themes


async def test_a_theme_that_is_broken_is_named_and_the_old_one_stays(
    console: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "mine.toml"
    write(file, MINE)
    async with console(theme="mine", theme_folders=[tmp_path]) as it:
        told: list[str] = []
        monkeypatch.setattr(it.app, "notify", lambda message, **options: told.append(message))
        await save(it, file, MINE.replace('"teal"', '"blurple"') + "\n")
        assert told == ["theme mine.toml:5: colors.primary: 'blurple' isn't a colour; write it like \"#e8b06a\""]
        assert it.screen.styles.background == Color.parse("#101010")
        it.app._second()
        assert len(told) == 1


async def test_no_color_leaves_none(console: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with console() as it:
        strip = it.screen._compositor.render_strips()[0].apply_filter(
            it.app.get_line_filters()[0], Color.parse("black")
        )
        colors = {part for segment in strip if segment.style for part in (segment.style.color, segment.style.bgcolor)}
        triplets = [color.triplet for color in colors if color is not None and color.triplet is not None]
        assert triplets
        assert all(red == green == blue for red, green, blue in triplets)


async def highlight(it: Console, theme: str) -> None:
    """Type so that the theme is the palette's first line, and wait until it is drawn."""
    await it.press("ctrl+p", *theme)
    await wait_for(it, lambda: it.app.theme == theme)


async def wait_for(it: Console, reached: Callable[[], bool]) -> None:
    for _ in range(400):
        if reached():
            return
        await it.pilot.pause(0.02)
    raise AssertionError(f"{it.app.theme} is drawn")


async def test_the_palette_draws_the_theme_that_its_cursor_is_on(console: Open) -> None:
    async with console() as it:
        await highlight(it, "moss")
        assert it.app.theme_preview.chosen == "nocturne"
        await it.press("escape")
        await wait_for(it, lambda: it.app.theme == "nocturne")
        await highlight(it, "moss")
        await it.press("enter")
        await it.pilot.pause()
        assert it.app.theme == it.app.theme_preview.chosen == "moss"


async def test_what_is_chosen_of_the_palette_besides_themes_leaves_the_theme(console: Open) -> None:
    async with console() as it:
        await highlight(it, "moss")
        await it.press(*["backspace"] * 4, *"mute")
        await wait_for(it, lambda: it.app.theme == "nocturne")
        await it.press("enter")
        await it.pilot.pause()
        assert it.backend.calls == [("set_muted", True)]
        assert it.app.theme == "nocturne"


async def test_a_broken_theme_that_the_settings_name_is_told_once(console: Open, tmp_path: Path) -> None:
    write(tmp_path / "mine.toml", "colour = 3\n")
    problem = "mine.toml:1: colour: isn't known; there are name, dark, ansi, [colors] and [tokens]"
    async with console(theme_folders=[tmp_path], notices=[f"agent-console.toml:2: theme: {problem}"]) as it:
        assert [banner.text for banner in it.screen._notices] == [f"agent-console.toml:2: theme: {problem}"]
    async with console(theme_folders=[tmp_path]) as it:
        assert [banner.text for banner in it.screen._notices] == [f"theme {problem}"]
