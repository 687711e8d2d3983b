"""What a person can do to a recording that is played, and to one that is run again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from agent_console.keys import NO_KEY, Action

PLAYER: Final = (
    Action("replay.pause", "space,p", "pause", "Pause the recording, or go on.", "Recording", 90),
    Action("replay.back", "left,comma", "back", "Go back five seconds.", "Recording", 80, "back_in_time"),
    Action("replay.ahead", "right,full_stop", "ahead", "Go ahead five seconds.", "Recording", 80),
    Action("replay.previous", "less_than_sign,shift+left", "turn back", "Go to the turn before.", "Recording", 70),
    Action("replay.next", "greater_than_sign,shift+right", "turn ahead", "Go to the next turn.", "Recording", 70),
    Action("replay.slower", "minus", "slower", "Play more slowly.", "Recording", 60),
    Action("replay.faster", "plus,equals_sign", "faster", "Play faster, silently past 2x.", "Recording", 60),
)

_RUNS: Final = "Both runs"
COMPARISON: Final = (
    Action("compared.next_difference", "n", "next difference", "Go to the next exchange that differs.", _RUNS, 90),
    Action("compared.previous_difference", "N", "difference before", "Go to the one before that differs.", _RUNS, 80),
    Action("compared.next_exchange", "j,right_square_bracket", "next", "Go to the next exchange.", _RUNS),
    Action("compared.previous_exchange", "k,left_square_bracket", "back", "Go to the exchange before.", _RUNS),
    Action("compared.stack", "s", "stack", "Show the runs side by side, or one under the other.", _RUNS, 70),
    Action("compared.copy", "y", "copy", "Copy the report as text.", _RUNS, 60),
    Action("compared.scroll_up", "up", "line up", "Scroll both runs up.", _RUNS),
    Action("compared.scroll_down", "down", "line down", "Scroll both runs down.", _RUNS),
    Action("compared.page_up", "pageup,ctrl+b", "page up", "Scroll a page up.", _RUNS),
    Action("compared.page_down", "pagedown,ctrl+f", "page down", "Scroll a page down.", _RUNS),
    Action("compared.first", "home,g", "start", "Go to the first exchange.", _RUNS),
    Action("compared.last", "end,G", "end", "Go to the last one, and stay with the run.", _RUNS),
    Action("compared.help", "question_mark,f1", "help", "Show every key.", _RUNS, 95),
    Action("compared.quit", "q,escape", "quit", "Leave; a run that goes on is given up.", _RUNS, 94),
)

LIVE: Final = ("Talk", "Agent")
"""Groups of the console's actions that need a session."""


def with_player(keymap: Mapping[str, str], console: Mapping[str, Action]) -> dict[str, str]:
    """A keymap of the console's for a recording, in which one key does one thing.

    What needs a session gives its keys back. A key that a person gave to the player is the player's; one that they gave
    to something else is no longer the player's.

    Args:
        keymap: what was changed, by action.
        console: the console's actions by id; those of panels have their keys apart.
    """
    player = {action.id: action for action in PLAYER}
    wanted = {key for name in player if name in keymap for key in keymap[name].split(",")} - {NO_KEY}
    result = dict(keymap)
    given: set[str] = set()
    for name in [name for name in keymap if name in console and not console[name].scope]:
        if console[name].group in LIVE and name != "back":
            del result[name]
            continue
        keys = [key for key in keymap[name].split(",") if key not in wanted]
        given.update(keys)
        result[name] = ",".join(keys) or NO_KEY
    for name, action in player.items():
        if name not in keymap and given & set(action.keys.split(",")):
            result[name] = ",".join(key for key in action.keys.split(",") if key not in given) or NO_KEY
    return result
