"""Where an English word may be hyphenated, by the shape of its syllables.

The rules are those of schoolbooks (a single consonant begins the next syllable, two are parted unless they belong
together, a silent e makes no syllable of its own); there is no list of exceptions. Good enough to pace speech by, not
to typeset.
"""

from __future__ import annotations

import itertools
import re
from typing import Final

# Vowels that sound as one, and the endings in which an e is silent
_NUCLEUS: Final = re.compile(
    r"(?:eau|iou|ai|au|aw|ay|ea|ee|ei|eu|ew|ey|ie|oa|oe|oi|oo|ou|ow|oy|ue|ui|(?<=[tscg])io(?=n)|(?<=q)u[aeiou]|[aeiouy])",
    re.IGNORECASE,
)
_SILENT: Final = re.compile(r"(?<=[^aeiouyl])e(?:s|d)?$|(?<=[aeiou][lr])e(?:s|d)?$", re.IGNORECASE)
# Consonants that can begin a syllable
_ONSETS: Final = re.compile(
    r"[bcdfghjklmnpqrstvwxyz]|[bcfgps]l|[bcdfgptw]r|[cgpstw]h|s[cklmnpqtw]|qu|ck|dw|tw|sch|scr|sph|spl|spr|squ|str|thr"
)
_TOGETHER: Final = re.compile(r"[cgpst]h|ck")
_MIN_LENGTH: Final = 5


def hyphenate_word(word: str) -> list[str]:
    """Give the parts of a word between which a hyphen may stand; a short word is one part."""
    if len(word) < _MIN_LENGTH:
        return [word]
    silent = _SILENT.search(word)
    limit = silent.start() if silent else len(word)
    nuclei = [match.span() for match in _NUCLEUS.finditer(word, 1 if word[:1] in "yY" else 0) if match.start() < limit]
    cuts = [_cut(word, left[1], right[0]) for left, right in itertools.pairwise(nuclei)]
    # No part of one letter is left alone at either end.
    edges = [0, *(cut for cut in cuts if 2 <= cut <= len(word) - 2), len(word)]
    return [word[left:right] for left, right in itertools.pairwise(edges)]


def _cut(word: str, left: int, right: int) -> int:
    """Where the consonants between two vowels are parted: the next syllable takes as many as can begin one."""
    between = word[left:right].lower()
    if len(between) <= 1 or _TOGETHER.fullmatch(between):
        return left
    for size in (3, 2):
        onset = between[-size:]
        if size < len(between) and len(onset) == size and _ONSETS.fullmatch(onset):
            return right - size
    if _ONSETS.fullmatch(between[-2:]) and between[-1] in "lr" and between[0] not in "lr":
        return right - 2
    return right - 1
