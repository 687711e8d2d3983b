"""Models that think aloud: what stands between `<think>` and `</think>` isn't for the user's ears."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

_OPEN = "<think>"
_CLOSE = "</think>"


class ThinkingFilter:
    """Takes text in pieces of any size and gives back what is to be said.

    Holds back no more than what may still turn out to be a tag. The white space after a thought goes with it, unless
    `trim` is False.
    """

    def __init__(self, start: str = _OPEN, end: str = _CLOSE, *, trim: bool = True) -> None:
        self._start, self._end, self._trim = start, end, trim
        self._held = ""
        self._thinking = False
        self._after_thought = False

    def feed(self, text: str) -> str:
        """The next piece."""
        if not self._held and not self._thinking and not self._after_thought and self._start[0] not in text:
            return text
        self._held += text
        said: list[str] = []
        while self._held:
            if self._after_thought:
                self._held = self._held.lstrip()
                self._after_thought = not self._held
            awaited = self._end if self._thinking else self._start
            before, tag, rest = self._held.partition(awaited)
            if not tag:
                # Only its end can still become a tag.
                split = len(before) - _possible_tag(before, awaited)
                before, rest = before[:split], before[split:]
            if not self._thinking:
                said.append(before)
            self._held = rest
            if not tag:
                break
            self._thinking = not self._thinking
            self._after_thought = self._trim and not self._thinking
        return "".join(said)

    def finish(self) -> str:
        """What was held back, at the end of the answer."""
        held, self._held = self._held, ""
        return "" if self._thinking else held


@dataclass
class ThinkingTokenFilter:
    """What `strip_thinking_tokens` remembers of one answer between its pieces."""

    start_tag: str = _OPEN
    end_tag: str = _CLOSE

    def __post_init__(self) -> None:
        self._filter = ThinkingFilter(self.start_tag, self.end_tag, trim=False)


def strip_thinking_tokens(
    content: str | list[Any] | None, state: ThinkingTokenFilter, *, final: bool = False
) -> str | None:
    """What is to be said of the next piece of an answer; None where there is nothing of it.

    Args:
        content: the piece: text, or a list of parts that have text, as some servers send it.
        state: made anew for each answer.
        final: no more pieces follow.
    """
    text = content if isinstance(content, str) or content is None else _text_of(content)
    said = state._filter.feed(text) if text else ""
    if final:
        said += state._filter.finish()
        state._filter = ThinkingFilter(state.start_tag, state.end_tag, trim=False)
    return said or ("" if text == "" else None)


def _text_of(parts: Iterable[Any]) -> str | None:
    texts = [
        part if isinstance(part, str) else part.get("text") if isinstance(part, dict) else getattr(part, "text", None)
        for part in parts
    ]
    known = [text for text in texts if isinstance(text, str)]
    return "".join(known) if known else None


def _possible_tag(text: str, tag: str) -> int:
    """How many characters at the end of `text` begin `tag`."""
    return next((n for n in range(min(len(tag) - 1, len(text)), 0, -1) if text.endswith(tag[:n])), 0)
