"""Everything that can happen, as typed, immutable events.

One stream of these serves the console, recordings, metrics, logs and remote attach; nothing else reports state. All
times are seconds on the session's clock, which starts at 0.0 when the session is made; levels are in dBFS. An event
means one thing whatever provider or device it came from, and holds plain data only, so that it can be written as JSON
and read back (`agent_runtime.events.codec`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from agent_runtime.types import AgentState, UserState

D = TypeVar("D", covariant=True)


@dataclass(frozen=True, slots=True)
class Event(Generic[D]):
    """What happened (`data`), and when, where and why."""

    seq: int
    """Counts up by one within a session."""
    time: float
    """Seconds since the session was made."""
    session_id: str
    turn_id: str | None
    """The turn that it belongs to, from the user's first voiced frame or text to the last sample played."""
    cause: str | None
    """Why, in one word of the vocabulary that the event's class documents; None where there is nothing to tell."""
    data: D


# --- session -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SessionStarted:
    """The session is running and listens."""

    agent: str
    mode: Literal["local", "room", "text"]
    started_at: float
    """Seconds since the epoch at time 0.0 of this stream."""
    options: dict[str, Any]
    """The resolved session options, by dotted name; no secrets."""
    type: Literal["session_started"] = "session_started"


@dataclass(frozen=True, slots=True)
class SessionClosed:
    """The last event of a session."""

    reason: Literal["error", "job_shutdown", "participant_disconnected", "user_initiated", "task_completed"]
    error: str | None = None
    type: Literal["session_closed"] = "session_closed"


@dataclass(frozen=True, slots=True)
class AgentChanged:
    """Another agent has the conversation. Cause: `start`, `handoff`, `reload`, `update_agent`."""

    old: str | None
    new: str
    instructions: str
    tools: tuple[str, ...]
    type: Literal["agent_changed"] = "agent_changed"


@dataclass(frozen=True, slots=True)
class UserStateChanged:
    """Cause: `vad`, `stt`, `push_to_talk`, `away_timer`."""

    old: UserState
    new: UserState
    at: float
    """When it truly began: the detector reports late, and this takes its delay off."""
    type: Literal["user_state_changed"] = "user_state_changed"


@dataclass(frozen=True, slots=True)
class AgentStateChanged:
    """Cause: `start`, `turn_committed`, `playout`, `playout_finished`, `interrupted`, `tool_reply`, `say`, `close`."""

    old: AgentState
    new: AgentState
    type: Literal["agent_state_changed"] = "agent_state_changed"


# --- hearing the user --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AudioMeter:
    """Levels of one VAD window, about 30 a second. Made only while somebody subscribes to it."""

    input_rms: float
    input_peak: float
    output_rms: float
    vad_probability: float | None
    """None where the VAD doesn't tell."""
    vad_threshold: float
    clipped: bool = False
    type: Literal["audio_meter"] = "audio_meter"


@dataclass(frozen=True, slots=True)
class UserTranscribed:
    """Recognised speech. An interim replaces the interim before it; a final ends a segment."""

    text: str
    is_final: bool
    language: str | None = None
    speaker_id: str | None = None
    type: Literal["user_transcribed"] = "user_transcribed"


@dataclass(frozen=True, slots=True)
class EndpointingStarted:
    """The user fell silent; the turn ends at `deadline` unless they go on.

    Cause: `min_delay` (the detector thinks that they are done), `max_delay` (it doesn't), `manual`.
    """

    delay: float
    """Seconds waited in all, counted from the end of speech."""
    deadline: float
    end_of_turn_probability: float | None
    threshold: float | None
    type: Literal["endpointing_started"] = "endpointing_started"


@dataclass(frozen=True, slots=True)
class EndpointingCancelled:
    """The user went on before the deadline."""

    type: Literal["endpointing_cancelled"] = "endpointing_cancelled"


@dataclass(frozen=True, slots=True)
class TurnStarted:
    """A turn begins. Cause: `speech`, `text`, `push_to_talk`, `say` (the agent began), `generate_reply`."""

    number: int
    type: Literal["turn_started"] = "turn_started"


@dataclass(frozen=True, slots=True)
class TurnCommitted:
    """The user's part of the turn is over and the reply begins.

    Cause: `endpointing.min_delay`, `endpointing.max_delay`, `stt`, `manual`, `push_to_talk`, `text`, `api`.
    """

    text: str
    speech_ended_at: float | None
    """When the user's last voiced frame was; None for text."""
    type: Literal["turn_committed"] = "turn_committed"


@dataclass(frozen=True, slots=True)
class TurnDiscarded:
    """What the user said is dropped.

    Cause: `push_to_talk`, `api`, `empty`, `agent_uninterruptible`, `stop_response`.
    """

    text: str
    type: Literal["turn_discarded"] = "turn_discarded"


