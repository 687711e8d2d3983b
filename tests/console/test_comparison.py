"""The screen of a conversation that is run again: what it marks, how it fits, its keys, its end."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from textual.pilot import Pilot

from agent_console.replay.comparison_app import Compared, ComparisonApp
from agent_console.replay.keys import COMPARISON
from agent_console.screens.help import HelpScreen
from agent_runtime.bundle.comparison import Comparison, compare
from agent_runtime.bundle.turns import RecordedTurn, ToolUse
from agent_runtime.errors import BundleError


def turn(number: int, user: str, reply: str, output: str = "", latency: float = 0.5) -> RecordedTurn:
    tools = [ToolUse("c", "status", {"number": "1042"}, output)] if output else []
    return RecordedTurn(
        str(number), number, float(number), "text", user=user, replies=[reply], tools=tools, latency=latency
    )


BEFORE = [
    turn(1, "", "Welcome."),
    turn(2, "where is it?", "It comes tomorrow.", "on its way"),
    turn(3, "thanks", "Bye."),
    turn(4, "one more", "Yes?"),
]
AFTER = [
    turn(1, "", "Welcome."),
    turn(2, "where is it?", "It comes tomorrow.", "lost", latency=1.5),
    turn(3, "thanks", "Bye."),
    turn(4, "one more", "No."),
]


class Open:
    """The app, and a run that ends when it is told to."""

    def __init__(self, app: ComparisonApp, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot

    async def press(self, *keys: str) -> str:
        await self.pilot.press(*keys)
        return await self.drawn()

    async def drawn(self, wanted: Callable[[str], bool] = lambda text: True) -> str:
        """What is on the screen, once it is as wanted."""
        text = ""
        for _ in range(2000):
            await self.pilot.pause()
            strips = self.app.screen._compositor.render_strips()
            text = "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips)
            if wanted(text):
                return text
        raise AssertionError(text)

    async def show(self, comparison: Comparison) -> str:
        self.app.post_message(Compared(comparison))
        return await self.drawn()


@asynccontextmanager
async def running(size: tuple[int, int] = (120, 30)) -> AsyncIterator[Open]:
    """A run that goes on until it is given up."""
    over = threading.Event()

    def run(show: object, tell: Callable[[str], None], given_up: Callable[[], bool]) -> Comparison:
        tell("turn 2 of 3")
        while not given_up() and not over.wait(0.001):
            pass
        return compare(BEFORE, AFTER[:2], notes=["it was given up"])

    app = ComparisonApp("recordings/desk", run, encoding="utf-8")
    async with app.run_test(size=size) as pilot:
        yield Open(app, pilot)
        assert app.give_up(10.0)


@asynccontextmanager
async def finished(size: tuple[int, int] = (120, 40)) -> AsyncIterator[Open]:
    """A run that is over."""
    app = ComparisonApp("b", lambda *_: compare(BEFORE, AFTER, before="b", after="again/1"), encoding="utf-8")
    async with app.run_test(size=size) as pilot:
        it = Open(app, pilot)
        await it.drawn(lambda text: "exchanges differ" in text)
        yield it
        assert app.give_up(10.0)


def line(text: str, words: str) -> str:
    return next(line for line in text.splitlines() if words in line)


async def test_both_are_side_by_side_where_there_is_room_with_what_differs_marked() -> None:
    async with finished() as it:
        text = await it.press("g")
        assert "2 of 4 exchanges differ" in text
        assert "recorded: again/1" in text
        results = line(text, "on its way")
        assert results.startswith("! results")
        assert results.index("lost") > 60
        assert line(text, "It comes tomorrow.").startswith("  reply")
        assert "1.00 s later" in line(text, "! results")


async def test_one_is_under_the_other_where_it_is_narrow_and_s_changes_that() -> None:
    async with finished((80, 24)) as it:
        text = await it.drawn()
        assert line(text, "on its way").startswith("! results     before on its way")
        assert line(text, " lost").startswith("!             after  lost")
        assert max(len(row) for row in text.splitlines()) <= 80
        beside = await it.press("s")
        assert "lost" in line(beside, "on its way")


async def test_n_goes_to_what_differs_and_says_when_there_is_no_other() -> None:
    async with finished((120, 14)) as it:
        view = it.app.comparison_screen.view
        assert view.selected == 1, "the first that differs, when it is over"
        text = await it.press("n")
        assert view.selected == 3
        assert "▸ 4 " in text
        await it.press("n")
        assert view.selected == 3
        await it.press("N")
        assert view.selected == 1
        await it.press("k")
        assert view.selected == 0
        await it.press("j", "j")
        assert view.selected == 2


async def test_both_runs_scroll_together() -> None:
    async with finished((120, 12)) as it:
        await it.press("g")
        view = it.app.comparison_screen.view
        assert view.scroll_offset.y == 0
        await it.press("down", "down")
        assert view.scroll_offset.y == 2
        text = await it.press("end")
        assert "Yes?" in text
        assert "No." in line(text, "Yes?")


async def test_while_it_runs_what_comes_later_is_no_difference() -> None:
    async with running((100, 20)) as it:
        await it.drawn(lambda text: "turn 2 of 3" in text)
        text = await it.show(compare(BEFORE, AFTER[:1], before="recordings/desk", running=True))
        assert "nothing differs so far" in text
        assert "not yet" in text
        text = await it.show(compare(BEFORE, AFTER[:3], before="recordings/desk", running=True))
        assert "1 of 4 exchanges differ so far" in text
        assert line(text, "on its way").startswith("! results")


async def test_the_exchange_it_is_at_stays_in_view_until_somebody_looks_elsewhere() -> None:
    many = [turn(number, f"question {number}", "Yes.") for number in range(2, 40)]
    async with running((100, 16)) as it:
        text = await it.show(compare(many, many[:20], running=True))
        assert "question 21" in text
        await it.press("home")
        text = await it.show(compare(many, many[:30], running=True))
        assert "question 2" in text
        assert "question 31" not in text
        assert "question 31" in await it.press("end")


@pytest.mark.parametrize("end", ["same", "other", "given up"])
async def test_the_exit_code_says_whether_they_were_the_same(end: str) -> None:
    if end == "given up":
        async with running() as it:
            await it.press("q")
        assert it.app.return_code == 1
        return
    after = BEFORE if end == "same" else AFTER
    app = ComparisonApp("b", lambda *_: compare(BEFORE, after), encoding="utf-8")
    async with app.run_test() as pilot:
        it = Open(app, pilot)
        await it.drawn(lambda text: "so far" not in text and "differ" in text)
        await it.press("q")
    assert app.return_code == (0 if end == "same" else 1)


async def test_what_can_not_be_run_is_said_and_a_defect_is_a_crash() -> None:
    def broken(*_: object) -> Comparison:
        raise BundleError("b", "nobody said anything in it")

    app = ComparisonApp("b", broken, encoding="utf-8")
    async with app.run_test() as pilot:
        it = Open(app, pilot)
        await it.drawn(lambda text: "nobody said anything" in text)
        await it.press("q")
    assert app.return_code == 2


async def test_help_has_every_key_and_each_has_its_method() -> None:
    async with finished() as it:
        screen = it.app.comparison_screen
        assert all(hasattr(screen, f"action_{action.command}") for action in COMPARISON)
        text = await it.press("question_mark")
        assert isinstance(it.app.screen, HelpScreen)
        assert "Show the runs side by side" in text
        await it.press("escape")
        assert it.app.screen is screen


async def test_y_copies_the_report_as_text() -> None:
    async with finished() as it:
        await it.press("y")
        assert "! results" in it.app.clipboard
        assert "2 of 4 exchanges differ" in it.app.clipboard


async def test_its_keys_are_those_of_the_settings() -> None:
    keymap = {"compared": {"stack": "f7", "qit": "x"}}
    run = lambda *_: compare(BEFORE, AFTER, before="b", after="again/1")  # noqa: E731  # as short as it is
    app = ComparisonApp("b", run, keymap=keymap, places={"keys.compared.qit": "c.toml:3"}, encoding="utf-8")
    async with app.run_test(size=(120, 30)) as pilot:
        it = Open(app, pilot)
        text = await it.drawn(lambda text: "differ" in text and "f7 stack" in text)
        assert app.problems == ["c.toml:3: keys.compared.qit: there is no such action; did you mean 'compared.quit'?"]
        before = app.comparison_screen.view.stacked
        await it.press("s")
        assert app.comparison_screen.view.stacked is before
        await it.press("f7")
        assert app.comparison_screen.view.stacked is not before
        assert "f7" in await it.press("question_mark"), text
