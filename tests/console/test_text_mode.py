"""Where there is nothing to hear and nothing to say, the first key that is pressed is a letter."""

from __future__ import annotations

from agent_console.app import ConsoleApp
from agent_console.widgets.prompt import LineInput
from tests.support.backend import ScriptedBackend
from tests.support.conversation import Script
from tests.support.screenshots import settle


async def test_a_session_that_is_typed_takes_letters_before_it_has_started() -> None:
    app = ConsoleApp(ScriptedBackend([]), mode="text", monotonic=lambda: 0.0, encoding="utf-8")
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("q", "u", "i", "t")
        assert isinstance(app.focused, LineInput)
        assert app.focused.value == "quit"
        assert "you type" in app.export_screenshot().replace("&#160;", " ")


async def test_nobody_is_told_to_talk_where_all_is_typed() -> None:
    backend = ScriptedBackend(Script().open(mode="text").ready().events)
    app = ConsoleApp(backend, mode="text", monotonic=lambda: 0.0, encoding="utf-8")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(app)
        await pilot.press("escape", "space")
        await pilot.pause()
        shown = app.export_screenshot().replace("&#160;", " ")
        assert "t to type" in shown
        assert "space to talk" not in shown
        assert backend.calls == []
