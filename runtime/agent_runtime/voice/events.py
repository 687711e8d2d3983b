"""Payloads of `session.on(...)`, with LiveKit Agents' names. Made only where somebody listens.

The session's own event stream (`agent_runtime.events`) tells more; these are its moments in LiveKit's shape.
"""

from __future__ import annotations

import time
from enum import StrEnum, unique
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import ConfigDict, Field, PrivateAttr, model_validator

from agent_runtime.lazy_model import LazyModel
from agent_runtime.llm import AgentHandoff, ChatMessage, FunctionCall, FunctionCallOutput
from agent_runtime.types import AgentState, UserState
from agent_runtime.voice.speech_handle import SpeechHandle

EventTypes: TypeAlias = Literal[
    "user_state_changed",
    "agent_state_changed",
    "user_input_transcribed",
    "user_transcription_timeout",
    "conversation_item_added",
    "agent_false_interruption",
    "overlapping_speech",
    "function_tools_executed",
    "metrics_collected",
    "session_usage_updated",
    "speech_created",
    "tool_execution_updated",
    "error",
    "close",
]


class _Payload(LazyModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)

    created_at: float = Field(default_factory=time.time)
    """Seconds since the epoch."""


class UserStateChangedEvent(_Payload):
    """`created_at` is when the state truly began: the detector's delay is taken off."""

    type: Literal["user_state_changed"] = "user_state_changed"
    old_state: UserState
    new_state: UserState


class AgentStateChangedEvent(_Payload):
    """The agent's state changed."""

    type: Literal["agent_state_changed"] = "agent_state_changed"
    old_state: AgentState
    new_state: AgentState


class UserInputTranscribedEvent(_Payload):
    """Recognised speech."""

    type: Literal["user_input_transcribed"] = "user_input_transcribed"
    transcript: str
    is_final: bool
    item_id: str | None = None
    speaker_id: str | None = None
    language: str | None = None


class UserTranscriptionTimeoutEvent(_Payload):
    """Speech was heard and no transcript of it came in time."""

    type: Literal["user_transcription_timeout"] = "user_transcription_timeout"
    speech_duration: float
    vad_speech_started_at: float


class ConversationItemAddedEvent(_Payload):
    """The conversation's history grew."""

    type: Literal["conversation_item_added"] = "conversation_item_added"
    item: ChatMessage | AgentHandoff | Any


class AgentFalseInterruptionEvent(_Payload):
    """What stopped the agent was nothing."""

    type: Literal["agent_false_interruption"] = "agent_false_interruption"
    resumed: bool
    """Whether the agent went on by itself."""


class MetricsCollectedEvent(_Payload):
    """A provider's measurements."""

    type: Literal["metrics_collected"] = "metrics_collected"
    metrics: Any


class SessionUsageUpdatedEvent(_Payload):
    """What the session used so far, by model."""

    type: Literal["session_usage_updated"] = "session_usage_updated"
    usage: Any


class FunctionToolsExecutedEvent(_Payload):
    """All tool calls of one step are done. Outputs stand beside their calls, one each."""

    type: Literal["function_tools_executed"] = "function_tools_executed"
    function_calls: list[FunctionCall]
    function_call_outputs: list[FunctionCallOutput]
    _handoff_required: bool = PrivateAttr(default=False)

    def zipped(self) -> list[tuple[FunctionCall, FunctionCallOutput]]:
        """Each call with its output."""
        return list(zip(self.function_calls, self.function_call_outputs, strict=True))

    def cancel_tool_reply(self) -> None:
        """Have no reply generated to these outputs."""
        for output in self.function_call_outputs:
            output.reply_required = False

    def cancel_agent_handoff(self) -> None:
        """Have the present agent go on."""
        self._handoff_required = False

    @property
    def has_tool_reply(self) -> bool:
        """Whether a reply will be generated."""
        return any(output.reply_required for output in self.function_call_outputs)

    @property
    def has_agent_handoff(self) -> bool:
        """Whether another agent will take over."""
        return self._handoff_required

    @model_validator(mode="after")
    def _one_output_each(self) -> Self:
        if len(self.function_calls) != len(self.function_call_outputs):
            raise ValueError("each function call needs exactly one output")
        return self


