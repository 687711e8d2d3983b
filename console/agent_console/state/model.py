"""What the console shows, as immutable data. Times are seconds on the session's clock, levels dBFS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from typing import Literal, TypeAlias

from agent_console.state.bench import Bench
from agent_console.state.health import Health
from agent_console.state.percentiles import Histogram
from agent_console.state.room import Room
from agent_console.state.sequence import Seq
from agent_console.state.spending import Spending
from agent_console.state.turns import Turn
from agent_runtime.events import AnyEvent, ReloadFinished, TurnPart
from agent_runtime.records import record
from agent_runtime.types import AgentState, UserState

SILENCE = -120.0
"""dBFS shown where nothing was measured yet."""


# --- the transcript ----------------------------------------------------------------------------------------------


@record(frozen=True, slots=True)
class UserSaid:
    """What the user said or typed in one turn."""

    turn_id: str | None
    number: int
    time: float
    text: str = ""
    """Recognised for good."""
    interim: str = ""
    """Recognised so far of the rest; the next guess replaces it."""
    by: Literal["speech", "text"] = "speech"
    state: Literal["open", "done", "discarded"] = "open"
    why: str | None = None
    """What ended or dropped the turn: the cause of its event."""


@record(frozen=True, slots=True)
class AgentSaid:
    """One message of the agent: what it means to say, and how much of it was heard."""

    speech_id: str
    item_id: str
    turn_id: str | None
    time: float
    agent: str
    text: str = ""
    heard: int = 0
    """Characters of `text` that reached the listener."""
    state: Literal["waiting", "speaking", "paused", "done", "interrupted"] = "waiting"
    cut_by: str | None = None


@record(frozen=True, slots=True)
class ToolCall:
    """One call of a tool. `duration` is None while it runs."""

    call_id: str
    name: str
    arguments: str
    turn_id: str | None
    time: float
    agent: str
    output: str = ""
    is_error: bool = False
    details: str = ""
    duration: float | None = None
    updates: tuple[str, ...] = ()
    """What it told while it ran, the newest last."""
    reply: Literal["", "scheduled", "completed", "interrupted", "skipped"] = ""
    """What became of the reply that tells what came of it in the background."""
    stand_in: Literal["", "result", "error", "delay"] = ""
    """What was in the tool's place, once it is over."""


@record(frozen=True, slots=True)
class Rule:
    """A line across the transcript: something changed here."""

    kind: Literal["reload", "reload_failed", "handoff", "branch", "mode", "closed"]
    time: float
    text: str
    details: str = ""
    turn_id: str | None = None


@record(frozen=True, slots=True)
class Note:
    """Something to know in the flow of the conversation: an error, a device that went away or came back."""

    level: Literal["info", "warning", "error"]
    time: float
    text: str
    details: str = ""
    turn_id: str | None = None


Entry: TypeAlias = UserSaid | AgentSaid | ToolCall | Rule | Note


@record(frozen=True, slots=True)
class Latency:
    """Where the time went between the user's last word and the agent's first sound."""

    turn_id: str | None
    number: int
    start: float
    end: float
    parts: tuple[TurnPart, ...]

    @property
    def total(self) -> float:
        """Seconds as the listener felt them."""
        return self.end - self.start


# --- the instruments ---------------------------------------------------------------------------------------------


@record(frozen=True, slots=True)
class Meters:
    """The newest levels, and the stretch of VAD probabilities that led here."""

    at: float = 0.0
    input_rms: float = SILENCE
    input_peak: float = SILENCE
    held_peak: float = SILENCE
    """The loudest input peak of the last `PEAK_HOLD` seconds."""
    held_since: float = 0.0
    clipped_at: float | None = None
    output_rms: float = SILENCE
    vad_probability: float | None = None
    vad_threshold: float = 0.5
    vad_history: tuple[float, ...] = ()
    """The newest last, at most `VAD_HISTORY`."""


PEAK_HOLD = 1.5
VAD_HISTORY = 240


@record(frozen=True, slots=True)
class Endpointing:
    """The countdown to the end of the user's turn."""

    started: float
    delay: float
    deadline: float
    probability: float | None
    threshold: float | None
    why: str | None


