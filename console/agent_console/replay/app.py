"""The console over a recording: its screen with the keys of a player, and a clock that can be wound."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final

from textual.app import ComposeResult
from textual.screen import Screen

from agent_console.app import ConsoleApp
from agent_console.drawing.status import clock_text
from agent_console.drawing.text import Line, justify
from agent_console.keys import bindings, keys_of
from agent_console.panels import every_action
from agent_console.replay.backend import ReplayBackend
from agent_console.replay.keys import LIVE, PLAYER, with_player
from agent_console.replay.sound import FASTEST
from agent_console.screens.console import ConsoleScreen
from agent_console.session_clock import SessionClock
from agent_console.state import ConsoleState
from agent_console.widgets.panels import Panel

STEP: Final = 5.0
"""Seconds that an arrow key winds."""


class ReplayScreen(ConsoleScreen):
    """The console's screen, with a player's keys and its line at the foot."""

    BINDINGS: ClassVar[Any] = bindings(PLAYER)
    DEFAULT_CSS = "ReplayScreen #replay { height: 1; background: $panel; }"

    def __init__(self, app: ReplayApp) -> None:
        super().__init__(app)
        self._replay = app.replay
        # Nothing can be said to a recording; its own line names the keys that count.
        self._key_bar.display = self._prompt_bar.display = False
        keymap = app.keymap_in_use
        self._player = Panel(lambda state, now, width, _: [player_line(self._replay, keymap, width)], id="replay")

    def compose(self) -> ComposeResult:
        """See `Screen.compose`."""
        yield from super().compose()
        yield self._player

    def show(self, state: ConsoleState, now: float) -> None:
        """See `ConsoleScreen.show`."""
        super().show(state, now)
        self._player.show(state, now)

    def _show_search(self, shown: bool) -> None:
        super()._show_search(shown)
        self._prompt_bar.display = shown

    def action_pause(self) -> None:
        """Pause, or go on."""
        self._replay.toggle()
        self._player.changed()

    def action_help(self) -> None:
        """The player's keys, and those of the console that count in a recording."""
        from agent_console.screens.help import HelpScreen

        console = [action for action in every_action() if action.group not in LIVE]
        self.app.push_screen(HelpScreen(self._host.keymap_in_use, [*PLAYER, *console]))

    def action_push_to_talk(self) -> None:
        """The same key talks in a session."""
        self.action_pause()

    def action_type(self) -> None:
        """Nobody is there to be typed to."""
        self.notify("this is a recording: `agent-console replay BUNDLE --run` gives it to the present code")

    def action_back_in_time(self) -> None:
        """Back a few seconds."""
        self._replay.wind(self._replay.transport.position - STEP)

    def action_ahead(self) -> None:
        """Ahead a few seconds."""
        self._replay.wind(self._replay.transport.position + STEP)

    def action_previous(self) -> None:
        """To the turn before."""
        self._replay.wind_turns(-1)

    def action_next(self) -> None:
        """To the next turn."""
        self._replay.wind_turns(1)

    def action_slower(self) -> None:
        """More slowly."""
        self._replay.change_speed(-1)
        self._player.changed()

    def action_faster(self) -> None:
        """Faster."""
        self._replay.change_speed(1)
        self._player.changed()


_HINTS: Final = (
    (("replay.pause",), "pause"),
    (("replay.back", "replay.ahead"), f"{STEP:g} s"),
    (("replay.previous", "replay.next"), "turn"),
    (("replay.slower", "replay.faster"), "speed"),
    (("help",), "help"),
    (("quit",), "quit"),
)
_LAST_TO_GO: Final = ("help", "quit")


def player_line(replay: ReplayBackend, keymap: Mapping[str, str], width: int) -> Line:
    """`▶ 1x  0:12 / 3:21  turn 4 of 17`, and the keys where there is room."""
    transport = replay.transport
    over = transport.position >= transport.duration
    glyph = "■" if over else "▶" if transport.playing else "‖"
    turns = len(replay.turns)
    place = f"turn {max(0, replay.turn_index) + 1} of {turns}" if turns else ""
    why = "silent above 2x" if transport.speed > FASTEST else replay.silent_because or ""
    if replay.read is not None:
        why = f"reading what came before: {replay.read:.0%}"
    left: Line = (
        (f" {glyph} ", "agent bold"),
        (f"{transport.speed:g}x  ", "value"),
        (f"{clock_text(transport.position)} / {clock_text(transport.duration)}  ", "text"),
        (place, "muted"),
        (f"  {why}" if why else "", "faint"),
    )
    taken = sum(len(text) for text, _ in left)
    return justify(left, ((key_hints(keymap, width - taken - 2) + " ", "muted"),), width)


def key_hints(keymap: Mapping[str, str], width: int) -> str:
    """`space pause  ← → 5 s  …`, with the first of the keys that are in use, as many as there is room for.

    Help and quit come before the others: the one tells the rest.
    """
    actions = {action.id: action for action in (*PLAYER, *every_action())}
    hints = []
    for names, label in _HINTS:
        keys = [found[0] for name in names if (found := keys_of(actions[name], keymap))]
        if keys:
            hints.append((" ".join([*keys, label]), label in _LAST_TO_GO))
    while len("  ".join(hint for hint, _ in hints)) > width and hints:
        others = [index for index, (_, stays) in enumerate(hints) if not stays]
        hints.pop(others[-1] if others else -1)
    return "  ".join(hint for hint, _ in hints)


class ReplayClock(SessionClock):
    """The session's time is where the recording is."""

    def __init__(self, position: Callable[[], float]) -> None:
        super().__init__(position)
        self._position = position

    def heard(self, session_id: str, time: float) -> None:
        """See `SessionClock.heard`: the recording knows better."""

    def now(self) -> float:
        """See `SessionClock.now`."""
        return self._position()


class ReplayApp(ConsoleApp):
    """Shows a recording.

    Args:
        replay: the recording's player.
        notices: things to tell at the start, each one line.
        options: of `ConsoleApp`.
    """

    def __init__(self, replay: ReplayBackend, *, notices: Sequence[str] = (), **options: Any) -> None:
        self.replay = replay
        super().__init__(replay, mode="replay", notices=notices, **options)
        self.keymap_in_use = with_player(self.keymap_in_use, {action.id: action for action in every_action()})
        self.set_keymap(dict(self.keymap_in_use))
        self._clock = ReplayClock(lambda: replay.transport.position)
        replay.on_wound = self._pump.replace

    def get_default_screen(self) -> Screen[None]:
        """See `App.get_default_screen`."""
        return ReplayScreen(self)
