"""About how many tokens a text is, where no tokenizer is at hand."""

from __future__ import annotations

from typing import Final

ESTIMATE: Final = "4 bytes a token"
"""The rule of thumb that OpenAI gives for English; other languages take more."""
FRAME: Final = 4
"""Tokens around each message: its role, and where it begins and ends, in ChatML and what resembles it."""
_BYTES: Final = 4


def estimate_tokens(text: str) -> int:
    """About how many tokens a text is, by `ESTIMATE`."""
    return -(-len(text.encode("utf-8", "replace")) // _BYTES)
