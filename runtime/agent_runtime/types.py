"""Small types that every room of the runtime shares."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal, TypeAlias, TypeGuard, TypeVar

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


def is_given(value: T | NotGiven) -> TypeGuard[T]:
    """Whether `value` was given, None included."""
    return value is not NOT_GIVEN


@dataclass(frozen=True, slots=True)
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


DEFAULT_API_CONNECT_OPTIONS: Final = APIConnectOptions()


class FlushSentinel:
    """Yielded by a node between two texts: speak what came before without waiting for more."""


class TimedString(str):
    """Text with the times at which it is spoken, in seconds from the start of its audio."""

    start_time: float | NotGiven
    end_time: float | NotGiven

    def __new__(
        cls, text: str, start_time: float | NotGiven = NOT_GIVEN, end_time: float | NotGiven = NOT_GIVEN
    ) -> TimedString:
        """Make one; a time that isn't known is left out."""
        obj = super().__new__(cls, text)
        obj.start_time = start_time
        obj.end_time = end_time
        return obj


UserState: TypeAlias = Literal["speaking", "listening", "away"]
AgentState: TypeAlias = Literal["initializing", "idle", "listening", "thinking", "speaking"]
