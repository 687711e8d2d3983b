"""Finds the way through a phone menu: the agent may press keys, and is asked to act when nothing goes on."""

from __future__ import annotations

import math
import re
from collections import Counter, deque
from typing import TYPE_CHECKING, Any, Final

from agent_runtime import events as ev
from agent_runtime.voice.dtmf import send_dtmf_events

if TYPE_CHECKING:
    from agent_runtime.clock import TimerHandle
    from agent_runtime.voice.session import AgentSession

SILENCE: Final = 5.0
"""Seconds of both sides' silence after which the agent is asked to act."""
_WORD: Final = re.compile(r"\w\w+")


class MenuNavigation:
    """Watches a session from `start` to `stop`; its tools are the session's meanwhile."""

    def __init__(self, session: AgentSession[Any], *, silence: float = SILENCE) -> None:
        self._session = session
        self._silence = silence
        self._loop = LoopDetector()
        self._timer: TimerHandle | None = None
        self._unsubscribe: Any = None

    def start(self, heard: str = "") -> None:
        """Begin; `heard` is what the menu has said already."""
        session = self._session
        session._tools.append(send_dtmf_events)
        self._unsubscribe = session.events.subscribe(
            self._happened, types=[ev.UserStateChanged, ev.AgentStateChanged, ev.UserTranscribed]
        )
        if heard:
            self._loop.repeats(heard)
        self._look()

    def stop(self) -> None:
        """End it."""
        if self._unsubscribe is None:
            return
        self._unsubscribe()
        self._unsubscribe = None
        self._session._tools.remove(send_dtmf_events)
        self._stop_timer()

    def _happened(self, event: ev.AnyEvent) -> None:
        data = event.data
        if isinstance(data, ev.UserTranscribed):
            if data.is_final and self._loop.repeats(data.text):
                self._session.generate_reply(allow_interruptions=False)
        else:
            self._look()

    def _look(self) -> None:
        session = self._session
        quiet = session.user_state in ("listening", "away") and session.agent_state in ("idle", "listening")
        if quiet and self._timer is None:
            clock = session._engine.clock
            self._timer = clock.call_at(clock.now() + self._silence, self._fell_silent)
        elif not quiet:
            self._stop_timer()

    def _fell_silent(self) -> None:
        self._timer = None
        self._session.generate_reply()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class LoopDetector:
    """Notices that somebody says the same again and again, by the words that texts have in common.

    Args:
        window: texts that are remembered.
        similarity: cosine of two texts' word counts, rare words counting more, from which they are the same.
        times: so many texts in a row that were heard before make a loop.
    """

    def __init__(self, *, window: int = 20, similarity: float = 0.85, times: int = 3) -> None:
        self._texts: deque[Counter[str]] = deque(maxlen=window)
        self._similarity = similarity
        self._times = times
        self._in_a_row = 0

    def repeats(self, text: str) -> bool:
        """Take the next text. True, and everything forgotten, if it completes a loop."""
        words = Counter(_WORD.findall(text.lower()))
        before = list(self._texts)
        self._texts.append(words)
        rarity = self._rarity()
        same = any(_cosine(words, other, rarity) > self._similarity for other in before)
        self._in_a_row = self._in_a_row + 1 if same else 0
        if self._in_a_row < self._times:
            return False
        self._texts.clear()
        self._in_a_row = 0
        return True

    def _rarity(self) -> dict[str, float]:
        in_texts = Counter(word for text in self._texts for word in text)
        return {word: math.log((1 + len(self._texts)) / (1 + count)) + 1 for word, count in in_texts.items()}


def _cosine(one: Counter[str], other: Counter[str], rarity: dict[str, float]) -> float:
    def weight(words: Counter[str]) -> float:
        return math.sqrt(sum((count * rarity[word]) ** 2 for word, count in words.items()))

    common = sum(one[word] * other[word] * rarity[word] ** 2 for word in one.keys() & other.keys())
    return common / (weight(one) * weight(other)) if common else 0.0
