"""The screen of `replay --run`: both runs of a conversation, while the second one goes on and when it is over."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.message import Message
from textual.screen import Screen

from agent_console.base_app import BaseApp
from agent_console.drawing.text import Line, clean, fit, justify
from agent_console.keys import bindings, keys_of
from agent_console.replay.comparison_lines import SIDE_BY_SIDE, column_heads, pair_lines, verdict
from agent_console.replay.keys import COMPARISON
from agent_console.replay.report import report_text
from agent_console.state import Seq
from agent_console.widgets.canvas import Canvas
from agent_console.widgets.scroll import BlockScroll
from agent_runtime.bundle.comparison import Comparison, Pair
from agent_runtime.errors import AgentConsoleError

Report = Callable[[Comparison], None]
Run = Callable[[Report, Callable[[str], None], Callable[[], bool]], Comparison]
"""Runs the conversation again. Gets what is to be told of the comparison so far, of what it does, and whether it is
given up. Blocks."""


@dataclass
class Compared(Message):
    """There is more to compare."""

    comparison: Comparison


@dataclass
class Told(Message):
    """What the run does now."""

    text: str


@dataclass
class Failed(Message):
    """The run couldn't be made."""

    problem: Exception


class ComparisonView(BlockScroll[Pair], can_focus=True):
    """All exchanges, both runs of each."""

    def __init__(self) -> None:
        super().__init__(id="comparison")
        self.running = True
        self.stacked: bool | None = None
        """As a person wants it; by the width if None."""
        self.selected = -1
        self.follows_run = True
        """Whether the exchange that the run is at is kept in view: until a person looks elsewhere."""

    def is_stacked(self, width: int) -> bool:
        """Whether the runs are one under the other at this width."""
        return width < SIDE_BY_SIDE if self.stacked is None else self.stacked

    def draw_item(self, index: int, item: Pair, width: int) -> Sequence[Line]:
        """See `BlockScroll.draw_item`."""
        return pair_lines(
            index + 1,
            item,
            width,
            stacked=self.is_stacked(width),
            running=self.running,
            selected=index == self.selected,
        )

    def draw_nothing(self, y: int) -> Line:
        """See `BlockScroll.draw_nothing`."""
        return (("  waiting for the first exchange …", "faint"),) if y == 1 and self.running else ()

    def go_to(self, index: int) -> None:
        """Select an exchange and bring it to the top."""
        before, self.selected = self.selected, index
        self.redraw(before)
        self.redraw(index)
        self.bring_up(index)

    def bring_up(self, index: int) -> None:
        """Have an exchange at the top, or as high as there is something below it."""
        self.following = False
        self.go_to_item(index)
        top = sum(len(block.lines) for block in self._blocks[: index - self._first])
        self.scroll_to(y=top, animate=False, immediate=True)


class Rows(Canvas):
    """Lines from a function."""

    def __init__(self, draw: Callable[[int], Sequence[Line]], *, id: str) -> None:
        super().__init__(id=id)
        self._draw_rows = draw

    def draw(self, width: int, height: int) -> Sequence[Line]:
        """See `Canvas.draw`."""
        return self._draw_rows(width)


