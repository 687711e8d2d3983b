"""Turn handling: what may be asked for, and the complete options that come of it. All times in seconds.

Names and defaults are those of `livekit.agents.voice.turn`.
"""

from __future__ import annotations

import asyncio
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NotRequired, Protocol, TypeAlias, TypedDict, cast, runtime_checkable

from agent_runtime.stand_ins import StandIn
from agent_runtime.types import NOT_GIVEN, NotGivenOr, is_given
from agent_runtime.voice.backchannel import InterruptionDetector

if TYPE_CHECKING:
    from livekit.rtc import AudioFrame

    from agent_runtime.llm import ChatContext


@runtime_checkable
class TurnDetector(Protocol):
    """Judges from the conversation whether the user is done."""

    @property
    def model(self) -> str:
        """Name of the model."""
        ...

    @property
    def provider(self) -> str:
        """Whose model it is."""
        ...

    async def unlikely_threshold(self, language: str | None) -> float | None:
        """Below this probability the user is taken to go on. None: the language isn't known."""
        ...

    async def supports_language(self, language: str | None) -> bool:
        """Whether it can judge that language."""
        ...

    async def predict_end_of_turn(self, chat_ctx: ChatContext, *, timeout: float | None = None) -> float:
        """Probability, 0 to 1, that the last user message is complete."""
        ...


@dataclass
class TurnDetectionEvent:
    """What a detector that listens says of the turn so far."""

    type: Literal["eot_prediction"]
    end_of_turn_probability: float
    last_speaking_time: float
    """When the last audio that it is about was heard, in seconds of the wall clock."""
    detection_delay: float | None = None
    """Seconds from then to the answer."""
    inference_duration: float | None = None
    """Seconds that the model took."""
    backchannel_probability: float | None = None
    """How well a listener's word of the agent's would fit here, 0 to 1, for a model that judges that too."""


@runtime_checkable
class StreamingTurnDetectorStream(Protocol):
    """One user's voice, as a detector hears it."""

    @property
    def model(self) -> str: ...
    @property
    def provider(self) -> str: ...
    @property
    def is_fallback(self) -> bool: ...
    @property
    def prediction_timeout(self) -> float:
        """Seconds that an answer may take."""
        ...

    async def unlikely_threshold(self, language: str | None) -> float | None: ...
    async def backchannel_threshold(self, language: str | None) -> float | None: ...
    async def supports_language(self, language: str | None) -> bool: ...

    def predict(self) -> asyncio.Future[TurnDetectionEvent]:
        """Judge what was heard since the last `flush`."""
        ...

    def cancel_inference(self, *, timed_out: bool = False) -> None: ...
    def flush(self, reason: str | None = None) -> None:
        """Forget what was heard."""
        ...

    def push_audio(self, frame: AudioFrame) -> None: ...
    def end_input(self) -> None: ...
    async def aclose(self) -> None: ...


@runtime_checkable
class StreamingTurnDetector(Protocol):
    """Judges from how the user sounds whether the turn is over."""

    @property
    def model(self) -> str: ...
    @property
    def provider(self) -> str: ...

    def stream(self) -> StreamingTurnDetectorStream: ...


TurnDetectionMode: TypeAlias = Literal["stt", "vad", "realtime_llm", "manual"] | TurnDetector | StreamingTurnDetector


class EndpointingOptions(TypedDict, total=False):
    """How long to wait after the user's last word."""

    mode: Literal["fixed", "dynamic"]
    """`dynamic` learns the wait from the user's pauses, between `min_delay` and `max_delay`. Default fixed."""
    min_delay: float
    """Wait at least this long. Default 0.5."""
    max_delay: float
    """Wait this long when the turn detector thinks that the user isn't done. Default 3.0."""
    alpha: float
    """Weight of the past in `dynamic` mode's moving averages. Default 0.9."""


