"""What hosted recognisers differ in: which options they take for terms, what they tell, what they need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Required, TypeAlias, TypedDict

from agent_runtime.inference.model_names import provider_of, split_model

DEFAULT_RATE: Final = 16_000
"""Hz."""
_OPENAI_RATE: Final = 24_000
"""Hz. Its transcription takes no other."""
CONTEXT_CHARACTERS: Final = 1750
"""The most of what the agent said last that AssemblyAI's models take."""

_TERMS: Final = {
    "assemblyai": "keyterms_prompt",
    "deepgram": "keyterm",
    "openai": "keywords",
    "speechmatics": "additional_vocab",
}
"""Provider → the option that names terms to listen for."""
_SPEAKERS: Final = ("diarize", "speaker_labels", "diarization")
"""The providers' options for telling who speaks."""
_WITH_CONTEXT: Final = frozenset(
    {"assemblyai/u3-rt-pro", "assemblyai/universal-3-5-pro", "assemblyai/universal-3-6-pro"}
)
_WITH_WORDS: Final = _WITH_CONTEXT | {
    "assemblyai/universal-streaming",
    "assemblyai/universal-streaming-multilingual",
    "cartesia/ink-whisper",
    "deepgram/flux-general",
    "deepgram/flux-general-en",
    "deepgram/flux-general-multi",
    "deepgram/nova-2",
    "deepgram/nova-2-conversationalai",
    "deepgram/nova-2-medical",
    "deepgram/nova-2-phonecall",
    "deepgram/nova-3",
    "deepgram/nova-3-medical",
    "speechmatics/enhanced",
    "speechmatics/standard",
    "xai/stt-1",
}


class FallbackModel(TypedDict, total=False):
    """A recogniser that the gateway goes on with if the one before fails."""

    model: Required[str]
    extra_kwargs: dict[str, Any]
    """Options of that model."""


FallbackModelType: TypeAlias = FallbackModel | str


def fallback_models(given: list[FallbackModelType] | FallbackModelType) -> list[FallbackModel]:
    """One or several, by name or with options; a language after a name is left out, as it can't be told."""
    several = given if isinstance(given, list) else [given]
    return [FallbackModel(model=split_model(one)[0]) if isinstance(one, str) else one for one in several]


def tells_words(models: Iterable[str | None]) -> bool:
    """Whether each of them tells when each word was said."""
    return all(model in _WITH_WORDS for model in models)


def takes_terms(model: str | None) -> bool:
    """Whether it can be told terms to listen for."""
    return terms_option(model) is not None


def terms_option(model: str | None) -> str | None:
    """The name of the option for that."""
    return _TERMS.get(provider_of(model))


def takes_context(model: str | None) -> bool:
    """Whether it can be told what the agent said."""
    return model in _WITH_CONTEXT


def tells_speakers(options: Mapping[str, Any]) -> bool:
    """Whether these options ask who speaks."""
    return any((value := options.get(name)) and str(value).lower() != "none" for name in _SPEAKERS)


def with_terms(model: str | None, options: Mapping[str, Any], terms: list[str]) -> dict[str, Any]:
    """The option for terms, with those that the user gave and those of the session; empty where there is none."""
    if (name := terms_option(model)) is None:
        return {}
    given = options.get(name) or []
    if name == "additional_vocab":
        known = {entry.get("content") for entry in given}
        return {name: [*given, *({"content": term} for term in dict.fromkeys(terms) if term not in known)]}
    return {name: list(dict.fromkeys([*([given] if isinstance(given, str) else given), *terms]))}


def needs_our_pauses(model: str | None) -> bool:
    """Whether it ends a segment only when it is told that the user paused."""
    return provider_of(model) == "openai" or (provider_of(model) == "speechmatics" and model != "speechmatics/linden-1")


def needed_rate(model: str | None) -> int | None:
    """The only rate, in Hz, that it takes; None for any."""
    return _OPENAI_RATE if provider_of(model) == "openai" else None
