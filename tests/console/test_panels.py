"""Panels are chosen by digits, have the keyboard while they are shown, and lie where there is room."""

from __future__ import annotations

import pytest

from agent_console.panels import every_action, panels
from agent_console.widgets.page import Page
from agent_runtime import events as ev
from tests.console.opening import Open


@pytest.mark.parametrize("spec", panels(), ids=lambda spec: spec.id)
@pytest.mark.parametrize("size", [(80, 24), (120, 40), (160, 50)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_a_digit_shows_a_panel_and_puts_it_away(console: Open, spec: object, size: tuple[int, int]) -> None:
    async with console(size=size) as it:
        await it.press(spec.key)  # type: ignore[attr-defined]
        assert it.screen.dock.spec is spec
        assert it.screen.dock.view is not None
        assert it.screen.dock.view.has_focus_within
        assert it.screen.dock.view.region.height > 5
        await it.press(spec.key)  # type: ignore[attr-defined]
        assert it.screen.dock.spec is None
        assert it.app.focused is it.screen.transcript


async def test_a_panel_lies_over_the_transcript_where_it_is_narrow(console: Open) -> None:
    async with console(size=(80, 24)) as it:
        await it.press("1")
        assert not it.screen.query_one("#conversation").region.width
        await it.press("escape")
        assert it.screen.query_one("#conversation").region.width == 80


@pytest.mark.parametrize(("size", "gone", "stays"), [((120, 40), "#side", "#far"), ((160, 50), "#far", "#side")])
async def test_a_panel_takes_a_column_where_it_is_wide(
    console: Open, size: tuple[int, int], gone: str, stays: str
) -> None:
    async with console(size=size) as it:
        before = it.screen.query_one(stays).region.width
        await it.press("1")
        assert not it.screen.query_one(gone).region.width
        assert it.screen.query_one(stays).region.width == before
        assert it.screen.query_one("#conversation").region.width > 50
        assert it.screen.query_one("#dock").region.width > 50


async def test_an_open_panel_takes_another_column_when_the_terminal_is_resized(console: Open) -> None:
    columns = ("conversation", "side", "far", "dock")
    async with console(size=(160, 50)) as it:

        def shown() -> set[str]:
            return {name for name in columns if it.screen.query_one(f"#{name}").region.width}

        assert shown() == {"conversation", "side", "far"}
        await it.press("1")
        for width, expected in (
            (120, {"conversation", "dock"}),
            (80, {"dock"}),
            (160, {"conversation", "side", "dock"}),
        ):
            await it.pilot.resize_terminal(width, 40)
            await it.press()
            assert shown() == expected
        await it.press("1")
        assert shown() == {"conversation", "side", "far"}


async def test_a_panel_s_heading_tells_that_it_has_the_keyboard(console: Open) -> None:
    async with console(size=(120, 40)) as it:
        await it.press("1")
        panel = it.screen.dock.view
        assert panel is not None
        assert panel.head.draw(40, 1)[0][0] == ("TIMELINE", "key")
        it.screen.transcript.focus()
        await it.press()
        assert panel.head.draw(40, 1)[0][0] == ("TIMELINE", "heading")


async def test_the_session_below_the_waterfall_stays_where_it_is_while_a_turn_begins(console: Open) -> None:
    async with console("busy", size=(160, 50)) as it:
        await it.press("1")
        page = it.app.focused
        assert isinstance(page, Page)

        def line_of(word: str) -> int:
            return next(number for number, line in enumerate(page._lines) if line and line[0][0].startswith(word))

        before = line_of("SESSION")
        state = it.app.state
        begun = ev.Event(state.seq + 1, state.now + 1, "session-1", "turn-99", "speech", ev.TurnStarted(99))
        it.backend.send(begun)
        await it.send(ev.LogWritten("debug", "x", "the next frame"))
        assert line_of("you are speaking") == 0
        assert line_of("SESSION") == before


def test_panels_differ_in_key_and_id() -> None:
    assert len({spec.key for spec in panels()}) == len({spec.id for spec in panels()}) == len(panels())
    ids = [action.id for action in every_action()]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("spec", panels(), ids=lambda spec: spec.id)
def test_a_panel_s_own_keys_are_its_own(spec: object) -> None:
    assert all(action.scope == spec.id for action in spec.keys)  # type: ignore[attr-defined]


async def test_the_scroll_keys_move_the_panel_that_has_the_keyboard(console: Open) -> None:
    async with console("busy", size=(80, 24)) as it:
        await it.press("1")
        page = it.app.focused
        assert isinstance(page, Page)
        positions = []
        for key in ("down", "pagedown", "end", "up", "home"):
            await it.press(key)
            positions.append(page.scroll_offset.y)
        end = page.max_scroll_y
        assert positions == [1, min(end, page.size.height - 1), end, end - 1, 0]
