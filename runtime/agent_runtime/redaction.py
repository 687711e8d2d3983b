"""Taking secrets out of texts that are shown, logged or kept."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import Final

MASK: Final = "********"
_SECRET_VARIABLE: Final = re.compile(r"(KEY|SECRET|TOKEN|PASSWORD)$")
_SECRET_SHAPE: Final = re.compile(r"\bsk-[\w-]{16,}|(?<=Bearer )[\w.~+/=-]{8,}|\beyJ[\w-]+\.[\w-]+\.[\w-]+")
"""Keys of OpenAI's kind, what follows `Bearer`, and JSON web tokens, which let their bearer into a room."""
_SHORTEST_SECRET: Final = 6
"""Characters. A shorter value would blank out ordinary words (`secret`, the dev server's, is six)."""


class Redactor:
    """Replaces secrets in a text: known values, and what looks like a key."""

    def __init__(self, secrets: Iterable[str] = (), environ: Mapping[str, str] | None = None) -> None:
        environ = os.environ if environ is None else environ
        named = (value for name, value in environ.items() if _SECRET_VARIABLE.search(name))
        # The longest first: a secret may contain another.
        known = sorted({s for s in (*secrets, *named) if len(s) >= _SHORTEST_SECRET}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def __call__(self, text: str) -> str:
        """The text without secrets."""
        if self._known is not None:
            text = self._known.sub(MASK, text)
        return without_shapes(text)


def without_shapes(text: str) -> str:
    """The text without what looks like a key."""
    return _SECRET_SHAPE.sub(MASK, text)