class InterruptionOptions(TypedDict, total=False):
    """What stops the agent."""

    enabled: bool
    mode: Literal["adaptive", "vad"] | InterruptionDetector
    """`vad`: all speech stops the agent. `adaptive`: a listener's word ("mm-hm") doesn't. Default `vad`.

    An `InterruptionDetector` judges in place of the bundled one.
    """
    discard_audio_if_uninterruptible: bool
    """Don't recognise what is said over a speech that can't be interrupted. Default True."""
    min_duration: float
    """Speech of this length stops the agent. Default 0.5."""
    min_words: int
    """… and this many recognised words. Default 0."""
    resume_false_interruption: bool
    false_interruption_timeout: float | None
    """After this much silence without a word, an interruption was none. None: never. Default 2.0."""
    backchannel_boundary: float | tuple[float, float] | None
    """At the start and the end of the agent's speech, this long, a listener's word counts as speech: it may be an
    answer. Default (1.0, 1.0)."""


class PreemptiveGenerationOptions(TypedDict, total=False):
    """Begin the reply before the turn is over."""

    enabled: bool
    preemptive_tts: bool
    """Synthesize early too, not only ask the model. Default False."""
    max_speech_duration: float
    """Not for turns longer than this. Default 10.0."""
    max_retries: int
    """Attempts a turn. Default 3."""


class UserTurnLimitOptions(TypedDict, total=False):
    """When the user talks too long: `Agent.on_user_turn_exceeded` is called. Counted since the agent was heard last."""

    max_words: int | None
    """Default None: any number."""
    max_duration: float | None
    """Default None: any length."""


class TurnHandlingOptions(TypedDict, total=False):
    """Everything about turns. What is left out takes the session's value, then the default."""

    turn_detection: TurnDetectionMode | None
    endpointing: EndpointingOptions
    interruption: InterruptionOptions
    preemptive_generation: PreemptiveGenerationOptions
    user_turn_limit: UserTurnLimitOptions


class CompleteEndpointing(TypedDict):
    """`EndpointingOptions` with everything in it."""

    mode: Literal["fixed", "dynamic"]
    min_delay: float
    max_delay: float
    alpha: float


class CompleteInterruption(TypedDict):
    """`InterruptionOptions` with everything in it; without `mode`, the session chooses."""

    enabled: bool
    mode: NotRequired[Literal["adaptive", "vad"] | InterruptionDetector]
    discard_audio_if_uninterruptible: bool
    min_duration: float
    min_words: int
    resume_false_interruption: bool
    false_interruption_timeout: float | None
    backchannel_boundary: float | tuple[float, float] | None


class CompletePreemptiveGeneration(TypedDict):
    """`PreemptiveGenerationOptions` with everything in it."""

    enabled: bool
    preemptive_tts: bool
    max_speech_duration: float
    max_retries: int


class CompleteUserTurnLimit(TypedDict):
    """`UserTurnLimitOptions` with everything in it."""

    max_words: int | None
    max_duration: float | None


class CompleteTurnHandling(TypedDict):
    """`TurnHandlingOptions` with everything in it; without `turn_detection`, the session chooses."""

    turn_detection: NotRequired[TurnDetectionMode | None]
    endpointing: CompleteEndpointing
    interruption: CompleteInterruption
    preemptive_generation: CompletePreemptiveGeneration
    user_turn_limit: CompleteUserTurnLimit


ENDPOINTING_DEFAULTS: CompleteEndpointing = {"mode": "fixed", "min_delay": 0.5, "max_delay": 3.0, "alpha": 0.9}
LISTENING_DEFAULTS: dict[str, float] = {"min_delay": 0.3, "max_delay": 2.5}
"""The waits with a detector that listens: it has no transcript to wait for."""
INTERRUPTION_DEFAULTS: CompleteInterruption = {
    "enabled": True,
    "discard_audio_if_uninterruptible": True,
    "min_duration": 0.5,
    "min_words": 0,
    "resume_false_interruption": True,
    "false_interruption_timeout": 2.0,
    "backchannel_boundary": (1.0, 1.0),
}
PREEMPTIVE_DEFAULTS: CompletePreemptiveGeneration = {
    "enabled": True,
    "preemptive_tts": False,
    "max_speech_duration": 10.0,
    "max_retries": 3,
}
TURN_LIMIT_DEFAULTS: CompleteUserTurnLimit = {"max_words": None, "max_duration": None}

