"""Small types that every room of the runtime shares."""

from __future__ import annotations

from enum import Enum
from typing import Final, Literal, TypeAlias, TypeGuard, TypeVar

from agent_runtime.records import record

T = TypeVar("T")


class NotGiven(Enum):
    """The type of `NOT_GIVEN`."""

    TOKEN = 0

    def __bool__(self) -> Literal[False]:
        return False

    def __repr__(self) -> str:
        return "NOT_GIVEN"


NOT_GIVEN: Final = NotGiven.TOKEN
"""An argument that was left out. It isn't None: left out takes the default, None opts out."""

NotGivenOr: TypeAlias = T | NotGiven


def is_given(obj: T | NotGiven) -> TypeGuard[T]:
    """Whether an argument was given, None included."""
    return obj is not NOT_GIVEN


@record(frozen=True, slots=True)
class APIConnectOptions:
    """How a provider's request is tried again. Times in seconds."""

    max_retry: int = 3
    retry_interval: float = 2.0
    timeout: float = 10.0

    def __post_init__(self) -> None:
        for name in ("max_retry", "retry_interval", "timeout"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be 0 or more")

    def interval_for(self, attempt: int) -> float:
        """Seconds to wait before retry number `attempt`, counted from 0: the first comes after 0.1 s."""
        return 0.1 if attempt == 0 else self.retry_interval

    # By its name in LiveKit Agents, which packages of providers call that retry by themselves.
    _interval_for_retry = interval_for


DEFAULT_API_CONNECT_OPTIONS: Final = APIConnectOptions()


class FlushSentinel:
    """Yielded by a node between two texts: speak what came before without waiting for more."""


class TimedString(str):
    """Text with the times at which it is spoken, in seconds from the start of its audio."""

    start_time: float | NotGiven
    end_time: float | NotGiven
    confidence: float | NotGiven
    """0 to 1, from a recogniser."""
    start_time_offset: float | NotGiven
    """Seconds of the session that had passed when the audio began, from a recogniser."""
    speaker_id: str | None

    def __new__(
        cls,
        text: str,
        start_time: float | NotGiven = NOT_GIVEN,
        end_time: float | NotGiven = NOT_GIVEN,
        confidence: float | NotGiven = NOT_GIVEN,
        start_time_offset: float | NotGiven = NOT_GIVEN,
        speaker_id: str | None = None,
    ) -> TimedString:
        """Make one; what isn't known is left out."""
        obj = super().__new__(cls, text)
        obj.start_time = start_time
        obj.end_time = end_time
        obj.confidence = confidence
        obj.start_time_offset = start_time_offset
        obj.speaker_id = speaker_id
        return obj


USERDATA_TIMED_TRANSCRIPT: Final = "lk.timed_transcripts"
"""Key in a synthesized frame's `userdata`: the list of `TimedString` that begin in it."""
USERDATA_TTS_STARTED_TIME: Final = "lk.tts_started_time"
"""Key in a synthesized frame's `userdata`: the loop's time at which its text went to the synthesizer."""

UserState: TypeAlias = Literal["speaking", "listening", "away"]
AgentState: TypeAlias = Literal["initializing", "idle", "listening", "thinking", "speaking"]
