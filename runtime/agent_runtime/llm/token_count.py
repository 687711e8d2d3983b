"""How many tokens a text is: by a provider's own tokenizer where it has one, else by a named estimate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from agent_runtime.token_estimate import ESTIMATE, estimate_tokens


@runtime_checkable
class CountsTokens(Protocol):
    """A language model that knows how its texts are cut."""

    def count_tokens(self, text: str) -> int:
        """The tokens of a text. Returns at once."""
        ...


@dataclass(frozen=True, slots=True)
class TokenCount:
    """How tokens are counted."""

    count: Callable[[str], int]
    name: str
    exact: bool


def token_count(llm: Any) -> TokenCount:
    """How to count for a language model, which may be None."""
    if isinstance(llm, CountsTokens):
        return TokenCount(llm.count_tokens, str(getattr(llm, "model", "") or type(llm).__name__), exact=True)
    return TokenCount(estimate_tokens, ESTIMATE, exact=False)