_SECTIONS: dict[str, Any] = {
    "endpointing": ENDPOINTING_DEFAULTS,
    "interruption": INTERRUPTION_DEFAULTS,
    "preemptive_generation": PREEMPTIVE_DEFAULTS,
    "user_turn_limit": TURN_LIMIT_DEFAULTS,
}
_KEYS = {
    "endpointing": EndpointingOptions.__annotations__,
    "interruption": InterruptionOptions.__annotations__,
    "preemptive_generation": PreemptiveGenerationOptions.__annotations__,
    "user_turn_limit": UserTurnLimitOptions.__annotations__,
}
_NOT_NEGATIVE = ("min_delay", "max_delay", "min_duration", "min_words", "max_speech_duration", "max_retries")
_MODES: dict[str, tuple[str, ...]] = {"endpointing": ("fixed", "dynamic"), "interruption": ("adaptive", "vad")}


def resolve_turn_handling(*layers: TurnHandlingOptions | None) -> CompleteTurnHandling:
    """Complete options: later layers win over earlier ones, and all of them over the defaults.

    Raises ValueError naming a key that doesn't exist or a value that can't be.
    """
    resolved: dict[str, Any] = {name: dict(defaults) for name, defaults in _SECTIONS.items()}
    chosen = [layer["turn_detection"] for layer in layers if layer and "turn_detection" in layer]
    if chosen and isinstance(chosen[-1], StreamingTurnDetector):
        resolved["endpointing"].update(LISTENING_DEFAULTS)
    for layer in layers:
        for name, value in (layer or {}).items():
            if name == "turn_detection":
                resolved[name] = value
            elif name in _SECTIONS:
                _check_section(name, cast("dict[str, Any]", value))
                resolved[name].update(value)
            else:
                raise ValueError(f"turn_handling has no {name!r}; it has turn_detection, {', '.join(_SECTIONS)}")
    return cast("CompleteTurnHandling", resolved)


def _check_section(name: str, section: dict[str, Any]) -> None:
    for key, value in section.items():
        if key not in _KEYS[name]:
            raise ValueError(f"turn_handling[{name!r}] has no {key!r}; it has {', '.join(_KEYS[name])}")
        if key in _NOT_NEGATIVE and value < 0:
            raise ValueError(f"turn_handling[{name!r}][{key!r}] is {value}; it must be 0 or more")
        if problem := _problem(name, key, value):
            raise ValueError(f"turn_handling[{name!r}][{key!r}] is {value!r}; it must be {problem}")


def _problem(section: str, key: str, value: Any) -> str | None:
    if key == "mode":
        known = isinstance(value, str) and value in _MODES[section]
        detects = section == "interruption" and not isinstance(value, str) and isinstance(value, InterruptionDetector)
        return None if known or detects else " or ".join(map(repr, _MODES[section]))
    if key == "alpha" and not 0 < value <= 1:
        return "over 0 and at most 1"
    if section == "user_turn_limit" and value is not None and value <= 0:
        return "over 0, or None for no limit"
    if key == "backchannel_boundary" and value is not None:
        ends = value if isinstance(value, tuple | list) else (value, value)
        if len(ends) != 2 or min(ends) < 0:
            return "seconds, two of them for the start and the end, or None"
    return None


