"""The console as a Textual app: it owns the state and the frame ticker; the rest is its screen's."""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final

from textual.command import CommandPalette
from textual.screen import Screen
from textual.timer import Timer

from agent_console.backend import Backend
from agent_console.base_app import BaseApp
from agent_console.commands import ConsoleCommands
from agent_console.drawing.health import Drawing
from agent_console.pump import EventPump
from agent_console.scenario_runs import ScenarioRuns
from agent_console.screens.console import ConsoleScreen
from agent_console.session_clock import SessionClock
from agent_console.state import ConsoleState
from agent_console.state.budgets import Budgets
from agent_console.state.spending import Prices
from agent_console.theme_preview import ThemePreview

FRAME: Final = 1 / 30
"""Seconds between frames while something happens."""
REST_AFTER: Final = 15
"""Frames without anything new after which the ticker stops."""


class ConsoleApp(BaseApp):
    """Shows a backend's session and passes on what a person asks of it.

    Args:
        backend: the session. The app starts it after the first paint and stops it when it leaves, also after a crash.
        mode: what the session will be (`local`, `text` …), to be shown until it says so itself.
        budgets: how long an answer and its parts may take; a second for the whole if left out.
        prices: what models cost; nothing has a price if left out.
        scenarios: of the agent's project, to be run; ended with the app.
        notices: things to tell at the start, each one line.
        monotonic: seconds, for countdowns between events; a fixed one makes the screen depend on events alone.
        options: of `BaseApp`.
    """

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-wide"), (160, "-full")]  # noqa: RUF012  # as Textual has it
    COMMANDS: ClassVar[set[type[ConsoleCommands]]] = {ConsoleCommands}  # type: ignore[assignment]  # narrower
    ENABLE_COMMAND_PALETTE = True

    def __init__(
        self,
        backend: Backend,
        *,
        mode: str = "",
        budgets: Budgets | None = None,
        prices: Prices | None = None,
        scenarios: ScenarioRuns | None = None,
        notices: Sequence[str] = (),
        monotonic: Callable[[], float] = time.monotonic,
        **options: Any,
    ) -> None:
        self.backend = backend
        self.budgets = budgets if budgets is not None else Budgets()
        self.prices = prices if prices is not None else Prices()
        self.scenarios = scenarios
        self._frame_time = 0.0
        self.state = ConsoleState(mode=mode)
        self._drawn: ConsoleState | None = None
        self._monotonic = monotonic
        self._clock = SessionClock(monotonic)
        self._pump = EventPump(self._wake_from_anywhere)
        self._app_loop: asyncio.AbstractEventLoop | None = None
        self._frame_context = contextvars.copy_context()
        self._ticker: Timer | None = None
        self._quiet_frames = 0
        self._started = self._leaving = False
        self._asked_to_quit_at = float("-inf")
        super().__init__(**options)
        self.theme_preview = ThemePreview(self)
        # Of a broken theme that the settings name, they told already.
        told = [p for p in self.problems if any(p.removeprefix("theme ") in notice for notice in notices)]
        self._notices = [*notices, *(problem for problem in self.problems if problem not in told)]

    # --- life --------------------------------------------------------------------------------------------------------

    def get_default_screen(self) -> Screen[None]:
        """See `App.get_default_screen`."""
        return ConsoleScreen(self)

    @property
    def console_screen(self) -> ConsoleScreen:
        """The screen at the bottom, under whatever is open over it."""
        screen = self.screen_stack[0]
        assert isinstance(screen, ConsoleScreen)
        return screen

    def on_mount(self) -> None:
        """Start the backend as soon as the first frame is painted."""
        self._app_loop = asyncio.get_running_loop()
        self._frame_context = contextvars.copy_context()
        self._ticker = self.set_interval(FRAME, self._frame, pause=True)
        self.set_interval(1.0, self._second)
        self.call_after_refresh(self._start)

    def _start(self) -> None:
        self.console_screen.show(self.state, self._clock.now())
        for number, text in enumerate(self._notices):
            self.console_screen.notice(f"notice {number}", text)
        self._started = True
        if self.scenarios is not None:
            self.scenarios.on_change = self._wake_from_anywhere
        self.backend.start(self._pump.put)

    async def on_unmount(self) -> None:
        """Give the session's devices back, whatever the reason for leaving."""
        if self.scenarios is not None:
            self.scenarios.close()
        await self._stop_backend()

    async def action_quit(self) -> None:
        """End the session and leave; asked twice, leave at once."""
        if self._leaving:
            self.exit()
            return
        self.run_worker(self._leave(), exit_on_error=True)

    async def _leave(self) -> None:
        self.console_screen.notice("leaving", "Ending the session …", "q leaves at once")
        await self._stop_backend()
        self.exit()

    async def _stop_backend(self) -> None:
        if self._started and not self._leaving:
            self._leaving = True
            await asyncio.to_thread(self.backend.stop)
            self._pump.close()

    def action_help_quit(self) -> None:
        """Ctrl+C: say how to quit; again within two seconds, quit."""
        now = time.monotonic()
        if now - self._asked_to_quit_at < 2.0:
            self.run_worker(self.action_quit())
            return
        self._asked_to_quit_at = now
        self.notify("q quits; so does ctrl+c again", timeout=2)

    # --- the palette --------------------------------------------------------------------------------------------------

    def on_command_palette_opened(self) -> None:
        """See `ThemePreview`."""
        self.theme_preview.opened()

    def on_command_palette_option_highlighted(self, event: CommandPalette.OptionHighlighted) -> None:
        """See `ThemePreview`."""
        self.theme_preview.highlighted(event.highlighted_event)

    def on_command_palette_closed(self, event: CommandPalette.Closed) -> None:
        """See `ThemePreview`."""
        self.theme_preview.closed(chosen=event.option_selected)

    # --- frames ------------------------------------------------------------------------------------------------------

    def _wake_from_anywhere(self) -> None:
        assert self._app_loop is not None, "the backend is started by the app"
        if not self._app_loop.is_closed():
            self._app_loop.call_soon_threadsafe(self._wake, context=self._frame_context)

    def _wake(self) -> None:
        self._quiet_frames = 0
        if self._ticker is not None:
            self._ticker.resume()

    def _frame(self) -> None:
        """Take what came in since the last frame and draw it; stop after a while without anything."""
        if not self.screen_stack:  # the app is closing, and its timers go last
            return
        began = self._monotonic()
        state = self._pump.drain(self.state)
        if state is not self.state:
            self._clock.heard(state.session_id, state.now)
            self.state = state
            self._quiet_frames = 0
        elif not self.console_screen.is_animating:
            self._quiet_frames += 1
            if self._quiet_frames >= REST_AFTER and self._ticker is not None and self._pump.rest():
                self._ticker.pause()
            return
        self.console_screen.show(state, self._clock.now())
        self._drawn = state
        self._frame_time = self._monotonic() - began

    @property
    def drawing(self) -> Drawing:
        """How the console itself does."""
        return Drawing(self._pump.waiting, self._frame_time)

    @property
    def is_settled(self) -> bool:
        """Whether the session has begun to report and every event of it is on the screen."""
        drawn = self._drawn is self.state and not self.console_screen.is_behind
        return self.state.seq > 0 and self._pump.waiting == 0 and drawn

    def _second(self) -> None:
        self.reload_saved_themes()
        if self.state.started and not self.state.closed and self.screen_stack:
            self.console_screen.show(self.state, self._clock.now())
