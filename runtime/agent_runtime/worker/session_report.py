"""What became of a job's conversation."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agent_runtime.llm import ChatContext
    from agent_runtime.metrics import ModelUsage
    from agent_runtime.voice.options import AgentSessionOptions


@dataclass
class SessionReport:
    """The job, the room, what was said, what it used, how it is judged and where it is recorded."""

    job_id: str
    room_id: str
    room: str
    options: AgentSessionOptions
    chat_history: ChatContext
    agent_name: str = ""
    model_usage: list[ModelUsage] | None = None
    """By model and provider."""
    recording: Path | None = None
    """The bundle that it was recorded into."""
    timestamp: float = field(default_factory=time.time)
    """Seconds since the epoch, when the report was made."""
    tagged: dict[str, Any] = field(default_factory=dict)
    """See `Tagger.as_plain`."""

    @property
    def tags(self) -> list[str]:
        """The tags' names, sorted."""
        return [entry["tag"] for entry in self.tagged.get("tags", ())]

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it; the conversation as `ChatContext.to_dict` writes it."""
        return {
            "job_id": self.job_id,
            "room_id": self.room_id,
            "room": self.room,
            "agent_name": self.agent_name,
            "chat_history": self.chat_history.to_dict(),
            "model_usage": [vars(entry) for entry in self.model_usage or ()],
            "recording": str(self.recording) if self.recording is not None else None,
            "timestamp": self.timestamp,
            **self.tagged,
        }