class ComparisonScreen(Screen[None]):
    """What it is of, both runs, and the keys."""

    BINDINGS: ClassVar[Any] = bindings(COMPARISON)
    AUTO_FOCUS = "ComparisonView"
    DEFAULT_CSS = """
    ComparisonScreen { background: $background; color: $foreground; layout: vertical; }
    ComparisonScreen #head { height: 2; background: $surface; }
    ComparisonScreen #keys { height: 1; background: $panel; }
    ComparisonView { height: 1fr; overflow-x: hidden; overflow-y: scroll; scrollbar-size-vertical: 1; }
    ComparisonView { background: $background; scrollbar-background: $background; scrollbar-color: $track; }
    """

    def __init__(self, name: str, keymap: Mapping[str, str]) -> None:
        super().__init__()
        self._keymap = keymap
        self.comparison = Comparison((), before=name, running=True)
        self.told = "getting ready"
        self.problem = ""
        self.view = ComparisonView()
        self._head = Rows(self._head_lines, id="head")
        self._keys = Rows(lambda width: [key_line(keymap, width)], id="keys")

    def compose(self) -> ComposeResult:
        """See `Screen.compose`."""
        yield from (self._head, self.view, self._keys)

    def show(self, comparison: Comparison) -> None:
        """Draw what there is."""
        self.comparison, self.view.running = comparison, comparison.running
        self.view.set_items(Seq.of(comparison.pairs))
        if self.view.follows_run and comparison.pairs:
            self._follow(comparison)
        self._head.repaint()

    def _follow(self, comparison: Comparison) -> None:
        """Look at the exchange that it is at; when it is over, at the first that differs."""
        if comparison.running:
            self.view.bring_up(max((n for n, pair in enumerate(comparison.pairs) if pair.after), default=0))
        else:
            self.view.go_to(next((n for n, pair in enumerate(comparison.pairs) if pair.differences), 0))

    def say(self, text: str, *, problem: bool = False) -> None:
        """What the run does, or why it couldn't be made."""
        if problem:
            self.problem = text
        self.told = text
        self.view.running = self.view.running and not problem
        self.view.refresh()
        self._head.repaint()

    def _head_lines(self, width: int) -> list[Line]:
        comparison = self.comparison
        if self.problem:
            left: Line = ((f" {clean(self.problem)}", "error"),)
            right: Line = ()
        elif comparison.notes:
            left, right = ((f" ! {clean(comparison.notes[0])}", "bad"),), (*verdict(comparison), (" ", ""))
        else:
            told = self.told if comparison.running else comparison.after and f"recorded: {comparison.after}"
            left, right = ((f" run again  {clean(told)}", "text"),), (*verdict(comparison), (" ", ""))
        return [justify(left, right, width), column_heads(comparison, width - 1, stacked=self.view.is_stacked(width))]

    # --- looking ---------------------------------------------------------------------------------------------------

    def _step(self, step: int, wanted: Callable[[Pair], bool]) -> None:
        pairs, index = self.comparison.pairs, self.view.selected + step
        while 0 <= index < len(pairs):
            if wanted(pairs[index]):
                self.view.follows_run = False
                self.view.go_to(index)
                return
            index += step
        self.notify("there is no other one that way")

    def action_next_difference(self) -> None:
        """The next exchange that differs."""
        self._step(1, lambda pair: bool(pair.differences))

    def action_previous_difference(self) -> None:
        """The one before."""
        self._step(-1, lambda pair: bool(pair.differences))

    def action_next_exchange(self) -> None:
        """The next exchange."""
        self._step(1, lambda pair: True)

    def action_previous_exchange(self) -> None:
        """The exchange before."""
        self._step(-1, lambda pair: True)

    def action_stack(self) -> None:
        """The other way."""
        self.view.stacked = not self.view.is_stacked(self.view.text_width)
        self.view.lay_out()
        self._head.repaint()

    def action_copy(self) -> None:
        """The report as `--plain` prints it."""
        self.app.copy_to_clipboard(report_text(self.comparison))
        self.notify("copied")

    def _scroll(self, lines: int) -> None:
        self.view.follows_run = False
        self.view.scroll_relative(y=lines, animate=False, immediate=True)

    def action_scroll_up(self) -> None:
        """A line up."""
        self._scroll(-1)

    def action_scroll_down(self) -> None:
        """A line down."""
        self._scroll(1)

    def action_page_up(self) -> None:
        """A page up."""
        self._scroll(2 - self.view.size.height)

    def action_page_down(self) -> None:
        """A page down."""
        self._scroll(self.view.size.height - 2)

    def action_first(self) -> None:
        """The start."""
        self.view.follows_run = False
        if self.comparison.pairs:
            self.view.go_to(0)

    def action_last(self) -> None:
        """The end; of a run that goes on, the exchange that it is at."""
        self.view.follows_run = self.comparison.running
        if self.comparison.running and self.comparison.pairs:
            self._follow(self.comparison)
        else:
            self.view.go_to_end()

    def action_help(self) -> None:
        """Every key."""
        from agent_console.screens.help import HelpScreen

        marks = "! stands beside what isn't the same. Times are shown and don't count."
        self.app.push_screen(HelpScreen(self._keymap, COMPARISON, [marks]))

    def action_quit(self) -> None:
        """Leave."""
        same = not self.comparison.running and self.comparison.same and not self.problem
        self.app.exit(return_code=0 if same else 2 if self.problem else 1)


def key_line(keymap: Mapping[str, str], width: int) -> Line:
    """The keys that there is room for, the weightiest first."""
    text = ""
    for action in sorted((action for action in COMPARISON if action.rank), key=lambda action: -action.rank):
        keys = keys_of(action, keymap)
        hint = f" {keys[0]} {action.label} " if keys else ""
        if len(text) + len(hint) <= width:
            text += hint
    return ((fit(text, width), "muted"),)


class ComparisonApp(BaseApp):
    """Runs a conversation again and shows it beside the recording.

    Args:
        name: of the recording.
        run: see `Run`; called in a thread of its own.
        options: of `BaseApp`.
    """

    ENABLE_COMMAND_PALETTE = False

    def __init__(self, name: str, run: Run, **options: Any) -> None:
        self._recording = name
        self._run_again = run
        self._given_up = threading.Event()
        self._thread = threading.Thread(target=self._work, name="run-again", daemon=True)
        super().__init__(**options)

    def get_default_screen(self) -> Screen[None]:
        """See `App.get_default_screen`."""
        return ComparisonScreen(self._recording, self.keymap_in_use)

    @property
    def comparison_screen(self) -> ComparisonScreen:
        """The screen at the bottom."""
        screen = self.screen_stack[0]
        assert isinstance(screen, ComparisonScreen)
        return screen

    def on_mount(self) -> None:
        """Begin once the first frame is painted."""
        for problem in self.problems:
            self.notify(problem, severity="warning")
        self.set_interval(1.0, self.reload_saved_themes)
        self.call_after_refresh(self._thread.start)

    def give_up(self, timeout: float = 12.0) -> bool:
        """End the run and wait for it; False if it didn't end in time."""
        self._given_up.set()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _work(self) -> None:
        def show(comparison: Comparison) -> None:
            self.post_message(Compared(comparison))

        try:
            show(self._run_again(show, lambda text: self._tell(Told(text)), self._given_up.is_set))
        except Exception as exc:
            self._tell(Failed(exc))

    def _tell(self, message: Message) -> None:
        self.post_message(message)

    def on_compared(self, message: Compared) -> None:
        """Draw it."""
        self.comparison_screen.show(message.comparison)

    def on_told(self, message: Told) -> None:
        """Say it."""
        self.comparison_screen.say(message.text)

    def on_failed(self, message: Failed) -> None:
        """Say what the user can put right; anything else is a crash."""
        if not isinstance(message.problem, AgentConsoleError):
            raise message.problem
        self.comparison_screen.say(str(message.problem), problem=True)
