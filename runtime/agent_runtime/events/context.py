"""Events of tools, of the conversation's history, and of where a turn's time went."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from agent_runtime.records import record


@record(frozen=True, slots=True)
class ToolStarted:
    """A tool call begins. `arguments` is the JSON text that the model wrote."""

    call_id: str
    name: str
    arguments: str
    speech_id: str | None = None
    type: Literal["tool_started"] = "tool_started"


@record(frozen=True, slots=True)
class ToolFinished:
    """A tool call ended: one for each `ToolStarted`."""

    call_id: str
    name: str
    output: str
    is_error: bool
    duration: float
    details: str = ""
    """The traceback, if the tool raised something that the model isn't told."""
    invalid: bool = False
    """Whether the model's arguments didn't fit, so that the tool didn't run."""
    stand_in: Literal["", "result", "error", "delay"] = ""
    """What a person had set in the tool's place."""
    type: Literal["tool_finished"] = "tool_finished"


@record(frozen=True, slots=True)
class ToolUpdated:
    """A running tool told how far it is. The first time, the reply that called it goes on without waiting for it."""

    update_id: str
    """The `call_id` of its output in the conversation: the call's own for the first one, then `…_update_1`, …"""
    call_id: str
    name: str
    message: str
    silent: bool = False
    """Only the model is told: no reply is made for it."""
    type: Literal["tool_updated"] = "tool_updated"


@record(frozen=True, slots=True)
class ToolReplyUpdated:
    """The reply that tells the user what came of calls in the background: scheduled, and what became of it."""

    update_ids: tuple[str, ...]
    """The `call_id`s of the outputs that it tells of."""
    status: Literal["scheduled", "completed", "interrupted", "skipped"]
    """`skipped`: the agent had nothing more to say about them."""
    speech_id: str
    type: Literal["tool_reply_updated"] = "tool_reply_updated"


@record(frozen=True, slots=True)
class ItemAdded:
    """The conversation's history grew. `item` is the chat item as `ChatContext.to_dict` writes it."""

    item: dict[str, Any]
    type: Literal["item_added"] = "item_added"


PartName: TypeAlias = Literal[
    "endpointing", "transcription", "hook", "llm", "tools", "llm_sentence", "tts", "floor", "playout"
]


@record(frozen=True, slots=True)
class TurnPart:
    """One stretch of a turn's latency."""

    name: PartName
    """`floor`: the answer was ready and had to let somebody finish."""
    start: float
    end: float
    setting: str | None = None
    """The setting, hook, tool or provider that this stretch waited for; for the floor `another_speech`,
    `min_consecutive_speech_delay` or `user_speaking`."""


@record(frozen=True, slots=True)
class TurnMeasured:
    """Where the time went between the user's last voiced frame and the agent's first audible sample.

    The parts follow each other without a gap: the first starts at `start`, the last ends at `end`.
    """

    start: float
    end: float
    parts: tuple[TurnPart, ...]
    type: Literal["turn_measured"] = "turn_measured"
