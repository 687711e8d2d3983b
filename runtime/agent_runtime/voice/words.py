"""Words in any script: what a recogniser's text is counted and compared by."""

from __future__ import annotations

import re

_CJK = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_WORD = re.compile(rf"[{_CJK}]|[^\W_]+(?:['\u2019][^\W_]+)*")
_COUNTED = re.compile(rf"[{_CJK}]|[^\W_][^\s{_CJK}]*")


def split_words(text: str) -> list[str]:
    """The words of `text` without punctuation; in Chinese, Japanese and Korean each character is one."""
    return _WORD.findall(text)


def count_words(text: str) -> int:
    """How many words `text` has, as a listener counts: "mm-hm" and "twenty-one" are one each, as for LiveKit Agents."""
    return len(_COUNTED.findall(text))


def same_words(first: str, second: str) -> bool:
    """Whether two texts say the same but for case and punctuation, which recognisers change late."""
    return first == second or _bare(first) == _bare(second)


def _bare(text: str) -> list[str]:
    return ["".join(c for c in word if c.isalnum()) for word in text.casefold().split()]
