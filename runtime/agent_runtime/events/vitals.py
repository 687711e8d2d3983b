"""Events of how the parts around a conversation do: providers behind fallbacks, the echo canceller, the loop."""

from __future__ import annotations

from typing import Literal

from agent_runtime.records import record


@record(frozen=True, slots=True)
class Circuit:
    """Whether a provider of a fallback adapter is asked."""

    name: str
    """Its model, or its class where the model has no name."""
    state: Literal["closed", "open", "half_open"]
    """`closed`: it is asked; `open`: it is left alone; `half_open`: it is being tried."""
    since: float
    problem: str = ""
    """Why it was left alone last."""


@record(frozen=True, slots=True)
class CircuitsChanged:
    """The providers of a fallback adapter, best first, and which of them are left alone.

    Cause: `start` (the adapter is in use from now on; without circuits: what took its place has none), `failed`,
    `probe` (one is tried in the background), `probe_failed`, `probe_cancelled`, `answered`, `cooldown_over`.
    """

    part: Literal["stt", "llm", "tts", "vad"]
    circuits: tuple[Circuit, ...]
    changed: int | None = None
    """Which of them changed, counted from 0."""
    type: Literal["circuits_changed"] = "circuits_changed"


@record(frozen=True, slots=True)
class PartRestarting:
    """A recogniser or voice detector that failed is begun again; the conversation goes on meanwhile."""

    part: Literal["stt", "vad", "llm", "tts"]
    delay: float
    """Seconds until then: longer after each failure in a row."""
    failures: int
    """In a row."""
    type: Literal["part_restarting"] = "part_restarting"


@record(frozen=True, slots=True)
class EchoCancellation:
    """What is done about the agent's own voice in the microphone; about once a second while something changes."""

    state: Literal["off", "no_speaker", "no_echo", "on"]
    """`off` by the settings, or on: without a speaker, with one that the microphone doesn't hear (a headset), or with
    one whose sound is taken out."""
    delay: float = 0.0
    """Seconds from a sample's way to the speaker until the microphone hears it, as the devices tell."""
    removed: float | None = None
    """dB by which the microphone's signal was lowered over the last second in which the speaker was heard; None before.
    Someone who speaks at the same time lowers it, and where there is no echo (headphones) it is about 0."""
    type: Literal["echo_cancellation"] = "echo_cancellation"


@record(frozen=True, slots=True)
class LoopLag:
    """How late the runtime's loop gets to what is due, once a second."""

    p99: float
    """Seconds, of the last `window`."""
    worst: float
    window: float
    """Seconds that were looked at."""
    type: Literal["loop_lag"] = "loop_lag"
