"""The code on the pages about turns, traces, background audio and reloads runs."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
from pathlib import Path
from typing import Any

from agent_console.keymap import read_keymap
from agent_console.keys import NO_KEY
from agent_console.panels import every_action, panels
from agent_console.prices import load_prices
from agent_runtime import Agent, function_tool, telemetry
from agent_runtime.settings_layers import load_settings
from agent_runtime.testing import Answer, Stage, UserSpeech, run_virtual, scripted_session
from tests.support.traces import Traces

DOCS = Path(__file__).resolve().parents[2] / "docs"


def snippets(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), flags=re.DOTALL)


async def run(code: str, names: dict[str, Any]) -> None:
    compiled = compile(code, "snippet", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    result = eval(compiled, names)
    if inspect.isawaitable(result):
        await result


def test_background_audio() -> None:
    code = snippets("background-audio.md")
    assert len(code) == 2

    async def scenario() -> None:
        async with scripted_session() as stage:
            names: dict[str, Any] = {"session": stage.session}
            await run(code[0], names)
            assert stage.session.output.background is not None
            await run(code[1], names)
            assert names["handle"].done()
            assert stage.session.output.background is None

    run_virtual(scenario())


def test_turn_taking() -> None:
    code = snippets("turn-taking.md")
    assert len(code) == 2
    names: dict[str, Any] = {}

    async def scenario() -> None:
        await run(code[0], names)
        await run(code[1], names)

    run_virtual(scenario())
    options = names["session"].options
    assert (options.endpointing["mode"], options.user_turn_limit["max_words"]) == ("dynamic", 120)
    assert options.transcription_timeout == 3.0
    assert names["Patient"]().probability("Stop!", 0.2) == 1.0


def test_reload() -> None:
    (code,) = snippets("reload.md")
    names: dict[str, Any] = {}
    asyncio.run(run(code, names))
    assert names["orders"]["soup"] == 2


def test_telemetry() -> None:
    (code,) = snippets("telemetry.md")
    traces = Traces()

    async def scenario() -> Stage:
        names: dict[str, Any] = {}
        await run(code, names)
        # The page leaves the processors to the reader: these are the test's.
        names["provider"].add_span_processor(traces.provider._active_span_processor)
        async with scripted_session([UserSpeech(0.5, 2.5, "Hi")], answers=[Answer("Hello.")]) as stage:
            await stage.session.start(Agent(instructions=""))
            await stage.run_until(8.0)
        names["provider"].shutdown()
        return stage

    try:
        run_virtual(scenario())
    finally:
        telemetry.set_tracer_provider(None)
    (turn,) = traces.named("turn")
    assert turn.attributes["deployment"] == "kiosk"
    page = (DOCS / "telemetry.md").read_text(encoding="utf-8")
    for span in traces.spans:
        kind = span.name.split()[0].removeprefix("wait")
        assert f"`{kind}" in page or f"`wait{kind}" in page, span.name


def test_workshop() -> None:
    (code,) = snippets("workshop.md")

    class Clerk(Agent):
        def __init__(self) -> None:
            super().__init__(instructions="You keep the books.")

        @function_tool
        async def book(self, room: str) -> str:
            """Book a room."""
            return f"booked {room}"

    async def scenario() -> None:
        answers = [Answer("", [("book", '{"room": "red"}')]), Answer("It is lost."), Answer("That one is booked.")]
        async with scripted_session(answers=answers) as stage:
            names: dict[str, Any] = {"session": stage.session, "agent": Clerk()}
            await run(code, names)
            assert names["outcome"].output == "booked blue"
            (finished,) = stage.of("tool_finished")
            assert (finished.data.output, finished.data.duration) == ("The book is lost.", 1.5)
            assert [e.data.current for e in stage.of("branches_changed")] == ["branch 2", "main"]
            words = [m.text_content for m in stage.session.current_agent.chat_ctx.messages()]
            assert "That one is booked." not in words

    run_virtual(scenario())


def test_the_console_page_s_settings_are_understood(tmp_path: Path) -> None:
    budgets, keys, prices = re.findall(r"```toml\n(.*?)```", (DOCS / "console.md").read_text("utf-8"), flags=re.DOTALL)
    (tmp_path / "agent-console.toml").write_text(budgets + keys, "utf-8")
    resolved = load_settings(folder=tmp_path, environ={}, user_file=tmp_path / "none.toml")
    assert (resolved.settings.budgets.answer, resolved.settings.budgets.tools) == (0.9, 0.5)
    keymap, problems = read_keymap(resolved.settings.keys, every_action(), resolved.origins)
    assert keymap == {"mute": "ctrl+t", "interrupt": "i,f8", "log": NO_KEY, "events.pause": "h"}
    assert problems == []
    (tmp_path / "prices.toml").write_text(prices, "utf-8")
    table, problems = load_prices(tmp_path / "prices.toml")
    assert list(table.models) == ["gpt-4.1-mini", "my-voice"]
    assert problems == []


def test_the_console_page_names_every_panel() -> None:
    page = (DOCS / "console.md").read_text("utf-8")
    assert [spec.id for spec in panels() if f"| `{spec.key}` | {spec.title.lower()} |" not in page] == []
