"""Tools by hand: what is asked of the session, and what is shown of it."""

from __future__ import annotations

import pytest
from textual.widgets import TextArea

from agent_console.drawing.tools import key_of
from agent_console.panels.tools import ToolsPanel
from agent_console.screens.editor import EditorScreen
from agent_runtime import events as ev
from agent_runtime.workshop.requests import KeepTry, RunTool, SetStandIn
from tests.console.opening import Console, Open


def panel(it: Console) -> ToolsPanel:
    view = it.screen.dock.view
    assert isinstance(view, ToolsPanel)
    return view


def selected(it: Console) -> str:
    row = panel(it).list.selected
    assert row is not None
    return key_of(row)


def asked(it: Console) -> list[object]:
    return [call[1] for call in it.backend.calls if call[0] == "ask_workshop"]


async def write(it: Console, text: str, *keys: str) -> None:
    """Put a text into the editor that is open, then press."""
    editor = it.app.screen
    assert isinstance(editor, EditorScreen)
    editor.query_one(TextArea).text = text
    await it.press(*keys)


def problem(it: Console) -> str:
    note = it.app.screen.query_one("#editor-problem")
    return str(note.visual) if note.display else ""


async def test_the_cursor_goes_over_tools_and_calls_and_stays_with_its_row(console: Open) -> None:
    async with console("workshop") as it:
        await it.press("3")
        assert selected(it) == "tool get_weather"
        await it.press("down", "down", "down")
        assert selected(it) == "call try-2"
        await it.send(ev.ToolTried("try-3", "find_city", "{}"))
        assert selected(it) == "call try-2"
        await it.press("k", "k")
        assert selected(it) == "tool find_city"


async def test_enter_runs_a_tool_with_arguments_that_begin_as_its_schema(console: Open) -> None:
    async with console("workshop") as it:
        await it.press("3", "enter")
        assert it.app.screen.query_one(TextArea).text == '{\n  "city": ""\n}'
        await write(it, '{"city": "Oslo"', "ctrl+s")
        assert problem(it) == "line 1, column 16: Expecting ',' delimiter"
        await write(it, '{"city": "Oslo"}', "ctrl+s")
        assert asked(it) == [RunTool("get_weather", '{"city": "Oslo"}')]
        assert panel(it).has_focus_within
        await it.send(ev.ToolTried("try-3", "get_weather", "{}"), ev.ToolTryFinished("try-3", "x", "Snow", False, 0.1))
        assert selected(it) == "call try-3"


async def test_the_first_argument_is_typed_where_it_is_missing(console: Open) -> None:
    async with console("workshop") as it:
        await it.press("3", "enter", "R", "o", "m", "e")
        assert it.app.screen.query_one(TextArea).text == '{\n  "city": "Rome"\n}'


async def test_enter_on_a_call_runs_it_again_edited(console: Open) -> None:
    async with console("workshop") as it:
        await it.press("3", "down", "down", "down", "enter")
        assert it.app.screen.query_one(TextArea).text == '{"city": "Bergen"}'
        await it.press("escape")
        assert asked(it) == []


@pytest.mark.parametrize(
    ("keys", "text", "request_"),
    [
        ("M", "fully booked", SetStandIn("get_forecast", result="fully booked")),
        ("F", "It is down.", SetStandIn("get_forecast", error="It is down.")),
        ("D", "1.5", SetStandIn("get_forecast", delay=1.5)),
    ],
)
async def test_a_stand_in_is_written(console: Open, keys: str, text: str, request_: SetStandIn) -> None:
    async with console("workshop") as it:
        await it.press("3", "down", keys)
        await write(it, text, "ctrl+s")
        assert asked(it) == [request_]


async def test_a_delay_is_a_number_and_leaves_the_answer_as_it_is(console: Open) -> None:
    async with console("workshop") as it:
        await it.press("3", "D")
        await write(it, "soon", "enter")
        assert problem(it) == "'soon' isn't a number of seconds"
        await write(it, "3", "enter")
        assert asked(it) == [SetStandIn("get_weather", None, "The service can't be reached right now.", 3.0)]


async def test_what_is_typed_takes_the_place_of_the_suggestion_and_nothing_is_lost(console: Open) -> None:
    async with console("workshop") as it:
        await it.press("3", "M", *"ok", "ctrl+s")
        assert asked(it) == [SetStandIn("get_weather", result="ok", delay=2.0)]


async def test_u_lets_calls_reach_the_tool_again(console: Open) -> None:
    async with console("workshop") as it:
        await it.press("3", "U", "down", "U")
        assert asked(it) == [SetStandIn("get_weather")]


async def test_a_adds_a_run_by_hand_to_the_conversation_once(console: Open) -> None:
    async with console("workshop") as it:
        await it.press("3", "A", "down", "down", "down", "A")
        assert asked(it) == [KeepTry("try-2")]
        await it.send(ev.ToolTryKept("try-2"))
        await it.press("A")
        assert asked(it) == [KeepTry("try-2")]


async def test_header_and_panel_say_that_a_tool_isnt_real(console: Open) -> None:
    async with console("workshop") as it:
        await it.press("3")

        def header() -> str:
            lines = it.screen._instruments["header"].draw(80, 2)
            return "".join(text for line in lines for text, _ in line)

        assert "! 2 mocked" in header()
        assert "branch 2" in header()
        await it.send(ev.ToolStoodIn("get_weather"), ev.ToolStoodIn("find_city"))
        assert "mocked" not in header()
        assert "".join(text for text, _ in panel(it).note(it.app.state)) == "3 tools"
        await it.send(ev.ToolsListed("WeatherAgent", (it.app.state.bench.tools[0],)))
        assert "".join(text for text, _ in panel(it).note(it.app.state)) == "1 tool"


async def test_what_is_refused_is_one_line(console: Open) -> None:
    async with console("workshop") as it:
        await it.send(ev.RequestRefused("run tool", "weather has no tool 'x'"))
        assert it.app.state.banners[-1].text == "run tool: weather has no tool 'x'"


async def test_without_tools_it_says_so_and_keys_do_nothing(console: Open) -> None:
    async with console("workshop") as it:
        await it.send(ev.ToolsListed("WeatherAgent", ()), ev.ToolStoodIn("get_weather"), ev.ToolStoodIn("find_city"))
        await it.press("3")
        panel(it).list.select(None)
        await it.press("M", "enter")
        assert not isinstance(it.app.screen, EditorScreen)


async def test_who_typed_from_the_panel_is_back_in_it_by_escape(console: Open) -> None:
    async with console("workshop") as it:
        await it.press("3", "down", "t", *"hi", "enter", "escape")
        assert panel(it).has_focus_within
        await it.press("escape", "t", "escape")
        assert it.screen.transcript.has_focus
