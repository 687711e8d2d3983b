"""What drawing may not do again: lay out the screen, draw an item, make a strip, load what no first frame needs."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from agent_console.drawing.text import Line
from agent_console.state import LogLine
from agent_console.widgets.log import LogPane
from agent_console.widgets.painted import PaintedScroll
from agent_runtime import events as ev
from tests.console.opening import Open

WIDE = (120, 40)
EXAMPLES = Path(__file__).parents[2] / "examples"


async def test_a_longer_transcript_lays_out_nothing_else(console: Open) -> None:
    async with console("40", WIDE) as it:
        layouts: list[object] = []
        it.screen.screen_layout_refresh_signal.subscribe(it.screen, layouts.append)
        height = it.screen.transcript.virtual_size.height
        await it.send(*(ev.AgentText("s", f"i{number}", "another line") for number in range(5)))
        assert it.screen.transcript.virtual_size.height > height
        assert layouts == []


async def test_lines_that_only_move_keep_their_strips(console: Open) -> None:
    async with console("40", WIDE) as it:
        transcript = it.screen.transcript
        before = transcript.paint(0, transcript.size.height)
        top = transcript.scroll_offset.y
        await it.send(ev.AgentText("s", "i", "one more line"))
        moved = transcript.scroll_offset.y - top
        assert moved > 0
        after = transcript.paint(0, transcript.size.height)
        assert all(old is new for old, new in zip(before[moved:-1], after[: -moved - 1], strict=True))


async def test_a_log_that_was_put_away_draws_only_what_is_new(console: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []
    draw = LogPane.draw_item

    def counted(pane: LogPane, index: int, item: LogLine, width: int) -> Sequence[Line]:
        drawn.append(index)
        return draw(pane, index, item, width)

    monkeypatch.setattr(LogPane, "draw_item", counted)
    async with console("interrupted") as it:
        await it.send(*(ev.LogWritten("info", "bench", f"line {number}") for number in range(50)))
        await it.press("l", "l")
        seen = len(it.app.state.logs)
        await it.send(ev.LogWritten("info", "bench", "meanwhile"))
        drawn.clear()
        await it.press("l")
        assert drawn == [seen]
        assert "meanwhile" in it.screen.log_pane.render_line(it.screen.log_pane.size.height - 1).text


async def test_a_conversation_that_scrolls_makes_nothing_for_the_collector(console: Open) -> None:
    async with console("40", WIDE) as it:
        await it.press("6")

        async def go_on(start: int) -> None:
            for number in range(start, start + 20):
                await it.send(ev.AgentText("s", f"i{number}", f"line {number}"), ev.LogWritten("info", "log", "line"))

        await go_on(0)  # what is made once is made
        gc.collect()
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            await go_on(100)
            gc.collect()
            kinds = Counter(type(thing).__name__ for thing in gc.garbage)
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
        assert kinds["Strip"] == 0


async def test_the_scrollbar_follows_what_it_can_show(console: Open) -> None:
    async with console("40", WIDE) as it:
        transcript: PaintedScroll = it.screen.transcript
        bar = transcript.vertical_scrollbar
        assert (bar.position, bar.window_virtual_size) == (transcript.max_scroll_y, transcript.virtual_size.height)
        await it.press("home")
        assert bar.position == 0
        await it.press("pagedown")
        assert abs(bar.position - transcript.scroll_y) <= transcript.virtual_size.height / (8 * transcript.size.height)


async def test_styles_of_lines_follow_the_theme(console: Open) -> None:
    async with console("interrupted") as it:
        header = it.screen.query_one("#header")
        before = header.render_lines(header.size.region)
        it.app.use_theme("paper")
        await it.pilot.pause()
        after = header.render_lines(header.size.region)
        assert [strip.text for strip in before] == [strip.text for strip in after]
        assert before != after


BEFORE_THE_FIRST_FRAME = """
import os, sys
import agent_console.start as start

def opened(*_):
    import agent_console.app, agent_console.local, agent_console.prices
    heavy = {
        "agent_runtime.events.codec", "agent_runtime.host.conversation", "agent_runtime.llm.llm",
        "agent_runtime.metrics", "agent_runtime.voice.session", "cyclopts", "livekit", "numpy", "openai",
        "pydantic_settings", "textual.widgets._text_area",
    }
    print(sorted(heavy & sys.modules.keys()), flush=True)
    os._exit(0)

start.check_terminal = lambda: None
start.run_console = opened
from agent_console.cli import main
main(sys.argv[1:])
"""


def test_nothing_heavy_is_loaded_before_the_first_frame_with_an_agents_file(tmp_path: Path) -> None:
    (tmp_path / "agent.py").write_text((EXAMPLES / "minimal_assistant.py").read_text("utf-8"), "utf-8")
    command = [sys.executable, "-c", BEFORE_THE_FIRST_FRAME, str(tmp_path / "agent.py")]
    environment = {"XDG_CONFIG_HOME": str(tmp_path), "HOME": str(tmp_path), "PATH": ""}
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (0, "[]\n", "")
