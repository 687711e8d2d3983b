"""Key sequences that Textual 8.2.8 raises on, so that odd input can't end the console.

With kitty's event types on, left so by another program or asked for by a wrapper, a terminal tells presses, repeats and
releases apart: `CSI 32;1:3u` is a released space. Textual doesn't ask for them and its parser can't read them.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from typing import Final

from textual import events
from textual._xterm_parser import XTermParser

_EVENT_TYPE: Final = re.compile(r"(\x1b\[[\d:]*;\d*):(\d+)(.*)", re.DOTALL)
_RELEASE: Final = "3"


class TolerantParser(XTermParser):
    """Reads a press or repeat as the key, leaves out releases, and ignores what isn't a key after all."""

    def _sequence_to_key_events(self, sequence: str, alt: bool = False) -> Iterable[events.Key]:
        if match := _EVENT_TYPE.fullmatch(sequence):
            start, event_type, rest = match.groups()
            if event_type == _RELEASE:
                return
            sequence = start + rest
        try:
            yield from super()._sequence_to_key_events(sequence, alt)
        except ValueError:  # numbers where it expects none, or no character of that number
            return


def tolerate_odd_keys() -> None:
    """Have the drivers of this platform use `TolerantParser`; they name their parser as a global of their module."""
    if sys.platform == "win32":
        from textual.drivers import win32 as driver
    else:
        from textual.drivers import linux_driver as driver
    # The driver makes its parser by this global, and offers no other way in.
    driver.__dict__["XTermParser"] = TolerantParser
