"""Which words of the agent's speech have reached the listener."""

from __future__ import annotations

import re
from dataclasses import dataclass

from agent_runtime.types import TimedString, is_given

_PIECE = re.compile(r"\S+\s*")

# A pause at punctuation, in characters' worth of time, by hand from English speech: a comma takes about 0.2 s.
_PAUSES = {",": 3.0, ";": 4.0, ":": 4.0, ".": 6.0, "!": 6.0, "?": 6.0, "…": 6.0, "。": 6.0, "、": 3.0}

DEFAULT_PACE = 0.06
"""Seconds a character until a voice was measured: about 160 words of English a minute."""

_TOLERANCE = 0.005
"""Seconds by which a word may outlast the position and still count: less than a frame."""


def spoken_weight(word: str) -> float:
    """How long a word takes, in characters of ordinary text, the pause after it included."""
    stripped = word.rstrip()
    return len(stripped) + 1.0 + (_PAUSES.get(stripped[-1], 0.0) if stripped else 0.0)


class Pace:
    """Seconds per character of a voice, learned from what it said. One per voice and session."""

    def __init__(self) -> None:
        self._weight = 0.0
        self._seconds = 0.0

    @property
    def seconds_per_weight(self) -> float:
        """Measured so far, else `DEFAULT_PACE`."""
        return self._seconds / self._weight if self._weight else DEFAULT_PACE

    def observe(self, weight: float, seconds: float) -> None:
        """A whole segment of that weight took that long."""
        if weight > 0 and seconds > 0:
            # Older speech counts less, so a change of speed is followed.
            self._weight = self._weight * 0.5 + weight
            self._seconds = self._seconds * 0.5 + seconds


@dataclass(slots=True)
class _Word:
    text: str
    end: float
    """Weight, or seconds where the TTS aligned it, from the start of the segment to the end of the word."""


class HeardText:
    """The text of one segment of speech, beside its audio.

    Words end where the TTS says; where it doesn't, by the share of their characters in the segment's audio, or by the
    voice's pace while that isn't complete.
    """

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._words: list[_Word] = []
        self._timed: list[_Word] = []
        self._rest = ""
        self._weight = 0.0
        self._text_done = False
        self._audio_done = False
        self.audio = 0.0
        """Seconds of audio so far."""

    @property
    def text(self) -> str:
        """All of it, heard or not."""
        return "".join(word.text for word in self._words) + self._rest

    def add_text(self, delta: str) -> None:
        """More text."""
        self._rest += delta
        pieces = _PIECE.findall(self._rest) if not self._rest[:1].isspace() else re.findall(r"\s*\S+\s*", self._rest)
        for piece in pieces[:-1]:
            self._add_word(piece)
        if pieces:
            self._rest = pieces[-1]

    def _add_word(self, piece: str) -> None:
        self._weight += spoken_weight(piece)
        self._words.append(_Word(piece, self._weight))

    def add_timed(self, words: list[TimedString]) -> None:
        """Words with the times that the TTS gives them."""
        for word in words:
            if is_given(word.end_time):
                self._timed.append(_Word(str(word), word.end_time))
            elif self._timed:
                self._timed[-1].text += str(word)

    def add_audio(self, seconds: float) -> None:
        """More audio."""
        self.audio += seconds

    def end_text(self) -> None:
        """No more text comes."""
        if self._rest:
            self._add_word(self._rest)
            self._rest = ""
        self._text_done = True
        self._learn()

    def end_audio(self) -> None:
        """No more audio comes."""
        self._audio_done = True
        self._learn()

    def _learn(self) -> None:
        if self._text_done and self._audio_done:
            self._pace.observe(self._weight, self.audio)

    def _scale(self) -> float:
        if self._text_done and self._audio_done and self._weight:
            return self.audio / self._weight
        return self._pace.seconds_per_weight

    def heard(self, position: float) -> str:
        """The words that were over at `position` seconds."""
        limit = min(position, self.audio) + _TOLERANCE
        if self._timed:
            return "".join(word.text for word in self._timed if word.end <= limit).rstrip()
        scale = self._scale()
        return "".join(word.text for word in self._words if word.end * scale <= limit).rstrip()

    def next_change(self, position: float) -> float | None:
        """The position after `position` at which another word is over; None if none is known."""
        limit = position + _TOLERANCE
        if self._timed:
            return min((word.end for word in self._timed if word.end > limit), default=None)
        scale = self._scale()
        return min((word.end * scale for word in self._words if word.end * scale > limit), default=None)
