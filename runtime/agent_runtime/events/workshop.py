"""Events of what is around the conversation: models, devices, reloads, logs, errors."""

from __future__ import annotations

from typing import Literal

from agent_runtime.records import record


@record(frozen=True, slots=True)
class ModelLoading:
    """A provider gets ready. `fraction` runs from 0 to 1; `error` ends it instead."""

    part: Literal["vad", "stt", "turn_detector", "llm", "tts"]
    name: str
    fraction: float
    error: str | None = None
    type: Literal["model_loading"] = "model_loading"


@record(frozen=True, slots=True)
class DeviceChanged:
    """An audio device was opened, lost, or came back. `problem` says what to do when it can't be used."""

    kind: Literal["input", "output"]
    state: Literal["opened", "lost", "unavailable", "closed"]
    name: str
    sample_rate: int = 0
    channels: int = 0
    problem: str | None = None
    type: Literal["device_changed"] = "device_changed"


@record(frozen=True, slots=True)
class InputMuted:
    """The microphone was muted or unmuted."""

    muted: bool
    type: Literal["input_muted"] = "input_muted"


@record(frozen=True, slots=True)
class PushToTalkChanged:
    """Push-to-talk was pressed, sent or discarded."""

    state: Literal["pressed", "sent", "discarded", "off"]
    type: Literal["push_to_talk_changed"] = "push_to_talk_changed"


@record(frozen=True, slots=True)
class AudioDropped:
    """Audio was lost because somebody was too slow. Counts are totals of the session."""

    where: Literal["input", "output"]
    frames: int
    type: Literal["audio_dropped"] = "audio_dropped"


@record(frozen=True, slots=True)
class ReloadStarted:
    """A file changed. Cause: `save`, `key`."""

    files: tuple[str, ...]
    type: Literal["reload_started"] = "reload_started"


@record(frozen=True, slots=True)
class ToolChange:
    """A tool or toolset that a reload brought, took away or changed. `diff` is of its signature and description."""

    name: str
    change: Literal["added", "removed", "changed"]
    diff: str


@record(frozen=True, slots=True)
class OptionChange:
    """An option of an agent that a reload changed, as text; empty where it wasn't given."""

    name: str
    before: str
    after: str


@record(frozen=True, slots=True)
class ReloadPending:
    """The new code is loaded and whole; it is put in place when the agent has finished what it is at."""

    agent: str
    waits_for: Literal["speech", "tool", "handoff", "task"]
    diff: str
    type: Literal["reload_pending"] = "reload_pending"


@record(frozen=True, slots=True)
class ReloadFinished:
    """The new code answers from now on. `diff` is a unified diff of instructions, tools and options, for people."""

    agent: str
    diff: str
    duration: float
    """Seconds from the change on disk to the new code in use."""
    instructions: str = ""
    """A unified diff of the instructions alone."""
    tools: tuple[ToolChange, ...] = ()
    options: tuple[OptionChange, ...] = ()
    modules: tuple[str, ...] = ()
    """The modules that were loaded, in the order in which they ran."""
    instead_of: str | None = None
    """The agent's class before, where it is another one or has another name."""
    waited: float = 0.0
    """Seconds of `duration` in which the new code was ready and the agent wasn't."""
    type: Literal["reload_finished"] = "reload_finished"


@record(frozen=True, slots=True)
class ReloadFailed:
    """The new code can't be used; the old goes on."""

    message: str
    file: str
    line: int | None
    traceback: str
    type: Literal["reload_failed"] = "reload_failed"


@record(frozen=True, slots=True)
class LogWritten:
    """A line for the log pane."""

    level: Literal["debug", "info", "warning", "error"]
    logger: str
    message: str
    details: str = ""
    type: Literal["log_written"] = "log_written"


@record(frozen=True, slots=True)
class ErrorOccurred:
    """Something failed. If it isn't `recoverable` it was given up, which ends the session if it happens too often."""

    source: str
    """The culprit: `stt`, `llm`, `tts`, `tool get_weather`, `hook on_enter`, `device` …"""
    message: str
    recoverable: bool
    details: str = ""
    type: Literal["error_occurred"] = "error_occurred"


@record(frozen=True, slots=True)
class LoopStalled:
    """The runtime's loop stands still, and `LoopBlocked` will tell for how long; `file` and `line` name the call."""

    duration: float
    """Seconds so far."""
    file: str
    line: int
    stack: str
    type: Literal["loop_stalled"] = "loop_stalled"


@record(frozen=True, slots=True)
class LoopBlocked:
    """The runtime's loop stood still; `file`, `line` and `stack` name the call."""

    duration: float
    file: str
    line: int
    stack: str
    type: Literal["loop_blocked"] = "loop_blocked"


@record(frozen=True, slots=True)
class RecordingChanged:
    """The session is recorded from now on, or no longer."""

    state: Literal["started", "stopped", "failed"]
    folder: str
    problem: str | None = None
    """Why it failed."""
    type: Literal["recording_changed"] = "recording_changed"


@record(frozen=True, slots=True)
class TurnMarked:
    """A person wants to come back to this turn, the event's own."""

    note: str = ""
    type: Literal["turn_marked"] = "turn_marked"
