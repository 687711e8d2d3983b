"""The scenarios panel: what its keys ask for, and that what a run tells is drawn as it comes."""

from __future__ import annotations

from agent_console.panels.scenarios import ScenariosPanel
from agent_console.state.scenarios import ScenarioBook
from tests.console.opening import Console, Open
from tests.support.scenarios import FILE, StillScenarios, weather_book


def shown(it: Console) -> str:
    view = it.screen.dock.view
    assert isinstance(view, ScenariosPanel)
    region = view.region
    rows = it.app.screen._compositor.render_strips()[region.y : region.bottom]
    return "\n".join(strip.text[region.x : region.right].rstrip() for strip in rows)


async def test_each_key_asks_for_what_it_says(console: Open) -> None:
    runs = StillScenarios(weather_book())
    async with console(size=(120, 40), scenarios=runs) as it:
        await it.press("0")
        assert "✗ text 'degrees': the agent said" in shown(it)
        assert "! 3.40 s of 3 s" in shown(it)
        await it.press("down")
        assert "3 text 'Paris then'" in shown(it).replace("✓ ", "").replace("     ", "")
        await it.press("enter", "A", "W", "X")
        assert runs.calls == [
            [(FILE, "it stops when the user cuts in")],
            [(FILE, None)],
            ("repeat", False),
            [],
        ]
        await it.press("up", "up", "enter", "up", "enter")
        assert runs.calls[-1] == [(FILE, None)], "the file that can't be used isn't run"


async def test_a_run_is_drawn_as_it_goes(console: Open) -> None:
    book = weather_book()
    runs = StillScenarios(book)
    async with console(size=(120, 40), scenarios=runs) as it:
        await it.press("0")
        assert "SCENARIOS" in shown(it)
        assert "✗ 1  ✓ 1  ◌ 1  on save" in shown(it)
        runs.tell(book.told({"type": "ends", "passed": True, "problem": "", "seconds": 2.0}))
        await it.pilot.pause(0.2)
        assert "✗ 1  ✓ 2  on save" in shown(it)
        assert "2.00 s" in shown(it)


async def test_a_project_without_scenarios_and_a_console_without_a_project_say_so(console: Open) -> None:
    async with console(size=(120, 40), scenarios=StillScenarios(ScenarioBook(looked=True))) as it:
        await it.press("0")
        assert "There is no scenario file here" in shown(it)
        await it.press("enter", "A", "W", "X")
    async with console(size=(120, 40)) as it:
        await it.press("0")
        assert "Scenarios are run where the agent's code is" in shown(it)
        await it.press("enter", "A", "W", "X")


async def test_it_is_searched_for_scenarios_when_it_is_opened_and_ended_with_the_app(console: Open) -> None:
    runs = StillScenarios(ScenarioBook())
    async with console(size=(120, 40), scenarios=runs) as it:
        await it.press("0")
        assert runs.calls == ["look"]
        assert "Looking for scenario files" in shown(it)
    assert runs._closed
