"""The console on a recorded conversation, with the pilot that presses its keys."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from textual.pilot import Pilot

from agent_console.app import ConsoleApp
from agent_console.screens.console import ConsoleScreen
from agent_runtime import events as ev
from tests.support.backend import ScriptedBackend
from tests.support.conversation import STORIES, long_history
from tests.support.screenshots import settle


class Console:
    """The app on a story, with the pilot that presses its keys."""

    def __init__(self, app: ConsoleApp, backend: ScriptedBackend, pilot: Pilot[None]) -> None:
        self.app = app
        self.backend = backend
        self.pilot = pilot

    @property
    def screen(self) -> ConsoleScreen:
        return self.app.console_screen

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def send(self, *data: ev.EventData) -> None:
        """Events after those of the story."""
        seq = self.app.state.seq
        for number, item in enumerate(data):
            self.backend.send(ev.Event(seq + 1 + number, self.app.state.now, "session-1", None, None, item))
        await settle(self.app, seq=seq + len(data))
        await self.pilot.pause()


Open = Callable[..., AbstractAsyncContextManager[Console]]


@asynccontextmanager
async def open_console(
    story: str = "interrupted", size: tuple[int, int] = (80, 24), **options: object
) -> AsyncIterator[Console]:
    """The app on a story, or on so many turns, once everything is drawn."""
    events = list(long_history(int(story))) if story.isdigit() else STORIES[story]().events
    backend = ScriptedBackend(events)
    app = ConsoleApp(backend, monotonic=lambda: 0.0, encoding="utf-8", **options)  # type: ignore[arg-type]
    async with app.run_test(size=size) as pilot:
        await settle(app)
        await pilot.pause()
        yield Console(app, backend, pilot)