class OldArguments(TypedDict, total=False):
    """Flat arguments of sessions that `turn_handling` has taken the place of."""

    min_endpointing_delay: NotGivenOr[float]
    max_endpointing_delay: NotGivenOr[float]
    allow_interruptions: NotGivenOr[bool]
    discard_audio_if_uninterruptible: NotGivenOr[bool]
    min_interruption_duration: NotGivenOr[float]
    min_interruption_words: NotGivenOr[int]
    false_interruption_timeout: NotGivenOr[float | None]
    agent_false_interruption_timeout: NotGivenOr[float | None]
    resume_false_interruption: NotGivenOr[bool]
    preemptive_generation: NotGivenOr[bool | PreemptiveGenerationOptions]
    turn_detection: NotGivenOr[TurnDetectionMode | None]


# Old flat argument -> (section, key). `turn_detection` has no section.
_OLD_ARGUMENTS: dict[str, tuple[str, str]] = {
    "min_endpointing_delay": ("endpointing", "min_delay"),
    "max_endpointing_delay": ("endpointing", "max_delay"),
    "allow_interruptions": ("interruption", "enabled"),
    "discard_audio_if_uninterruptible": ("interruption", "discard_audio_if_uninterruptible"),
    "min_interruption_duration": ("interruption", "min_duration"),
    "min_interruption_words": ("interruption", "min_words"),
    "false_interruption_timeout": ("interruption", "false_interruption_timeout"),
    "agent_false_interruption_timeout": ("interruption", "false_interruption_timeout"),
    "resume_false_interruption": ("interruption", "resume_false_interruption"),
    "preemptive_generation": ("preemptive_generation", "enabled"),
    "turn_detection": ("", "turn_detection"),
}


def changed(
    handling: TurnHandlingOptions,
    change: NotGivenOr[TurnHandlingOptions],
    endpointing: NotGivenOr[EndpointingOptions],
    old: OldArguments,
) -> TurnHandlingOptions:
    """`handling` with what the other three name; what they don't name keeps its value."""
    merged: dict[str, Any] = {**handling}
    layers = [with_old_arguments(NOT_GIVEN, old, stacklevel=4)]
    layers += [cast("TurnHandlingOptions", {"endpointing": endpointing})] if is_given(endpointing) else []
    layers += [change] if is_given(change) else []
    for layer in layers:
        for section, value in layer.items():
            merged[section] = {**merged.get(section, {}), **value} if isinstance(value, dict) else value
    return cast("TurnHandlingOptions", merged)


def with_old_arguments(
    turn_handling: NotGivenOr[TurnHandlingOptions], old: OldArguments, *, stacklevel: int = 3
) -> TurnHandlingOptions:
    """`turn_handling`, or what the deprecated flat arguments in `old` say where it isn't given.

    Warns with DeprecationWarning for each that was given. Raises TypeError for one that there isn't.
    """
    if unknown := [name for name in old if name not in _OLD_ARGUMENTS]:
        raise TypeError(f"there is no argument {unknown[0]!r}")
    given = {name: value for name, value in old.items() if is_given(value)}
    layer: dict[str, Any] = {}
    for name, value in given.items():
        section, key = _OLD_ARGUMENTS[name]
        instead = f"turn_handling={{{section!r}: {{{key!r}: …}}}}" if section else f"turn_handling={{{key!r}: …}}"
        warnings.warn(f"{name} is deprecated; use {instead}", DeprecationWarning, stacklevel=stacklevel)
        if name == "preemptive_generation" and isinstance(value, dict):
            layer.setdefault(section, {}).update(value)
        elif section:
            layer.setdefault(section, {})[key] = value
        else:
            layer[key] = value
    handling = dict(turn_handling) if is_given(turn_handling) else layer
    if isinstance(handling.get("turn_detection"), StandIn):
        del handling["turn_detection"]
    return cast("TurnHandlingOptions", handling)


__all__ = [
    "CompleteTurnHandling",
    "EndpointingOptions",
    "InterruptionDetector",
    "InterruptionOptions",
    "OldArguments",
    "PreemptiveGenerationOptions",
    "TurnDetectionMode",
    "TurnDetector",
    "TurnHandlingOptions",
    "UserTurnLimitOptions",
    "resolve_turn_handling",
    "with_old_arguments",
]
