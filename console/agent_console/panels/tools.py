"""The agent's tools and their calls: look, run by hand, stand in."""

from __future__ import annotations

import json
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import BindingType

from agent_console.drawing.text import Line
from agent_console.drawing.tools import Heading, Row, ToolRow, key_of, row_lines, rows_of, skeleton
from agent_console.keys import Action, bindings
from agent_console.state import ConsoleState, Seq
from agent_console.state.bench import Bench, Call
from agent_console.widgets.cursor_list import CursorList
from agent_console.widgets.panel_view import PanelHost, PanelSpec, PanelView
from agent_runtime.workshop.requests import KeepTry, RunTool, SetStandIn

_GROUP: Final = "In the tools panel"
KEYS: Final = (
    Action("tools.run", "enter", "run", "Run the tool, or the call again, with arguments of yours.", _GROUP, 99),
    Action("tools.mock", "M", "mock", "Answer the tool's calls with a text of yours.", _GROUP, 98),
    Action("tools.delay", "D", "delay", "Make the tool's calls take longer.", _GROUP, 97),
    Action("tools.fail", "F", "fail", "Make the tool's calls fail.", _GROUP, 96),
    Action("tools.real", "U", "real", "Let calls reach the tool itself again.", _GROUP, 95),
    Action("tools.keep", "A", "add", "Add a run by hand to the conversation.", _GROUP, 94),
    Action("tools.up", "up,k", "up", "Select the row above.", _GROUP),
    Action("tools.down", "down,j", "down", "Select the row below.", _GROUP),
)


