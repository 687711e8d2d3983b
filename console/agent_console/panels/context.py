"""The conversation as the model gets it: look, edit, go back, fork."""

from __future__ import annotations

from typing import ClassVar, Final, Literal, cast

from textual.app import ComposeResult
from textual.binding import BindingType

from agent_console.drawing.context import foot_lines, item_lines, summary
from agent_console.drawing.text import Line
from agent_console.keys import Action, bindings
from agent_console.panels.tools import json_problem
from agent_console.state import ConsoleState
from agent_console.state.bench import Bench
from agent_console.widgets.cursor_list import CursorList
from agent_console.widgets.panel_view import PanelHost, PanelSpec, PanelView
from agent_console.widgets.panels import Notices
from agent_runtime.events import ContextItem
from agent_runtime.workshop.requests import DeleteItem, EditItem, Fork, InsertMessage, Request, Rewind, ShowContext

_GROUP: Final = "In the context panel"
KEYS: Final = (
    Action("context.edit", "enter", "edit", "Change what the item says.", _GROUP, 99),
    Action("context.insert", "I", "insert", "Put a message after the item.", _GROUP, 95),
    Action("context.delete", "D,delete", "delete", "Take the item out; a call goes with its result.", _GROUP, 96),
    Action("context.rewind", "Z", "rewind", "Go back to the end of the item's turn: what follows is gone.", _GROUP, 97),
    Action("context.fork", "f", "fork", "Go on from the item's turn in a branch; the one before is kept.", _GROUP, 98),
    Action("context.up", "up,k", "up", "Select the item before.", _GROUP),
    Action("context.down", "down,j", "down", "Select the item after.", _GROUP),
)
_ROLES: Final = ("user", "assistant", "system")


class ContextPanel(PanelView):
    """Items one below the other with their tokens; branches at the foot."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings(KEYS)]

    def __init__(self, host: PanelHost) -> None:
        super().__init__("Context")
        self._host = host
        self.list: CursorList[ContextItem] = CursorList(item_lines)
        self.foot = Notices(
            lambda state, now, width, height: foot_lines(state.bench, self.size.width),
            lambda state: (state.bench,),
            id="context-foot",
        )
        self._pictured: int | None = None
        """The revision that a picture was asked for."""

    def content(self) -> ComposeResult:
        """See `PanelView.content`."""
        yield self.list
        yield self.foot

    def show(self, state: ConsoleState, now: float) -> None:
        """See `PanelView.show`. What the agent's `llm_node` makes of it is asked for when it may be another."""
        super().show(state, now)
        bench: Bench = state.bench
        if bench.revision != self._pictured and state.started and state.closed is None:
            self._pictured = bench.revision
            self._host.backend.ask_workshop(ShowContext())
        if self.list.cursor is not None and self.list.cursor >= len(bench.items):
            self.list.cursor = None
        self.list.set_items(bench.items)
        self.foot.show(state, now)

    def note(self, state: ConsoleState) -> Line:
        """See `PanelView.note`."""
        return summary(state.bench)

    # --- keys --------------------------------------------------------------------------------------------------------

    def action_up(self) -> None:
        """The item before."""
        self.list.move(-1)

    def action_down(self) -> None:
        """The item after; past the last, none."""
        self.list.move(1)

    def _item(self) -> ContextItem | None:
        item = self.list.selected
        if item is None:
            self.notify("select an item first: up goes to the last one")
        return item

    def _ask(self, request: Request) -> None:
        self._host.backend.ask_workshop(request)

    def action_edit(self) -> None:
        """Write what the item says."""
        item = self._item()
        if item is None:
            return
        if item.kind not in ("message", "function_call", "function_call_output"):
            self.notify("there is nothing to edit in it")
            return

        def edit(text: str | None) -> None:
            if text is not None and text != item.text:
                self._ask(EditItem(item.id, text))

        is_call = item.kind == "function_call"
        note = "The model reads it so from its next request on."
        check = json_problem if is_call else lambda text: None
        self.edit(f"Edit {item.label}", note, item.text, edit, check=check)

    def action_insert(self) -> None:
        """Write a message."""
        item = self.list.selected

        def insert(text: str | None) -> None:
            if text is not None:
                role, _, words = text.partition(":")
                said = cast("Literal['user', 'assistant', 'system']", role.strip())
                self._ask(InsertMessage(said, words.strip(), item.id if item is not None else None))

        note = "The role, a colon, the words: user, assistant or system."
        self.edit("Insert", note, "user: ", insert, check=message_problem)

    def action_delete(self) -> None:
        """Take the item out."""
        if (item := self._item()) is not None:
            self._ask(DeleteItem(item.id))

    def action_rewind(self) -> None:
        """Back to the end of the item's turn."""
        if (turn := self._turn()) is not None:
            self._ask(Rewind(turn))

    def action_fork(self) -> None:
        """A branch from the end of the item's turn."""
        if (turn := self._turn()) is not None:
            self._ask(Fork(turn))

    def _turn(self) -> str | None:
        item = self._item()
        if item is not None and item.turn_id is None:
            self.notify("this item belongs to no turn")
        return item.turn_id if item is not None else None


def message_problem(text: str) -> str | None:
    """Why a text can't be a message to insert."""
    role, colon, words = text.partition(":")
    if not colon or role.strip() not in _ROLES:
        return f"begin with one of {', '.join(_ROLES)} and a colon"
    return None if words.strip() else "write what is said after the colon"


PANEL: Final = PanelSpec(
    "context", "4", "Context", "Show the conversation as the model gets it; edit, rewind, fork.", ContextPanel, KEYS
)
