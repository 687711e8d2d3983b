"""Providers by name: what `--llm openai:gpt-4.1-mini` or `tts = "embedded"` stands for.

Naming a provider is cheap; the module that implements it is imported when it is built.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Part: TypeAlias = Literal["llm", "stt", "tts", "vad", "turn_detection"]

CHOICES: Final[dict[Part, tuple[str, ...]]] = {
    "llm": ("auto", "embedded", "openai", "none"),
    "stt": ("embedded", "none"),
    "tts": ("embedded", "none"),
    "vad": ("embedded", "none"),
    "turn_detection": ("embedded", "vad", "stt", "manual"),
}
"""The names that each part takes. `auto` is `openai` where a key or a URL for it is set, else `embedded`."""

WITH_MODEL: Final = frozenset({"openai"})
"""Providers that take a model's name after a colon."""


@dataclass(frozen=True, slots=True)
class ProviderSpec:
    """A provider's name and, where it offers several, the model."""

    provider: str
    model: str | None = None


def parse_spec(part: Part, text: str) -> ProviderSpec:
    """Read `provider` or `provider:model`. Raises ValueError that says what would be right."""
    provider, colon, model = text.strip().partition(":")
    choices = CHOICES[part]
    if provider not in choices:
        near = difflib.get_close_matches(provider, choices, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"{text!r} is not a provider of {part}: use {_listed(choices)}{hint}")
    if colon and provider not in WITH_MODEL:
        raise ValueError(f"{provider!r} takes no model: write {provider!r} alone")
    if colon and not model:
        raise ValueError(f"a model's name is missing after the colon: write {provider!r} or '{provider}:MODEL'")
    return ProviderSpec(provider, model or None)


def _listed(names: tuple[str, ...]) -> str:
    quoted = [f"'{name}:MODEL'" if name in WITH_MODEL else f"{name!r}" for name in names]
    return f"{', '.join(quoted[:-1])} or {quoted[-1]}"
