"""Where there is nothing to hear and nothing to say, the first key that is pressed is a letter."""

from __future__ import annotations

from agent_console.app import ConsoleApp
from agent_console.widgets.prompt import LineInput
from tests.support.backend import ScriptedBackend


async def test_a_session_that_is_typed_takes_letters_before_it_has_started() -> None:
    app = ConsoleApp(ScriptedBackend([]), mode="text", monotonic=lambda: 0.0, encoding="utf-8")
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("q", "u", "i", "t")
        assert isinstance(app.focused, LineInput)
        assert app.focused.value == "quit"
        assert "you type" in app.export_screenshot().replace("&#160;", " ")
