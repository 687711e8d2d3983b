"""Getting text ready to be spoken: pieces that are worth speaking at once, and words for what is written otherwise."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

from agent_runtime.tokenize.sentences import SentenceCutter

FIRST_CLAUSE = 24
"""Characters that the first piece of a reply has at least when it ends at a comma instead of at a sentence's end."""
LONGEST_PIECE = 220
"""Characters of a piece; a longer sentence is cut at its commas. Its audio would come late and run out of breath."""

CLAUSE_MARKS = ",;:—\N{EN DASH}"
_CLAUSE_END = re.compile(rf"[{CLAUSE_MARKS}]\s+")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_ADDRESS = re.compile(r"\b(?:https?://)?(?:www\.)?([\w.-]+\.[a-z]{2,}(?:/[\w./-]*)?)(?:[?#]\S*)?", re.IGNORECASE)
_URL = re.compile(r"\bhttps?://\S+", re.IGNORECASE)
_SAID_AS = (
    (re.compile(r"(?m)^\s*(?:#{1,6}|>|[-*+•])\s+"), ""),  # headings, quotes and bullets
    (re.compile(r"[*`~|]|(?<!\w)_+|_+(?!\w)"), ""),
    (re.compile(r"\bi\.e\.,?", re.IGNORECASE), "that is,"),
    (re.compile(r"\be\.g\.,?", re.IGNORECASE), "for example,"),
    (re.compile(r"\b24/7\b"), "24 7"),
    (re.compile(r"(?<![\d/])1/2(?![\d/])"), "one half"),
    (re.compile(r"(?<=\w)/(?=[A-Za-z])"), " or "),
    (re.compile(r"\s+([,.;:!?])"), r"\1"),
)


def speakable(text: str) -> str:
    """The text without markdown, and with words in place of what the voice reads badly."""
    text = _LINK.sub(r"\1", text)
    text = _URL.sub(lambda url: _say_address(url.group()), text)
    for pattern, words in _SAID_AS:
        text = pattern.sub(words, text)
    return text.strip()


def _say_address(url: str) -> str:
    ending = re.search(r"[.,;:!?)]*$", url)
    assert ending is not None
    address = _ADDRESS.match(url)
    if address is None:
        return url
    return address.group(1).rstrip("./").replace("/", " slash ") + ending.group()


class PieceCutter:
    """Cuts text, as it comes, into pieces to be spoken one after the other.

    The pieces are sentences, joined they are the text. The first may be a clause only, so that speech begins early;
    of a very long sentence all are.
    """

    def __init__(self) -> None:
        self._sentences = SentenceCutter(min_len=1, min_context=1, retain_format=True)
        self._head: str | None = ""
        """The text so far, until the first piece is out."""

    def push(self, text: str) -> list[str]:
        """Take more text; returns the pieces that are complete."""
        pieces = self._sentences.push(text)
        if self._head is None:
            return _limited(pieces)
        self._head += text
        end = self._first_clause_end(len(pieces[0]) if pieces else len(self._head))
        if end and pieces:
            pieces[:1] = [pieces[0][:end], pieces[0][end:]]
        elif end:
            self._sentences.flush()
            pieces = [self._head[:end], *self._sentences.push(self._head[end:])]
        if pieces:
            self._head = None
        return _limited(pieces)

    def flush(self) -> list[str]:
        """The rest; then another text begins."""
        pieces = _limited(self._sentences.flush())
        self._head = ""
        return pieces

    def _first_clause_end(self, limit: int) -> int:
        """Where the first clause that is long enough ends, before `limit`; 0 if there is none."""
        ends = (clause.end() for clause in _CLAUSE_END.finditer(self._head or "", 0, limit))
        return next((end for end in ends if FIRST_CLAUSE <= end < limit), 0)


def _limited(pieces: list[str]) -> list[str]:
    return [part for piece in pieces for part in _split_long(piece)]


def _split_long(piece: str) -> list[str]:
    parts = []
    while len(piece) > LONGEST_PIECE:
        ends = [m.end() for m in _CLAUSE_END.finditer(piece, LONGEST_PIECE // 4, LONGEST_PIECE)]
        cut = ends[-1] if ends else piece.rfind(" ", LONGEST_PIECE // 2, LONGEST_PIECE) + 1 or LONGEST_PIECE
        parts.append(piece[:cut])
        piece = piece[cut:]
    return [*parts, piece]


def split_words(text: str) -> list[str]:
    """The words with the white space around them; joined they are the text."""
    return re.findall(r"\s*\S+\s*", text) or ([text] if text else [])


def share_times(
    words: Sequence[str], spoken: Sequence[str], times: Sequence[tuple[float, float]]
) -> list[tuple[float, float]]:
    """The times of the words of a text, from those of the words that were spoken for it.

    Where a word was spoken as others ("22°C" as "22 degrees Celsius"), the time of those is shared out by length.

    Args:
        words: of the text.
        spoken: what was said instead.
        times: start and end of each of `spoken`, in seconds.
    """
    shared: list[tuple[float, float]] = []
    matcher = SequenceMatcher(None, [_key(w) for w in words], [_key(w) for w in spoken], autojunk=False)
    for tag, a0, a1, b0, b1 in matcher.get_opcodes():
        if tag == "equal":
            shared += times[b0:b1]
        elif a0 < a1:
            here = times[b0 - 1][1] if b0 else 0.0
            start, end = (times[b0][0], times[b1 - 1][1]) if b0 < b1 else (here, here)
            shared += _by_length(words[a0:a1], start, end)
    return shared


def _by_length(words: Sequence[str], start: float, end: float) -> list[tuple[float, float]]:
    lengths = [len(word.strip()) for word in words]
    total = sum(lengths) or 1
    at = 0
    times = []
    for length in lengths:
        begin = start + (end - start) * at / total
        at += length
        times.append((begin, start + (end - start) * at / total))
    return times


def _key(word: str) -> str:
    return re.sub(r"[\W_]", "", word.lower())
