"""The event stream: level, search, pause, and the way from an event to its turn."""

from __future__ import annotations

from itertools import pairwise

from agent_console.panels.events import EventsPanel
from agent_console.state import reduce
from agent_console.state.history import weight
from agent_runtime import events as ev
from tests.console.opening import Console, Open


def panel(it: Console) -> EventsPanel:
    view = it.screen.dock.view
    assert isinstance(view, EventsPanel)
    return view


def kinds(it: Console) -> list[str]:
    return [event.data.type for event in panel(it).list.items]


def heading(it: Console) -> str:
    return "".join(text for text, _ in panel(it).note(it.app.state))


async def test_every_event_but_the_levels_is_there_and_new_ones_come_in(console: Open) -> None:
    async with console("troubles") as it:
        await it.press("6")
        assert len(kinds(it)) == it.app.state.event_count
        assert "audio_meter" not in kinds(it)
        await it.send(ev.InputMuted(True))
        assert kinds(it)[-1] == "input_muted"


async def test_a_flood_is_looked_at_every_third_frame_and_nothing_of_it_is_missed(console: Open) -> None:
    async with console() as it:
        await it.press("6")
        await it.send(ev.InputMuted(False))
        view, state, shown = panel(it), it.app.state, []
        view._frames_to_wait = 0  # however many frames there were until now
        for number in range(1, 7):
            event: ev.AnyEvent = ev.Event(state.seq + number, 0.0, "s", None, None, ev.InputMuted(True))
            state = reduce(state, event)
            view.show(state, 0.0)
            shown.append(len(kinds(it)))
        steps = [new - old for old, new in pairwise(shown)]
        assert steps == [0, 0, 3, 0, 0]
        while view.is_behind:
            view.show(state, 0.0)
        assert len(kinds(it)) == state.event_count


async def test_v_shows_less_and_less(console: Open) -> None:
    async with console("troubles") as it:
        await it.press("6")
        everything = len(kinds(it))
        await it.press("v")
        assert 0 < len(kinds(it)) < everything
        assert "info+" in heading(it)
        await it.press("v", "v")
        assert kinds(it) == ["reload_failed"]
        assert {weight(event) for event in panel(it).list.items} == {"error"}
        await it.press("v")
        assert len(kinds(it)) == everything


async def test_where_nothing_is_shown_it_says_why(console: Open) -> None:
    def first(it: Console) -> str:
        return panel(it).list.render_line(0).text.strip()

    async with console("listening", keymap={"events.level": "z"}) as it:
        await it.press("6", "z", "z", "z")
        assert kinds(it) == []
        assert "0 shown · errors" in heading(it)
        assert first(it) == "nothing as weighty as that: z shows more"
        await it.press("p")
        assert "paused, 0 new · 0 shown" in heading(it)
        await it.press("p", "z", "slash", *"xyz")
        assert it.screen.query_one("#keys").render_line(0).text.strip() == "enter look at what it found"
        await it.press("enter")
        assert first(it) == "nothing has “xyz” in it: esc ends the search"


async def test_p_holds_the_view_while_events_go_on(console: Open) -> None:
    async with console() as it:
        await it.press("6", "p")
        before = kinds(it)
        await it.send(ev.InputMuted(True), ev.InputMuted(False))
        assert kinds(it) == before
        assert "paused, 2 new" in heading(it)
        await it.press("v", "v", "v", "v")
        assert kinds(it) == before
        await it.press("p")
        assert kinds(it) == [*before, "input_muted", "input_muted"]


async def test_a_search_keeps_what_has_the_words_in_it(console: Open) -> None:
    async with console() as it:
        await it.press("6", "slash", *"bergen")
        assert set(kinds(it)) <= {"user_transcribed", "turn_committed", "tool_started"}
        assert kinds(it)
        await it.press("enter")
        assert panel(it).has_focus_within
        await it.send(ev.LogWritten("info", "x", "On to Bergen"), ev.LogWritten("info", "x", "On to Oslo"))
        assert kinds(it)[-1] == "log_written"
        assert kinds(it).count("log_written") == 1
        await it.press("escape")
        assert len(kinds(it)) == it.app.state.event_count
        await it.press("escape")
        assert it.screen.dock.spec is None


async def test_a_search_that_leaves_few_of_many_shows_them(console: Open) -> None:
    async with console("40") as it:
        await it.press("6")
        await it.send(*(ev.LogWritten("info", "x", "needle" if n % 50 == 7 else "hay") for n in range(400)))
        await it.press("slash", *"needle", "enter")
        view = panel(it).list
        shown = [view.render_line(y).text for y in range(view.size.height)]
        assert sum("needle" in line for line in shown) == len(view.items) == 8


async def test_an_event_leads_to_its_turn(console: Open) -> None:
    async with console(size=(120, 40)) as it:
        await it.press("6", "slash", *"oslo", "enter", "k")
        selected = panel(it).list.selected
        assert selected is not None
        await it.press("enter")
        assert it.screen.transcript.selected == selected.turn_id
        await it.press("j")
        assert panel(it).list.selected is None


async def test_on_a_small_screen_the_panel_goes_away_for_the_turn(console: Open) -> None:
    async with console() as it:
        await it.press("6", "enter")
        assert it.screen.dock.spec is None
        assert it.screen.transcript.selected == "turn-4"


async def test_an_event_without_a_turn_says_so(console: Open) -> None:
    async with console("starting") as it:
        await it.press("6", "enter")
        assert it.screen.dock.spec is not None
        assert it.screen.transcript.selected is None


async def test_the_selected_event_is_written_out(console: Open) -> None:
    async with console() as it:
        await it.press("6")
        events = panel(it).list
        before = events.virtual_size.height
        await it.press("up")
        assert events.virtual_size.height > before
        await it.press("down")
        assert events.virtual_size.height == before
