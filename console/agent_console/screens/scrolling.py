"""A screen that scrolls by keys."""

from __future__ import annotations

from abc import abstractmethod

from textual.screen import Screen
from textual.scroll_view import ScrollView

from agent_console.widgets.transcript import Transcript


class ScrollingScreen(Screen[None]):
    """Its keys scroll what has the keyboard, else the transcript."""

    transcript: Transcript

    @abstractmethod
    def _refresh_now(self) -> None: ...

    @property
    def _scrolled(self) -> ScrollView:
        return self.focused if isinstance(self.focused, ScrollView) else self.transcript

    def _scroll(self, lines: int) -> None:
        self._scrolled.scroll_relative(y=lines, animate=False, immediate=True)
        self._refresh_now()

    def action_scroll_up(self) -> None:
        """A line up."""
        self._scroll(-1)

    def action_scroll_down(self) -> None:
        """A line down."""
        self._scroll(1)

    def action_page_up(self) -> None:
        """A page up."""
        self._scroll(2 - self._scrolled.size.height)

    def action_page_down(self) -> None:
        """A page down."""
        self._scroll(self._scrolled.size.height - 2)

    def action_first(self) -> None:
        """To the start: of the transcript, or of what has the keyboard."""
        if self._scrolled is self.transcript:
            self.transcript.go_to_start()
        else:
            self._scrolled.scroll_to(y=0, animate=False, immediate=True)
        self._refresh_now()

    def action_last(self) -> None:
        """To the live end, or to the end of what has the keyboard."""
        if self._scrolled is self.transcript:
            self.transcript.go_to_end()
        else:
            self._scrolled.scroll_to(y=self._scrolled.max_scroll_y, animate=False, immediate=True)
        self._refresh_now()
