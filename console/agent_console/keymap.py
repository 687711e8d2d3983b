"""Keys as a user writes them in the settings, made into a keymap; what is wrong with them is said by place."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from textual.keys import Keys, _character_to_key

from agent_console.keys import NO_KEY, Action, written_keys

_MODIFIERS: Final = frozenset(("ctrl", "shift", "alt", "super", "hyper", "meta"))
_NAMED: Final = frozenset(key.value for key in Keys)


def read_keymap(
    values: Mapping[str, Any], actions: Sequence[Action], places: Mapping[str, str] | None = None
) -> tuple[dict[str, str], list[str]]:
    """The keymap that the settings' `keys` mean, and what is wrong with the rest, a line each.

    Args:
        values: keys by action: `{"mute": "ctrl+t"}`, `{"events.pause": ["p", "f7"]}`; an empty text takes them away.
        actions: what there is.
        places: where each entry stands (`keys.mute`), for the messages.
    """
    keymap: dict[str, str] = {}
    problems: list[str] = []
    known = {action.id: action for action in actions}
    for name, value in _flat(values):
        where = f"{(places or {}).get(f'keys.{name}', 'settings')}: keys.{name}"
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            hint = f"; did you mean {near[0]!r}?" if near else "; help (?) lists them"
            problems.append(f"{where}: there is no such action{hint}")
            continue
        written = [value] if isinstance(value, str) else value
        if not isinstance(written, list) or not all(isinstance(key, str) for key in written):
            problems.append(f"{where}: {value!r} isn't a key: write a text, or a list of them")
            continue
        keys = [part for key in written for part in _split(key)]
        wrong = [key for key in keys if _key(key) is None]
        if wrong:
            problems.append(f'{where}: {wrong[0]!r} isn\'t a key: write it like "x", "f5", "ctrl+t" or "shift+left"')
            continue
        keymap[name] = ",".join(key for part in keys if (key := _key(part)) is not None) or NO_KEY
    return keymap, problems + _take_away(keymap, actions, places or {})


def _take_away(keymap: dict[str, str], actions: Sequence[Action], places: Mapping[str, str]) -> list[str]:
    """A key that would do two things in one place does what it was mapped to; the other action loses it."""
    owners: dict[tuple[str, str], str] = {}
    problems = []
    for action in sorted(actions, key=lambda action: action.id not in keymap):
        keys = keymap.get(action.id, action.keys).split(",")
        lost = [key for key in keys if owners.setdefault((action.scope, key), action.id) != action.id and key != NO_KEY]
        for key in lost:
            owner = owners[action.scope, key]
            where = f"{places.get(f'keys.{owner}', 'settings')}: keys.{owner}"
            problems.append(f"{where}: {written_keys(key)[0]} is also the key of {action.id}, which loses it")
        if lost:
            keymap[action.id] = ",".join(key for key in keys if key not in lost) or NO_KEY
    return problems


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """`events.pause` may be written as one name or as a table in a table."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _split(keys: str) -> list[str]:
    return [keys] if keys == "," else [key.strip() for key in keys.split(",") if key.strip()]


_SHORT: Final = {"esc": "escape", "pgup": "pageup", "pgdn": "pagedown", "return": "enter", "del": "delete"}


def _key(written: str) -> str | None:
    """The key in Textual's words; None if there is no such key."""
    *modifiers, key = written.replace("^", "ctrl+").split("+") if len(written) > 1 else [written]
    modifiers = [modifier.lower() for modifier in modifiers]
    key = _SHORT.get(key.lower(), key)
    if len(key) == 1:
        # A terminal sends the same for ctrl with the small letter and with the capital.
        key = key.lower() if "ctrl" in modifiers else key
        key = _character_to_key(key)
    elif key.lower() in _NAMED:
        key = key.lower()
    elif not _names_a_character(key):
        return None
    if not set(modifiers) <= _MODIFIERS:
        return None
    return "+".join([*modifiers, key])


def _names_a_character(key: str) -> bool:
    """`slash`, `question_mark`: how Textual names what is neither a letter nor a digit."""
    import unicodedata

    try:
        unicodedata.lookup(key.replace("_", " "))
    except KeyError:
        return False
    return True
