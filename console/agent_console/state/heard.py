"""How far into a message the listener is."""

from __future__ import annotations


def heard_length(text: str, heard: str) -> int:
    """Characters of `text` (as generated) that `heard` (as spoken) covers, up to the end of its last word.

    The two may differ in what isn't spoken: markdown, emoji, spaces. So letters and digits are counted off.
    """
    if text.startswith(heard):
        return len(heard)
    wanted = sum(character.isalnum() for character in heard)
    if wanted == 0:
        return 0
    for index, character in enumerate(text):
        if character.isalnum():
            wanted -= 1
            if wanted == 0:
                return _closing(text, index + 1)
    return len(text)


def _closing(text: str, index: int) -> int:
    """Take the punctuation with the word that it follows."""
    while index < len(text) and not text[index].isalnum() and not text[index].isspace():
        index += 1
    return index