class ToolsPanel(PanelView):
    """Tools above, calls below; what is selected is written out."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings(KEYS)]

    def __init__(self, host: PanelHost) -> None:
        super().__init__("Tools")
        self._host = host
        self.list: CursorList[Row] = CursorList(row_lines, has_end=False, rests_on=lambda r: not isinstance(r, Heading))
        self._bench: Bench | None = None
        self._shows_run = False
        """The next run by hand is the one that was asked for here: it is selected, so that its result can be read."""

    def content(self) -> ComposeResult:
        """See `PanelView.content`."""
        yield self.list

    def show(self, state: ConsoleState, now: float) -> None:
        """See `PanelView.show`."""
        super().show(state, now)
        self._take(state.bench)

    def note(self, state: ConsoleState) -> Line:
        """See `PanelView.note`."""
        if state.bench.stand_ins:
            return ((f"! {len(state.bench.stand_ins)} not the real ones", "fair bold"),)
        count = len(state.bench.tools)
        return ((f"{count} tool{'' if count == 1 else 's'}", "muted"),)

    def _take(self, bench: Bench) -> None:
        """Rows that are the same stay the same objects, and the cursor stays with its row."""
        old = self._bench
        is_same = old is not None and (
            old.tools is bench.tools and old.calls is bench.calls and old.stand_ins is bench.stand_ins
        )
        self._bench = bench
        if is_same:
            self.list.set_items(self.list.items)
            return
        chosen = self.list.selected
        known = {key_of(row): row for row in self.list.items}
        rows = [known[key] if known.get(key := key_of(row)) == row else row for row in rows_of(bench)]
        newest = bench.calls.last
        if self._shows_run and newest is not None and newest.by_hand and f"call {newest.call_id}" not in known:
            self._shows_run, chosen = False, newest
        at = next((i for i, row in enumerate(rows) if chosen is not None and key_of(row) == key_of(chosen)), None)
        if at is None and isinstance(rows[0], ToolRow):
            at = 0
        self.list.following = False
        self.list.set_items(Seq.of(rows))
        if at != self.list.cursor:
            self.list.select(at)

    # --- keys --------------------------------------------------------------------------------------------------------

    def action_up(self) -> None:
        """The row above."""
        self.list.move(-1)

    def action_down(self) -> None:
        """The row below."""
        self.list.move(1)

    def _tool(self) -> str | None:
        """The name of the tool that is selected, by itself or by a call of it."""
        row = self.list.selected
        if isinstance(row, ToolRow):
            return row.facts.name
        if isinstance(row, Call):
            return row.name
        self.notify("select a tool first")
        return None

    def action_run(self) -> None:
        """Write arguments, then run."""
        row, name = self.list.selected, self._tool()
        if name is None:
            return
        begin = skeleton(row.facts) if isinstance(row, ToolRow) else row.arguments if isinstance(row, Call) else "{}"

        def run(arguments: str | None) -> None:
            if arguments is not None:
                self._shows_run = True
                self._host.backend.ask_workshop(RunTool(name, arguments))

        note = "Arguments as JSON. The tool itself runs; the conversation isn't told."
        self.edit(f"Run {name}", note, begin, run, check=json_problem)

    def action_mock(self) -> None:
        """Write what the tool answers."""
        name = self._tool()
        if name is None:
            return
        last = next((row.output for row in self.list.items if isinstance(row, Call) and row.name == name), "")
        self._ask_stand_in(name, "Mock", "What the model reads as the result, until U.", last, "result")

    def action_fail(self) -> None:
        """Write how the tool fails."""
        if (name := self._tool()) is not None:
            text = "The service can't be reached right now."
            self._ask_stand_in(name, "Fail", "What the model reads as the failure, until U.", text, "error")

    def _ask_stand_in(self, name: str, title: str, note: str, text: str, field: str) -> None:
        delay = self._delay_of(name)

        def set_stand_in(written: str | None) -> None:
            if written is not None:
                given = {field: written}
                self._host.backend.ask_workshop(SetStandIn(name, given.get("result"), given.get("error"), delay))

        self.edit(f"{title} {name}", note, text, set_stand_in, typed_over=True)

    def _delay_of(self, name: str) -> float:
        stand_in = self._state.bench.stand_ins.get(name)
        return stand_in.delay if stand_in is not None else 0.0

    def action_delay(self) -> None:
        """Write how long the tool takes longer; what it answers stays as it is."""
        name = self._tool()
        if name is None:
            return
        now = self._state.bench.stand_ins.get(name)

        def set_delay(written: str | None) -> None:
            if written is not None:
                result, error = (now.result, now.error) if now is not None else (None, None)
                self._host.backend.ask_workshop(SetStandIn(name, result, error, float(written)))

        text = f"{self._delay_of(name) or 2.0:g}"
        note = "Seconds before each call; 0 for none."
        self.edit(f"Delay {name}", note, text, set_delay, check=seconds_problem, one_line=True, typed_over=True)

    def action_real(self) -> None:
        """No stand-in any more."""
        name = self._tool()
        if name is None:
            return
        if name not in self._state.bench.stand_ins:
            self.notify(f"nothing stands in for {name}")
            return
        self._host.backend.ask_workshop(SetStandIn(name))

    def action_keep(self) -> None:
        """Put the selected run into the conversation."""
        row = self.list.selected
        if not isinstance(row, Call) or not row.by_hand or row.duration is None or row.kept:
            self.notify("select a run by hand that is over and isn't in the conversation")
            return
        self._host.backend.ask_workshop(KeepTry(row.call_id))


def json_problem(text: str) -> str | None:
    """Why a text can't be a tool's arguments."""
    try:
        value = json.loads(text or "{}")
    except json.JSONDecodeError as error:
        return f"line {error.lineno}, column {error.colno}: {error.msg}"
    return None if isinstance(value, dict) else "arguments are an object: {…}"


def seconds_problem(text: str) -> str | None:
    """Why a text can't be a delay."""
    try:
        value = float(text)
    except ValueError:
        return f"{text.strip()!r} isn't a number of seconds"
    return None if 0 <= value <= 600 else f"{value:g} isn't between 0 and 600 seconds"


PANEL: Final = PanelSpec("tools", "3", "Tools", "Show tools and calls; run, mock or fail them.", ToolsPanel, KEYS)
