"""What hosted voices differ in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NotRequired, TypeAlias, TypedDict

from agent_runtime.inference.model_names import provider_of, split_model

LONGEST: Final = {"cartesia": 400, "inworld": 900, "xai": 1000}
"""Provider → characters that it takes at once."""


class FallbackModel(TypedDict):
    """A synthesizer that the gateway goes on with if the one before fails."""

    model: str
    voice: str
    extra_kwargs: NotRequired[dict[str, Any]]
    """Options of that model."""


FallbackModelType: TypeAlias = FallbackModel | str


def fallback_models(given: list[FallbackModelType] | FallbackModelType) -> list[FallbackModel]:
    """One or several, by name and voice or with options."""
    return [_fallback(one) for one in (given if isinstance(given, list) else [given])]


def tells_words(model: str, options: Mapping[str, Any]) -> bool:
    """Whether its audio comes with the times of its words."""
    provider = provider_of(model)
    if provider == "cartesia":
        return bool(options.get("add_timestamps"))
    if provider == "inworld":
        return options.get("timestamp_type") in ("WORD", "CHARACTER")
    return provider == "assemblyai" and options.get("word_timestamps", True) is not False


def markup_of(model: str) -> str:
    """The name of the dialect of `tts.dialects` that it understands; empty for none."""
    provider = provider_of(model)
    if provider == "inworld":
        return provider if "tts-2" in model else ""
    return "fishaudio_drama" if provider == "fishaudio" and "drama" in model else provider


def _fallback(one: FallbackModelType) -> FallbackModel:
    if not isinstance(one, str):
        return one
    model, voice = split_model(one)
    return FallbackModel(model=model, voice=voice or "")