# --- the reply ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SpeechCreated:
    """A speech was scheduled. `source` says by what."""

    speech_id: str
    source: Literal["say", "generate_reply", "tool_response"]
    user_initiated: bool
    priority: int
    type: Literal["speech_created"] = "speech_created"


@dataclass(frozen=True, slots=True)
class HookFinished:
    """A hook of the user's agent ran: `on_enter`, `on_exit`, `on_user_turn_completed` and so on."""

    name: str
    duration: float
    type: Literal["hook_finished"] = "hook_finished"


@dataclass(frozen=True, slots=True)
class LLMStarted:
    """A request goes to the model. Cause: `turn`, `tool_reply`, `generate_reply`, `preemptive`."""

    speech_id: str
    model: str
    step: int
    """0 for the first request of a speech, then one more after each round of tools."""
    type: Literal["llm_started"] = "llm_started"


@dataclass(frozen=True, slots=True)
class LLMFirstToken:
    """The first token (of text or of a tool call) came."""

    speech_id: str
    ttft: float
    type: Literal["llm_first_token"] = "llm_first_token"


@dataclass(frozen=True, slots=True)
class LLMFinished:
    """The model's answer is complete, or was cut."""

    speech_id: str
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    duration: float
    cancelled: bool
    type: Literal["llm_finished"] = "llm_finished"


@dataclass(frozen=True, slots=True)
class AgentText:
    """Text that the agent means to say, as it is generated. What was heard comes as `AgentHeard`."""

    speech_id: str
    item_id: str
    delta: str
    type: Literal["agent_text"] = "agent_text"


@dataclass(frozen=True, slots=True)
class TTSStarted:
    """The first text went to the synthesizer."""

    speech_id: str
    model: str
    type: Literal["tts_started"] = "tts_started"


@dataclass(frozen=True, slots=True)
class TTSFirstByte:
    """The first audio came out of the synthesizer."""

    speech_id: str
    ttfb: float
    type: Literal["tts_first_byte"] = "tts_first_byte"


@dataclass(frozen=True, slots=True)
class TTSFinished:
    """All audio of a segment is synthesized, or it was cut."""

    speech_id: str
    characters: int
    audio_duration: float
    duration: float
    cancelled: bool
    type: Literal["tts_finished"] = "tts_finished"


@dataclass(frozen=True, slots=True)
class PlayoutStarted:
    """The first sample of the agent's speech is heard."""

    speech_id: str
    type: Literal["playout_started"] = "playout_started"


@dataclass(frozen=True, slots=True)
class AgentHeard:
    """Words reached the listener, by the device's own position."""

    speech_id: str
    item_id: str
    text: str
    """Everything of this item that was heard so far."""
    position: float
    """Seconds of the segment."""
    type: Literal["agent_heard"] = "agent_heard"


@dataclass(frozen=True, slots=True)
class PlayoutPaused:
    """The agent holds still to find out whether it was interrupted. Cause: `vad`, `stt`."""

    speech_id: str
    position: float
    type: Literal["playout_paused"] = "playout_paused"


@dataclass(frozen=True, slots=True)
class PlayoutResumed:
    """It was a false interruption; the agent goes on."""

    speech_id: str
    type: Literal["playout_resumed"] = "playout_resumed"


@dataclass(frozen=True, slots=True)
class PlayoutFinished:
    """A segment of speech is over."""

    speech_id: str
    position: float
    interrupted: bool
    type: Literal["playout_finished"] = "playout_finished"


@dataclass(frozen=True, slots=True)
class SpeechFinished:
    """A speech with all its steps is over."""

    speech_id: str
    interrupted: bool
    type: Literal["speech_finished"] = "speech_finished"


@dataclass(frozen=True, slots=True)
class AgentInterrupted:
    """The agent was stopped. Cause: `voice`, `text`, `api`, `key`, `push_to_talk`, `forced`, `close`."""

    speech_id: str
    type: Literal["agent_interrupted"] = "agent_interrupted"


# --- tools and context -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ToolStarted:
    """A tool call begins. `arguments` is the JSON text that the model wrote."""

    call_id: str
    name: str
    arguments: str
    speech_id: str | None = None
    type: Literal["tool_started"] = "tool_started"


@dataclass(frozen=True, slots=True)
class ToolFinished:
    """A tool call ended: one for each `ToolStarted`."""

    call_id: str
    name: str
    output: str
    is_error: bool
    duration: float
    details: str = ""
    """The traceback, if the tool raised something that the model isn't told."""
    type: Literal["tool_finished"] = "tool_finished"


@dataclass(frozen=True, slots=True)
class ItemAdded:
    """The conversation's history grew. `item` is the chat item as `ChatContext.to_dict` writes it."""

    item: dict[str, Any]
    type: Literal["item_added"] = "item_added"


