"""The project's scenarios: run them on the present code, and read what held and what didn't."""

from __future__ import annotations

from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import BindingType

from agent_console.drawing.scenarios import Row, key_of, row_lines, rows_of, summary
from agent_console.drawing.text import Line, wrap
from agent_console.keys import Action, bindings
from agent_console.state import ConsoleState, Seq
from agent_console.state.scenarios import ScenarioBook, ScenarioFileSeen, ScenarioSeen
from agent_console.widgets.cursor_list import CursorList
from agent_console.widgets.panel_view import PanelHost, PanelSpec, PanelView
from agent_console.widgets.panels import Notices

_GROUP: Final = "In the scenarios panel"
KEYS: Final = (
    Action("scenarios.run", "enter", "run", "Run the scenario, or all of the file, on the present code.", _GROUP, 99),
    Action("scenarios.all", "A", "run all", "Run every scenario of the project.", _GROUP, 98),
    Action("scenarios.repeat", "W", "after saves", "Make the last run again after each save, or don't.", _GROUP, 97),
    Action("scenarios.stop", "X", "stop", "Give up the run that goes on.", _GROUP, 96),
    Action("scenarios.up", "up,k", "up", "Select the row above.", _GROUP),
    Action("scenarios.down", "down,j", "down", "Select the row below.", _GROUP),
)

_NONE: Final = (
    "There is no scenario file here. One is YAML and begins with `scenarios:`; `agent-console new` makes one, and "
    "docs/scenarios.md tells what may stand in it."
)
_NOT_HERE: Final = "Scenarios are run where the agent's code is: open the console on its file."


class ScenariosPanel(PanelView):
    """Files and their scenarios; what is selected is written out step by step."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings(KEYS)]

    def __init__(self, host: PanelHost) -> None:
        super().__init__("Scenarios")
        self._runs = host.scenarios
        self._book: ScenarioBook | None = None
        budget = host.budgets.answer
        self.list: CursorList[Row] = CursorList(
            lambda row, width, opened: row_lines(row, width, opened, budget), has_end=False
        )
        self.hint = Notices(lambda state, now, width, height: self._hint(), id="scenarios-hint")

    def content(self) -> ComposeResult:
        """See `PanelView.content`."""
        yield self.hint
        yield self.list

    def take_keyboard(self) -> None:
        """See `PanelView.take_keyboard`. Each time that it is opened the project is searched."""
        super().take_keyboard()
        if self._runs is not None and not self._runs.book.is_running:
            self._runs.look()

    def note(self, state: ConsoleState) -> Line:
        """See `PanelView.note`."""
        return summary(self._runs.book) if self._runs is not None else ()

    @property
    def is_animating(self) -> bool:
        """See `PanelView.is_animating`: a run that goes on tells by no event."""
        return self._runs is not None and self._runs.book is not self._book

    def show(self, state: ConsoleState, now: float) -> None:
        """See `PanelView.show`."""
        super().show(state, now)
        self.hint.show(state, now)
        if self._runs is not None and self._runs.book is not self._book:
            self._take(self._runs.book)

    def _take(self, book: ScenarioBook) -> None:
        """The cursor stays with its row; the first scenario has it at first."""
        self._book = book
        rows = rows_of(book)
        chosen = self.list.selected
        known = {key_of(row): row for row in self.list.items}
        rows = [known[key] if known.get(key := key_of(row)) == row else row for row in rows]
        at = next((n for n, row in enumerate(rows) if chosen is not None and key_of(row) == key_of(chosen)), None)
        if at is None and rows:
            at = next((n for n, row in enumerate(rows) if isinstance(row, ScenarioSeen)), 0)
        self.list.following = False
        self.list.set_items(Seq.of(rows))
        if at != self.list.cursor:
            self.list.select(at)

    def _hint(self) -> list[Line]:
        runs = self._runs
        if runs is None:
            text = _NOT_HERE
        elif not runs.book.looked:
            text = "Looking for scenario files …"
        else:
            text = "" if runs.book.files else _NONE
        return [((text[start:end], "faint"),) for start, end in wrap(text, self.size.width)] if text else []

    # --- keys --------------------------------------------------------------------------------------------------------

    def action_up(self) -> None:
        """The row above."""
        self.list.move(-1)

    def action_down(self) -> None:
        """The row below."""
        self.list.move(1)

    def action_run(self) -> None:
        """Run what is selected."""
        row = self.list.selected
        if self._runs is None or row is None:
            self.notify("there is no scenario to run")
        elif not isinstance(row, ScenarioFileSeen):
            self._runs.run([(row.file, row.name)])
        elif row.problem:
            self.notify("put the file right first", severity="warning")
        else:
            self._runs.run([(row.path, None)])

    def action_all(self) -> None:
        """Run everything."""
        if self._runs is not None:
            self._runs.run_all()

    def action_repeat(self) -> None:
        """Run again after saves, or not."""
        if self._runs is not None:
            self._runs.repeat(not self._runs.book.repeats)

    def action_stop(self) -> None:
        """Give up."""
        if self._runs is not None:
            self._runs.stop()


PANEL: Final = PanelSpec(
    "scenarios",
    "0",
    "Scenarios",
    "Run the project's scenarios on the present code; see what holds.",
    ScenariosPanel,
    KEYS,
)