@record(frozen=True, slots=True)
class Device:
    """A microphone or speaker as it was last reported."""

    state: Literal["unknown", "opened", "lost", "unavailable", "closed"] = "unknown"
    name: str = ""
    sample_rate: int = 0
    channels: int = 0
    problem: str | None = None


@record(frozen=True, slots=True)
class Loading:
    """A model on its way. `fraction` runs from 0 to 1."""

    part: str
    name: str
    fraction: float
    error: str | None = None


@record(frozen=True, slots=True)
class Usage:
    """Totals of the session."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    estimated: bool = False
    """Some of the tokens are estimates."""
    characters: int = 0
    audio_seconds: float = 0.0
    tool_calls: int = 0
    tool_errors: int = 0
    interruptions: int = 0


@record(frozen=True, slots=True)
class Banner:
    """One clear line above the transcript. A newer one with the same key replaces it."""

    key: str
    level: Literal["warning", "error"]
    text: str
    hint: str = ""
    """What to do."""
    details: str = ""
    time: float = 0.0


@record(frozen=True, slots=True)
class LogLine:
    """A line of the log pane."""

    time: float
    level: Literal["debug", "info", "warning", "error"]
    logger: str
    message: str
    details: str = ""
    count: int = 1
    """How often it came in a row; `time` is the last one's."""


LOG_LIMIT = 5_000


@record(frozen=True, slots=True)
class ConsoleState:
    """Everything that the console shows."""

    session_id: str = ""
    """The session whose events were last seen; its clock starts at 0.0."""
    seq: int = 0
    """Number of the last event in it."""
    now: float = 0.0
    """Time of the last event in it."""
    started: bool = False
    started_at: float = 0.0
    closed: str | None = None
    """Why the session ended."""
    mode: str = ""
    agent: str = ""
    instructions: str = ""
    tools: tuple[str, ...] = ()
    model: str = ""
    voice: str = ""
    user_state: UserState = "listening"
    agent_state: AgentState = "initializing"
    turn_id: str | None = None
    turn_number: int = 0

    entries: Seq[Entry] = field(default_factory=Seq)
    latencies: Seq[Latency] = field(default_factory=Seq)
    turns: Seq[Turn] = field(default_factory=Seq)
    waits: Mapping[str, Histogram] = field(default_factory=dict)
    """How long the answers and their parts took, by the part's name or `WHOLE`."""
    logs: Seq[LogLine] = field(default_factory=Seq)
    events: Seq[AnyEvent] = field(default_factory=Seq)
    """The newest events but the levels, as they came."""
    event_count: int = 0
    """How many there have been, with those that aren't kept any more."""
    handoffs: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """How often one agent gave the conversation to another."""
    last_reload: ReloadFinished | None = None
    spending: Spending = field(default_factory=dict)
    health: Health = field(default_factory=Health)
    bench: Bench = field(default_factory=Bench)
    room: Room = field(default_factory=Room)
    errors: int = 0

    meters: Meters = Meters()
    endpointing: Endpointing | None = None
    microphone: Device = Device()
    speaker: Device = Device()
    muted: bool = False
    recording: str | None = None
    """The folder that the session is recorded into."""
    recorded: str | None = None
    """The folder of the newest recording, also once it is complete."""
    push_to_talk: Literal["off", "pressed", "sent", "discarded"] = "off"
    dropped_input: int = 0
    dropped_output: int = 0
    loading: tuple[Loading, ...] = ()
    reloading: bool = False
    reload_duration: float | None = None
    usage: Usage = Usage()
    banners: tuple[Banner, ...] = ()

    @property
    def shown_banners(self) -> tuple[Banner, ...]:
        """Those that matter where the conversation is, a missing microphone and speaker as one.

        In a room this machine's sound isn't missed, and in a recording there is nothing to do about it.
        """
        devices = [b for b in self.banners if b.key.startswith("device:")]
        if self.room.here or self.mode == "replay":
            return tuple(b for b in self.banners if b not in devices)
        if len(devices) < 2 or any(b.level == "error" for b in devices) or devices[0].hint != devices[1].hint:
            return self.banners
        first, second = devices
        both = replace(first, key="devices", text=f"{first.text}, {second.text.lower()}", time=second.time)
        return tuple(both if b is second else b for b in self.banners if b is not first)
