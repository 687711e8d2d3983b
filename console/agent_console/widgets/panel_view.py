"""What a panel is: an entry of the registry, and a widget that draws one subject of the state.

A panel is a file in `agent_console.panels` that has a `PANEL`. Nothing else needs to know of it: keys, footer, help,
palette and layout are made from the registry.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from textual.app import ComposeResult

from agent_console.backend import Backend
from agent_console.drawing.health import Drawing
from agent_console.drawing.text import Line, justify
from agent_console.keys import Action
from agent_console.scenario_runs import ScenarioRuns
from agent_console.state import ConsoleState
from agent_console.state.budgets import Budgets
from agent_console.state.spending import Prices
from agent_console.widgets.page import Page
from agent_console.widgets.painted import Column
from agent_console.widgets.panels import Draw, Panel, Slice
from agent_runtime.records import record


class PanelHost(Protocol):
    """What a panel may know and ask beyond the state that it draws: the console's screen."""

    @property
    def backend(self) -> Backend:
        """The session, for requests."""
        ...

    @property
    def keymap_in_use(self) -> Mapping[str, str]:
        """The keys of actions that aren't the default ones."""
        ...

    @property
    def budgets(self) -> Budgets:
        """How long an answer and its parts may take."""
        ...

    @property
    def prices(self) -> Prices:
        """What models cost."""
        ...

    @property
    def scenarios(self) -> ScenarioRuns | None:
        """The project's scenarios; None where they can't be run."""
        ...

    @property
    def drawing(self) -> Drawing:
        """How the console itself does."""
        ...

    @property
    def selected_turn(self) -> str | None:
        """The turn that is selected in the transcript, by its id."""
        ...

    def go_to_turn(self, turn_id: str) -> None:
        """Select a turn in the transcript and bring it into view."""


@record(frozen=True, slots=True)
class PanelSpec:
    """One panel of the registry."""

    id: str
    """Names it in keymaps (`panel_<id>`) and as a widget."""
    key: str
    """The digit that shows it, in the default keymap."""
    title: str
    """One or two words, for its heading and the palette."""
    help: str
    """One sentence."""
    make: Callable[[PanelHost], PanelView]
    """Its widget, made when it is first shown."""
    keys: tuple[Action, ...] = ()
    """Keys of its own while the keyboard is in it; the widget's `BINDINGS` are made from the same."""

    @property
    def action(self) -> Action:
        """What its digit does."""
        return Action(f"panel_{self.id}", self.key, self.title.lower(), self.help, "Panels", run=f"panel('{self.id}')")


class PanelView(Column):
    """A heading and whatever a subclass composes under it. Only the panel that is shown gets the state."""

    def __init__(self, title: str) -> None:
        super().__init__()
        self._title = title
        self.head = Panel(self._draw_head, id="panel-head")
        self._state = ConsoleState()
        self._now = 0.0

    def compose(self) -> ComposeResult:
        """See `Widget.compose`."""
        yield self.head
        yield from self.content()

    def content(self) -> ComposeResult:
        """The widgets under the heading."""
        raise NotImplementedError

    def show(self, state: ConsoleState, now: float) -> None:
        """Take the state of this frame."""
        self._state, self._now = state, now
        self.head.show(state, now)

    def note(self, state: ConsoleState) -> Line:
        """What stands at the right of the heading."""
        return ()

    def offered(self, keys: Sequence[Action]) -> Sequence[Action]:
        """Those of its keys that do something as things are, for the footer."""
        return keys

    query_text: str = ""
    """What it is searched for."""

    def search(self, text: str) -> bool:
        """Show what matches; an empty text ends it. False if the panel can't be searched."""
        return False

    @property
    def is_animating(self) -> bool:
        """Whether something in it moves without an event."""
        return False

    @property
    def is_behind(self) -> bool:
        """Whether it has yet to draw something of the state that it got, and asks for another frame."""
        return False

    def edit(self, title: str, note: str, text: str, then: Callable[[str | None], None], **options: Any) -> None:
        """Let a person write a text; `then` gets it, or None if they thought better of it. See `EditorScreen`."""
        from agent_console.screens.editor import EditorScreen  # takes longer to import than all panels

        self.app.push_screen(EditorScreen(title, note, text, **options), then)

    def take_keyboard(self) -> None:
        """Focus the first part of it that can have the keyboard."""
        for widget in self.query("*"):
            if widget.focusable:
                widget.focus(scroll_visible=False)
                return

    def _draw_head(self, state: ConsoleState, now: float, width: int, height: int) -> Sequence[Line]:
        style = "key" if self.has_focus_within else "heading"
        beside_the_scrollbar = width - 1
        return [justify(((self._title.upper(), style),), self.note(state), beside_the_scrollbar)]

    def on_descendant_focus(self) -> None:
        """The heading tells where the keyboard is."""
        self.head.repaint()

    def on_descendant_blur(self) -> None:
        """See `on_descendant_focus`."""
        self.head.repaint()


class PagePanel(PanelView):
    """A panel that is one page of lines."""

    def __init__(self, title: str, draw: Draw, slice_of: Slice | None = None) -> None:
        super().__init__(title)
        self.page = Page(draw, slice_of)

    def content(self) -> ComposeResult:
        """See `PanelView.content`."""
        yield self.page

    def show(self, state: ConsoleState, now: float) -> None:
        """See `PanelView.show`."""
        super().show(state, now)
        self.page.show(state, now)

    def redraw(self) -> None:
        """Something that isn't in the state changed."""
        self.head.repaint()
        self.page.repaint()


_GIVES_WAY: Final = ((160, "far"), (120, "side"), (0, "conversation"))
"""From which width on which column makes room for the panel."""


class PanelDock(Column):
    """Where the chosen panel is: over the transcript on a small screen, beside it on a wide one."""

    def __init__(self, host: PanelHost, *, id: str) -> None:
        super().__init__(id=id)
        self._host = host
        self._views: dict[str, PanelView] = {}
        self.spec: PanelSpec | None = None
        """The panel that is shown."""

    @property
    def view(self) -> PanelView | None:
        """Its widget."""
        return None if self.spec is None else self._views[self.spec.id]

    async def open(self, spec: PanelSpec | None) -> None:
        """Show this panel instead of the one before; None shows none."""
        if self.view is not None:
            self.view.display = False
        self.spec = spec
        if spec is not None:
            if spec.id not in self._views:
                self._views[spec.id] = spec.make(self._host)
                await self.mount(self._views[spec.id])
            self._views[spec.id].display = True
        self._arrange()

    def on_resize(self) -> None:
        """See `_arrange`."""
        if self.spec is not None:
            self._arrange()

    def _arrange(self) -> None:
        """Take a column's place, which one the width says. A class would have the style of every widget worked out."""
        width = self.app.size.width
        gives_way = next(name for least, name in _GIVES_WAY if width >= least)
        self.display = self.spec is not None
        for column in self.siblings:
            if self.display and column.id == gives_way:
                column.display = False
            elif column.styles.inline.clear_rule("display"):
                column.refresh(layout=True)

    def show(self, state: ConsoleState, now: float) -> None:
        """Take the state of this frame."""
        if self.view is not None:
            self.view.show(state, now)
