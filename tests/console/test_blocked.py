"""A call that blocks the agent is shown while it does."""

from __future__ import annotations

from agent_console.drawing.health import health_lines
from agent_console.drawing.timeline import waterfall
from agent_console.screens.details import DetailsScreen
from agent_console.state import turn_of
from agent_console.state.budgets import Budgets
from agent_console.state.timeline import stages
from agent_runtime import events as ev
from tests.console.opening import Console, Open

STACK = (
    '  File "/usr/lib/asyncio/events.py", line 84, in _run\n    self._context.run()\n'
    '  File "/home/you/agent.py", line 58, in look_up\n    time.sleep(1)\n'
)
STALLED = ev.LoopStalled(0.08, "/home/you/agent.py", 58, STACK)
OVER = ev.LoopBlocked(1.0, "/home/you/agent.py", 58, STACK)


def text_of(lines: list[tuple[tuple[str, str], ...]]) -> str:
    return "\n".join("".join(text for text, _ in line) for line in lines)


async def stall(it: Console) -> None:
    """The loop stands still in the turn that is under way."""
    state = it.app.state
    it.backend.send(ev.Event(state.seq + 1, state.now, "session-1", state.turn_id, None, STALLED))
    await it.send(ev.LogWritten("debug", "x", "the next frame"))


def health(it: Console) -> str:
    return text_of(health_lines(it.app.state, it.screen.drawing, 80))


async def test_banner_health_and_timeline_name_the_line_while_it_lasts(console: Open) -> None:
    async with console("interrupted") as it:
        await stall(it)
        assert it.app.state.banners[-1].text == "agent.py:58 blocks the agent"
        assert "✗ blocked now by agent.py:58" in health(it)
        assert health(it).count("time.sleep(1)") == 1
        turn = turn_of(it.app.state.turns, "turn-4")
        assert turn is not None
        shown = text_of(waterfall(turn, stages(turn, it.app.state.now), it.app.state.now, 80, Budgets()))
        assert "agent.py:58 blocks the agent now" in shown


async def test_e_shows_the_stack_and_the_keys_work_on(console: Open) -> None:
    async with console("interrupted") as it:
        await stall(it)
        await it.press("e")
        assert isinstance(it.app.screen, DetailsScreen)
        await it.press("escape", "m")
        assert it.backend.calls == [("set_muted", True)]


async def test_when_it_is_over_its_length_stays(console: Open) -> None:
    async with console("interrupted") as it:
        await it.send(STALLED, OVER)
        assert it.app.state.banners == ()
        assert "blocked now" not in health(it)
        assert "✗ blocked 1x, 1.00 s at worst" in health(it)
        assert "time.sleep(1)" in health(it)