class SpeechCreatedEvent(_Payload):
    """A speech was scheduled."""

    type: Literal["speech_created"] = "speech_created"
    user_initiated: bool
    """Whether code asked for it (`say`, `generate_reply`) and not the user's turn."""
    source: Literal["say", "generate_reply", "tool_response"]
    speech_handle: SpeechHandle = Field(exclude=True)


class ToolCallStarted(LazyModel):
    """A tool call begins."""

    type: Literal["tool_call_started"] = "tool_call_started"
    function_call: FunctionCall


class ToolCallUpdated(LazyModel):
    """A running tool tells how far it is."""

    type: Literal["tool_call_updated"] = "tool_call_updated"
    id: str
    call_id: str
    message: str
    silent: bool = False


class ToolCallEnded(LazyModel):
    """A tool call ended: one for each start."""

    type: Literal["tool_call_ended"] = "tool_call_ended"
    id: str
    call_id: str
    message: str | None = None
    status: Literal["done", "error", "cancelled"]


class ToolReplyUpdated(LazyModel):
    """The reply to what came of calls in the background: `scheduled`, then what became of it."""

    type: Literal["tool_reply_updated"] = "tool_reply_updated"
    update_ids: list[str]
    status: Literal["scheduled", "completed", "interrupted", "skipped"]
    speech_id: str


class ToolExecutionUpdatedEvent(_Payload):
    """A step in the life of a tool call; `update.type` says which."""

    type: Literal["tool_execution_updated"] = "tool_execution_updated"
    update: Annotated[ToolCallStarted | ToolCallUpdated | ToolCallEnded | ToolReplyUpdated, Field(discriminator="type")]


class OverlappingSpeechEvent(_Payload):
    """The user spoke over the agent, and it was judged whether they want the floor."""

    type: Literal["overlapping_speech"] = "overlapping_speech"
    detected_at: float = Field(default_factory=time.time)
    """Seconds since the epoch."""
    is_interruption: bool = False
    agent_ended: bool = False
    """The agent was done before it was clear: `is_interruption` says nothing."""
    total_duration: float = 0.0
    """Seconds of the request to a model elsewhere; here there is none."""
    prediction_duration: float = 0.0
    detection_delay: float = 0.0
    """Seconds from the onset of the speech to the verdict."""
    overlap_started_at: float | None = None
    """Seconds since the epoch."""
    speech_input: Any = None
    """The audio that was judged, where it was."""
    probabilities: Any = None
    probability: float = 0.0
    """How likely they want the floor."""
    num_requests: int = 0


class UserTurnExceededEvent(_Payload):
    """The user talks longer than `user_turn_limit` allows."""

    type: Literal["user_turn_exceeded"] = "user_turn_exceeded"
    transcript: str
    accumulated_transcript: str
    accumulated_word_count: int
    duration: float


class CodeError(LazyModel):
    """Something else than a provider's request failed: a tool, a hook, a node, a device.

    It has the fields of `LLMError`, so that a handler needn't ask which it got.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    type: Literal["code_error"] = "code_error"
    timestamp: float
    """Seconds since the epoch."""
    label: str
    """What failed."""
    error: BaseException = Field(exclude=True)
    recoverable: bool
    """Whether the session goes on."""


class ErrorEvent(_Payload):
    """Something failed. `error` is an `LLMError`, `STTError`, `TTSError`, `RealtimeModelError` or `CodeError`."""

    type: Literal["error"] = "error"
    error: Any
    source: Any


@unique
class CloseReason(StrEnum):
    """Why a session ended."""

    ERROR = "error"
    JOB_SHUTDOWN = "job_shutdown"
    PARTICIPANT_DISCONNECTED = "participant_disconnected"
    USER_INITIATED = "user_initiated"
    TASK_COMPLETED = "task_completed"


class CloseEvent(_Payload):
    """The session ended."""

    type: Literal["close"] = "close"
    error: Any = None
    reason: CloseReason


AgentEvent: TypeAlias = Annotated[
    UserInputTranscribedEvent
    | UserTranscriptionTimeoutEvent
    | UserStateChangedEvent
    | AgentStateChangedEvent
    | AgentFalseInterruptionEvent
    | OverlappingSpeechEvent
    | MetricsCollectedEvent
    | SessionUsageUpdatedEvent
    | ConversationItemAddedEvent
    | FunctionToolsExecutedEvent
    | SpeechCreatedEvent
    | ToolExecutionUpdatedEvent
    | ErrorEvent
    | CloseEvent,
    Field(discriminator="type"),
]
"""What a callback may be called with."""
