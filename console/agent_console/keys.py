"""One registry of what a person can do. Bindings, footer, help and palette are all made from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from textual.binding import Binding

from agent_runtime.records import record


@record(frozen=True, slots=True)
class Action:
    """Something that a key does."""

    id: str
    """Names it in a keymap, and the screen's method `action_<id>`. One of a panel begins with the panel's id and a
    dot."""
    keys: str
    """Keys of the default keymap, separated by commas, in Textual's names."""
    label: str
    """One or two words, for the footer and the palette."""
    help: str
    """One sentence."""
    group: str
    """The heading that it stands under in help."""
    rank: int = 0
    """Its weight in the footer: the highest stay when it gets narrow; 0 is never there."""
    run: str = ""
    """Textual's name of the action, where it isn't the last part of the id."""

    @property
    def scope(self) -> str:
        """The panel in which its keys count; empty for everywhere."""
        return self.id.rpartition(".")[0]

    @property
    def command(self) -> str:
        """What Textual runs."""
        return self.run or self.id.rpartition(".")[2]


ACTIONS: Final = (
    Action("push_to_talk", "space", "talk", "Talk while you hold it; or tap to start and to send.", "Talk", 90),
    Action("back", "escape", "discard", "Drop what you are saying; close a panel, a search or a banner.", "Talk"),
    Action("mute", "m", "mute", "Mute or unmute the microphone.", "Talk", 80),
    Action("type", "t,enter", "type", "Type to the agent instead of speaking.", "Talk", 85),
    Action("interrupt", "i", "interrupt", "Stop what the agent is saying.", "Talk", 75),
    Action("reload", "r", "reload", "Load the agent's code again, into the running conversation.", "Agent", 70),
    Action("traceback", "e", "traceback", "Show why the last reload failed.", "Agent"),
    Action("devices", "d", "devices", "Pick a microphone and a speaker.", "Agent", 65),
    Action("room", "ctrl+o", "room", "Go on in a LiveKit room, or on this machine again.", "Agent", 58),
    Action("record", "R", "record", "Record the session into a bundle, or complete it.", "Agent", 60),
    Action("mark_turn", "x", "mark", "Mark the selected or newest turn, to come back to it.", "Agent"),
    Action("fork", "f", "fork", "Go on from the selected or newest turn in a branch of its own.", "Agent"),
    Action("switch_branch", "b", "next branch", "Go on in the next branch of the conversation.", "Agent"),
    Action("open_turn", "o", "open", "Open or close a turn: its latency by parts, its tool calls in full.", "Look", 50),
    Action("previous_turn", "k,left_square_bracket", "previous turn", "Select the turn before.", "Look"),
    Action("next_turn", "j,right_square_bracket", "next turn", "Select the turn after.", "Look"),
    Action("scroll_up", "up", "line up", "Scroll the transcript up.", "Look"),
    Action("scroll_down", "down", "line down", "Scroll the transcript down.", "Look"),
    Action("page_up", "pageup,ctrl+b", "page up", "Scroll a page up.", "Look"),
    Action("page_down", "pagedown,ctrl+f", "page down", "Scroll a page down.", "Look"),
    Action("first", "home,g", "first turn", "Go to the start of the conversation.", "Look"),
    Action("last", "end,G", "live end", "Go to the live end and stay with it.", "Look"),
    Action("search", "slash", "search", "Search the transcript.", "Look", 55),
    Action("next_match", "n", "next match", "Go to the next match.", "Look"),
    Action("previous_match", "N", "previous match", "Go to the match before.", "Look"),
    Action("copy", "y", "copy", "Copy what is selected, else the selected or newest turn.", "Look"),
    Action("log", "l", "log", "Show or hide the log.", "Look", 45),
    Action("jump", "w", "jump", "Put a letter on each part of the screen and go where it says.", "Look", 43),
    Action("help", "question_mark,f1", "help", "Show every key.", "Console", 95),
    Action("palette", "ctrl+p", "palette", "Find any action by typing.", "Console", 40),
    Action(
        "suspend",
        "ctrl+z",
        "suspend",
        "Put the console aside for the shell; fg brings it back.",
        "Console",
        run="app.suspend_process",
    ),
    Action("quit", "q", "quit", "Leave; the session ends and devices are given back.", "Console", 94),
)

BY_ID: Final[Mapping[str, Action]] = {action.id: action for action in ACTIONS}

NO_KEY: Final = "none"
"""What stands in a keymap for an action that has no key: Textual would take nothing for the default."""

_NAMES: Final = {
    "slash": "/",
    "question_mark": "?",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "escape": "esc",
    "pageup": "pgup",
    "pagedown": "pgdn",
    "comma": ",",
    "full_stop": ".",
    "less_than_sign": "<",
    "greater_than_sign": ">",
    "minus": "-",
    "plus": "+",
    "equals_sign": "=",
    "left": "←",
    "right": "→",
    "shift+left": "shift+←",
    "shift+right": "shift+→",
}


def bindings(actions: Iterable[Action] = ACTIONS) -> list[Binding]:
    """Actions as Textual's bindings; their ids let a keymap change the keys."""
    return [
        Binding(action.keys, action.command, action.label, show=action.rank > 0, tooltip=action.help, id=action.id)
        for action in actions
    ]


def keys_of(action: Action, keymap: Mapping[str, str]) -> list[str]:
    """How the keys of an action are written for people."""
    return written_keys(keymap.get(action.id, action.keys))


def written_keys(keys: str) -> list[str]:
    """Keys in Textual's words as people write them."""
    named = [key.strip() for key in keys.split(",")]
    return [_NAMES.get(key, key.replace("ctrl+", "^")) for key in named if key not in ("", NO_KEY)]


def key_for(name: str, keymap: Mapping[str, str]) -> str:
    """The first key of an action of the console, as people read it; the palette's where it has none."""
    keys = keys_of(BY_ID[name], keymap) or keys_of(BY_ID["palette"], keymap)
    return keys[0] if keys else "the palette"