@dataclass(frozen=True, slots=True)
class TurnPart:
    """One stretch of a turn's latency."""

    name: Literal["endpointing", "transcription", "hook", "llm", "tools", "llm_sentence", "tts", "playout"]
    start: float
    end: float
    setting: str | None = None
    """The setting, hook, tool or provider that this stretch waited for."""


@dataclass(frozen=True, slots=True)
class TurnMeasured:
    """Where the time went between the user's last voiced frame and the agent's first audible sample.

    The parts follow each other without a gap: the first starts at `start`, the last ends at `end`.
    """

    start: float
    end: float
    parts: tuple[TurnPart, ...]
    type: Literal["turn_measured"] = "turn_measured"


# --- the workshop around the conversation --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ModelLoading:
    """A provider gets ready. `fraction` runs from 0 to 1; `error` ends it instead."""

    part: Literal["vad", "stt", "turn_detector", "llm", "tts"]
    name: str
    fraction: float
    error: str | None = None
    type: Literal["model_loading"] = "model_loading"


@dataclass(frozen=True, slots=True)
class DeviceChanged:
    """An audio device was opened, lost, or came back. `problem` says what to do when it can't be used."""

    kind: Literal["input", "output"]
    state: Literal["opened", "lost", "unavailable", "closed"]
    name: str
    sample_rate: int = 0
    channels: int = 0
    problem: str | None = None
    type: Literal["device_changed"] = "device_changed"


@dataclass(frozen=True, slots=True)
class InputMuted:
    """The microphone was muted or unmuted."""

    muted: bool
    type: Literal["input_muted"] = "input_muted"


@dataclass(frozen=True, slots=True)
class PushToTalkChanged:
    """Push-to-talk was pressed, sent or discarded."""

    state: Literal["pressed", "sent", "discarded", "off"]
    type: Literal["push_to_talk_changed"] = "push_to_talk_changed"


@dataclass(frozen=True, slots=True)
class AudioDropped:
    """Audio was lost because somebody was too slow. Counts are totals of the session."""

    where: Literal["input", "output"]
    frames: int
    type: Literal["audio_dropped"] = "audio_dropped"


@dataclass(frozen=True, slots=True)
class ReloadStarted:
    """A file changed. Cause: `save`, `key`."""

    files: tuple[str, ...]
    type: Literal["reload_started"] = "reload_started"


@dataclass(frozen=True, slots=True)
class ReloadFinished:
    """The new code answers from now on. `diff` is a unified diff of instructions, tools and options, for people."""

    agent: str
    diff: str
    duration: float
    """Seconds from the change on disk to the new code in use."""
    type: Literal["reload_finished"] = "reload_finished"


@dataclass(frozen=True, slots=True)
class ReloadFailed:
    """The new code can't be used; the old goes on."""

    message: str
    file: str
    line: int | None
    traceback: str
    type: Literal["reload_failed"] = "reload_failed"


@dataclass(frozen=True, slots=True)
class LogWritten:
    """A line for the log pane."""

    level: Literal["debug", "info", "warning", "error"]
    logger: str
    message: str
    details: str = ""
    type: Literal["log_written"] = "log_written"


@dataclass(frozen=True, slots=True)
class ErrorOccurred:
    """Something failed. `recoverable` says whether the session goes on."""

    source: str
    """The culprit: `stt`, `llm`, `tts`, `tool get_weather`, `hook on_enter`, `device` …"""
    message: str
    recoverable: bool
    details: str = ""
    type: Literal["error_occurred"] = "error_occurred"


@dataclass(frozen=True, slots=True)
class LoopBlocked:
    """The runtime's loop stood still; `file`, `line` and `stack` name the call."""

    duration: float
    file: str
    line: int
    stack: str
    type: Literal["loop_blocked"] = "loop_blocked"


EventData: TypeAlias = (
    SessionStarted
    | SessionClosed
    | AgentChanged
    | UserStateChanged
    | AgentStateChanged
    | AudioMeter
    | UserTranscribed
    | EndpointingStarted
    | EndpointingCancelled
    | TurnStarted
    | TurnCommitted
    | TurnDiscarded
    | SpeechCreated
    | HookFinished
    | LLMStarted
    | LLMFirstToken
    | LLMFinished
    | AgentText
    | TTSStarted
    | TTSFirstByte
    | TTSFinished
    | PlayoutStarted
    | AgentHeard
    | PlayoutPaused
    | PlayoutResumed
    | PlayoutFinished
    | SpeechFinished
    | AgentInterrupted
    | ToolStarted
    | ToolFinished
    | ItemAdded
    | TurnMeasured
    | ModelLoading
    | DeviceChanged
    | InputMuted
    | PushToTalkChanged
    | AudioDropped
    | ReloadStarted
    | ReloadFinished
    | ReloadFailed
    | LogWritten
    | ErrorOccurred
    | LoopBlocked
)

AnyEvent: TypeAlias = Event[EventData]
