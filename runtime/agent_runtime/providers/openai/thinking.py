"""Models that think aloud: what stands between `<think>` and `</think>` isn't for the user's ears."""

from __future__ import annotations

_OPEN = "<think>"
_CLOSE = "</think>"


class ThinkingFilter:
    """Takes text in pieces of any size and gives back what is to be said.

    Holds back no more than what may still turn out to be a tag. The white space after a thought goes with it.
    """

    def __init__(self) -> None:
        self._held = ""
        self._thinking = False
        self._after_thought = False

    def feed(self, text: str) -> str:
        """The next piece."""
        if not self._held and not self._thinking and not self._after_thought and "<" not in text:
            return text
        self._held += text
        said: list[str] = []
        while self._held:
            if self._after_thought:
                self._held = self._held.lstrip()
                self._after_thought = not self._held
            before, tag, rest = self._held.partition(_CLOSE if self._thinking else _OPEN)
            if not tag:
                # Only its end can still become a tag.
                split = len(before) - _possible_tag(before, _CLOSE if self._thinking else _OPEN)
                before, rest = before[:split], before[split:]
            if not self._thinking:
                said.append(before)
            self._held = rest
            if not tag:
                break
            self._thinking = not self._thinking
            self._after_thought = not self._thinking
        return "".join(said)

    def finish(self) -> str:
        """What was held back, at the end of the answer."""
        held, self._held = self._held, ""
        return "" if self._thinking else held


def _possible_tag(text: str, tag: str) -> int:
    """How many characters at the end of `text` begin `tag`."""
    return next((n for n in range(min(len(tag) - 1, len(text)), 0, -1) if text.endswith(tag[:n])), 0)
