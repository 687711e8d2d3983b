"""Makes the providers that the settings name, and gets their weights ready while the conversation already runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, fields
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from agent_runtime.errors import APIError, MissingDependencyError
from agent_runtime.events import ErrorOccurred, EventData, ModelLoading
from agent_runtime.providers.loading import Loadable
from agent_runtime.providers.registry import ProviderSpec, parse_spec, require_embedded
from agent_runtime.settings import Settings

if TYPE_CHECKING:
    from agent_runtime import llm, stt, tts, vad
    from agent_runtime.voice.turn import StreamingTurnDetector, TurnDetector

logger = logging.getLogger(__name__)
T = TypeVar("T")
Emit = Callable[[EventData], None]

DEFAULT_OPENAI_MODEL: Final = "gpt-4.1-mini"

PARTS: Final = frozenset({"vad", "stt", "llm", "tts"})

_NOUNS: Final = {
    "vad": "voice activity detector",
    "stt": "speech recognition",
    "turn_detector": "turn detector",
    "llm": "language model",
    "tts": "voice",
}


@dataclass(slots=True)
class Providers:
    """What a session hears, thinks and speaks with. None is a part that is switched off or isn't installed."""

    vad: vad.VAD | None = None
    stt: stt.STT[Any] | None = None
    turn_detector: TurnDetector | StreamingTurnDetector | None = None
    llm: llm.LLM[Any] | llm.RealtimeModel | None = None
    tts: tts.TTS[Any] | None = None

    async def load(self, emit: Emit) -> bool:
        """Get all weights into memory, each part on its own; what fails is told and leaves the others alone.

        Returns whether all of them are there.
        """
        loads = [
            _load(field.name, provider, emit)
            for field in fields(self)
            if isinstance(provider := getattr(self, field.name), Loadable)
        ]
        return all(await asyncio.gather(*loads))


def llm_spec(settings: Settings) -> ProviderSpec:
    """Which language model `auto` means: OpenAI's, or the server at a URL, where one is set; else the embedded one."""
    spec = parse_spec("llm", settings.llm)
    if spec.provider != "auto":
        return spec
    remote = settings.openai.api_key is not None or settings.openai.base_url is not None
    return ProviderSpec("openai" if remote else "embedded")


def make_providers(settings: Settings, emit: Emit, only: Collection[str] = PARTS) -> Providers:
    """Make every part, or some. One whose package is missing is told, with the command that gets it, and left out."""
    providers = Providers()
    if not settings.text:
        if "vad" in only:
            providers.vad = _made("vad", parse_spec("vad", settings.vad), _embedded_vad, emit)
        if "stt" in only:
            providers.stt = _made("stt", parse_spec("stt", settings.stt), _embedded_stt, emit)
        if "tts" in only:
            providers.tts = _made("tts", parse_spec("tts", settings.tts), _embedded_tts, emit)
    if "llm" in only:
        providers.llm = _make_llm(settings, emit)
    if providers.stt is not None:
        detection = parse_spec("turn_detection", settings.turn_detection)
        if detection.provider == "audio":
            providers.turn_detector = _made("turn_detector", detection, _audio_turn_detector, emit)
        else:
            providers.turn_detector = _made("turn_detector", detection, _embedded_turn_detector, emit)
    return providers


def _make_llm(settings: Settings, emit: Emit) -> llm.LLM[Any] | None:
    spec = llm_spec(settings)
    make = partial(_openai_llm, settings, spec.model) if spec.provider == "openai" else _embedded_llm
    return _made("llm", spec, make, emit)


async def check_llm(model: object, emit: Emit) -> None:
    """Ask a remote model whether URL and key work, and say so if they don't: better now than at the first turn."""
    check = getattr(model, "check", None)
    if check is None:
        return
    try:
        await check()
    except APIError as exc:
        emit(ErrorOccurred("llm", exc.message, recoverable=True))


def _made(part: Any, spec: ProviderSpec, make: Callable[[], T], emit: Emit) -> T | None:
    if spec.provider not in ("embedded", "audio", "openai"):
        return None
    try:
        if spec.provider == "embedded":
            require_embedded("turn_detection" if part == "turn_detector" else part)
        return make()
    except MissingDependencyError as exc:
        problem = str(exc)
        logger.warning("%s: %s", part, problem)
    except Exception as exc:
        problem = f"it can't be made: {type(exc).__name__}: {exc}"
        logger.exception("%s: %s", part, problem)
    emit(ModelLoading(part, f"the {spec.provider} {_NOUNS[part]}", 0.0, error=problem))
    return None


async def _load(part: Any, provider: Loadable, emit: Emit) -> bool:
    name = str(getattr(provider, "model", type(provider).__name__))
    emit(ModelLoading(part, name, 0.0))
    try:
        await provider.load(lambda fraction: emit(ModelLoading(part, name, min(fraction, 0.99))))
    except MissingDependencyError as exc:
        emit(ModelLoading(part, name, 0.0, error=str(exc)))
    except Exception as exc:
        logger.exception("%s can't be loaded", name)
        emit(ModelLoading(part, name, 0.0, error=f"{name} can't be loaded: {exc}"))
    else:
        emit(ModelLoading(part, name, 1.0))
        return True
    return False


def _embedded_vad() -> vad.VAD:
    from agent_runtime.providers.embedded.vad import SileroVAD

    return SileroVAD()


def _embedded_stt() -> stt.STT[Any]:
    from agent_runtime.providers.embedded.stt import MoonshineSTT

    return MoonshineSTT()


def _embedded_tts() -> tts.TTS[Any]:
    from agent_runtime.providers.embedded.tts import HibariTTS

    return HibariTTS()


def _embedded_llm() -> llm.LLM[Any]:
    from agent_runtime.providers.embedded.llm import SmolLM

    return SmolLM()


def _embedded_turn_detector() -> TurnDetector:
    from agent_runtime.providers.embedded.turn_detector import TextTurnDetector

    return TextTurnDetector()


def _audio_turn_detector() -> StreamingTurnDetector:
    from agent_runtime.providers.embedded.turn_audio import AudioTurnDetector

    return AudioTurnDetector()


def _openai_llm(settings: Settings, model: str | None) -> llm.LLM[Any]:
    from agent_runtime.providers.openai.llm import LLM

    options: dict[str, Any] = {"model": model or DEFAULT_OPENAI_MODEL}
    if settings.openai.api_key is not None:
        options["api_key"] = settings.openai.api_key
    if settings.openai.base_url is not None:
        options["base_url"] = settings.openai.base_url
    return LLM(**options)
