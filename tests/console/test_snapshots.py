"""Pictures of the console's main states, drawn from recorded events alone, at the sizes that people have."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from textual.pilot import Pilot

from agent_console.app import ConsoleApp
from agent_console.panels import panels
from agent_console.widgets.panel_view import PanelSpec
from agent_runtime.events import codec
from tests.support.backend import ScriptedBackend
from tests.support.conversation import RECORDINGS
from tests.support.scenarios import StillScenarios, weather_book
from tests.support.screenshots import settle

SMALL, MEDIUM, LARGE, HUGE = (80, 24), (120, 40), (160, 50), (200, 60)
Compare = Callable[..., bool]


def console(story: str, theme: str = "nocturne", encoding: str = "utf-8") -> ConsoleApp:
    """The console on a recording, with a clock that stands still between events."""
    backend = ScriptedBackend(codec.read_events(RECORDINGS / f"{story}.jsonl"))
    scenarios = StillScenarios(weather_book())
    return ConsoleApp(backend, theme=theme, encoding=encoding, scenarios=scenarios, monotonic=lambda: 0.0)


def after(*keys: str) -> Callable[[Pilot[None]], object]:
    async def run_before(pilot: Pilot[None]) -> None:
        assert isinstance(pilot.app, ConsoleApp)
        await settle(pilot.app)
        await pilot.press(*keys)
        await pilot.pause()

    return run_before


@pytest.mark.parametrize("theme", ["nocturne", "paper"])
@pytest.mark.parametrize("size", [SMALL, MEDIUM, LARGE], ids=lambda size: f"{size[0]}x{size[1]}")
def test_every_size_in_both_themes(snap_compare: Compare, size: tuple[int, int], theme: str) -> None:
    assert snap_compare(console("interrupted", theme), terminal_size=size, run_before=after())


SHOWN_ON = {
    "tools": "workshop",
    "context": "workshop",
    "events": "troubles",
    "agent": "recovered",
    "health": "faltering",
    "usage": "faltering",
    "meters": "counting_down",
    "room": "in_a_room",
}
"""Where a panel has most to show; on the others it is the busy talk."""


@pytest.mark.parametrize("theme", ["nocturne", "paper"])
@pytest.mark.parametrize("size", [SMALL, MEDIUM, LARGE], ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("panel", panels(), ids=lambda panel: panel.id)
def test_every_panel(snap_compare: Compare, panel: PanelSpec, size: tuple[int, int], theme: str) -> None:
    app = console(SHOWN_ON.get(panel.id, "busy"), theme)
    assert snap_compare(app, terminal_size=size, run_before=after(panel.key))


@pytest.mark.parametrize("keys", ["", "1", "0"], ids=["conversation", "timeline", "scenarios"])
def test_the_largest_screen(snap_compare: Compare, keys: str) -> None:
    assert snap_compare(console("busy"), terminal_size=HUGE, run_before=after(*keys))


@pytest.mark.parametrize(
    "story", ["starting", "listening", "counting_down", "speaking", "troubles", "without_microphone", "faltering"]
)
def test_states_on_the_smallest_screen(snap_compare: Compare, story: str) -> None:
    assert snap_compare(console(story), terminal_size=SMALL, run_before=after())


@pytest.mark.parametrize("story", ["counting_down", "speaking", "recovered", "faltering"])
def test_states_with_columns(snap_compare: Compare, story: str) -> None:
    assert snap_compare(console(story), terminal_size=MEDIUM, run_before=after())


@pytest.mark.parametrize("keys", ["", "1", "1 k"], ids=["conversation", "timeline", "turn before"])
def test_a_conversation_by_a_realtime_model(snap_compare: Compare, keys: str) -> None:
    assert snap_compare(console("realtime"), terminal_size=MEDIUM, run_before=after(*keys.split()))


@pytest.mark.parametrize(
    ("story", "keys"),
    [
        ("interrupted", "k k o"),
        ("troubles", "l"),
        ("troubles", "e"),
        ("interrupted", "question_mark"),
        ("interrupted", "d"),
        ("interrupted", "slash o s l o"),
        ("listening", "space"),
        ("busy", "1 k k"),
        ("busy", "6 slash o s l o enter k"),
        ("interrupted", "w"),
        ("faltering", "1 k k k"),
        ("faltering", "6"),
    ],
    ids=[
        "turn opened",
        "log",
        "traceback",
        "help",
        "devices",
        "search",
        "push-to-talk",
        "turn before",
        "event found",
        "jump",
        "remarks on a turn",
        "events in words",
    ],
)
def test_what_a_key_opens(snap_compare: Compare, story: str, keys: str) -> None:
    assert snap_compare(console(story), terminal_size=SMALL, run_before=after(*keys.split()))


def test_a_terminal_without_utf8_gets_ascii(snap_compare: Compare) -> None:
    app = console("counting_down", encoding="ascii")
    assert snap_compare(app, terminal_size=MEDIUM, run_before=after())
