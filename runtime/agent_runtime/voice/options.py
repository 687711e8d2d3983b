"""A session's options, complete: nothing in here is unset."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from agent_runtime.types import DEFAULT_API_CONNECT_OPTIONS, APIConnectOptions
from agent_runtime.voice.turn import (
    CompleteEndpointing,
    CompleteInterruption,
    CompletePreemptiveGeneration,
    CompleteTurnHandling,
    CompleteUserTurnLimit,
)

TextTransforms: TypeAlias = (
    Literal["filter_markdown", "filter_emoji"] | Callable[[AsyncIterable[str]], AsyncIterable[str]]
)

DEFAULT_TTS_TEXT_TRANSFORMS: tuple[TextTransforms, ...] = ("filter_markdown", "filter_emoji")


@dataclass
class SessionConnectOptions:
    """How requests of a session's providers are tried again."""

    stt_conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    llm_conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    tts_conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    max_unrecoverable_errors: int = 3
    """So many failures in a row of one kind of provider are borne; the next one closes the session."""


@dataclass
class AgentSessionOptions:
    """See the module. Times in seconds."""

    turn_handling: CompleteTurnHandling
    max_tool_steps: int = 3
    user_away_timeout: float | None = 15.0
    transcription_timeout: float | None = None
    min_consecutive_speech_delay: float = 0.0
    use_tts_aligned_transcript: bool | None = None
    tts_text_transforms: Sequence[TextTransforms] | None = DEFAULT_TTS_TEXT_TRANSFORMS
    aec_warmup_duration: float | None = 3.0
    session_close_transcript_timeout: float = 2.0
    ivr_detection: bool = False
    conn_options: SessionConnectOptions = field(default_factory=SessionConnectOptions)

    @property
    def endpointing(self) -> CompleteEndpointing:
        """`turn_handling["endpointing"]`, complete."""
        return self.turn_handling["endpointing"]

    @property
    def interruption(self) -> CompleteInterruption:
        """`turn_handling["interruption"]`, complete but for `mode`."""
        return self.turn_handling["interruption"]

    @property
    def preemptive_generation(self) -> CompletePreemptiveGeneration:
        """`turn_handling["preemptive_generation"]`, complete."""
        return self.turn_handling["preemptive_generation"]

    @property
    def user_turn_limit(self) -> CompleteUserTurnLimit:
        """`turn_handling["user_turn_limit"]`, complete."""
        return self.turn_handling["user_turn_limit"]

    def as_plain(self) -> dict[str, Any]:
        """By dotted name, as plain data, for `SessionStarted`."""
        plain: dict[str, Any] = {}
        for section, values in self.turn_handling.items():
            if isinstance(values, dict):
                plain.update({f"turn_handling.{section}.{key}": _plain(value) for key, value in values.items()})
            else:
                plain[f"turn_handling.{section}"] = _plain(values)
        for name in ("max_tool_steps", "user_away_timeout", "min_consecutive_speech_delay", "aec_warmup_duration"):
            plain[name] = getattr(self, name)
        return plain


def _plain(value: object) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, tuple | list):
        return [_plain(v) for v in value]
    return getattr(value, "model", None) or type(value).__name__
